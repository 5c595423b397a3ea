package provision

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"bitbucket.org/fearless/pipes/shared/contract"
)

// action is what is done to the files that a pattern names.
type action int

const (
	remove     action = iota // the file, or the directory with all in it
	removeFile               // only a regular file: a link or directory is the distribution's
	empty                    // truncate; the file itself must stay
	emptyAll                 // truncate every file below
)

// leftovers is everything that belongs to the build server and not into an
// image, from which many servers start. Patterns are relative to the disk.
var leftovers = []struct {
	action   action
	patterns []string
	reason   string
}{
	{remove, []string{"etc/ssh/ssh_host_*_key", "etc/ssh/ssh_host_*_key.pub"}, "every server makes its own host keys; shared ones let each play all others"},
	{remove, []string{"root/.ssh/authorized_keys*", "home/*/.ssh/authorized_keys*"}, "who could log in here must not be able to log in everywhere"},
	{empty, []string{"etc/machine-id"}, "systemd fills an empty file with a new id; a missing one means something else"},
	{removeFile, []string{"var/lib/dbus/machine-id"}, "the same id, where it is no link to the file above"},
	{remove, []string{"var/lib/systemd/random-seed", "var/lib/systemd/credential.secret"}, "servers must not share their randomness or a host secret"},
	{remove, []string{"var/lib/cloud/instance", "var/lib/cloud/instances", "var/lib/cloud/data", "var/lib/cloud/sem"}, "else cloud-init takes the first boot of a server for the second of this one"},
	{remove, []string{"var/lib/dhcp/*", "var/lib/dhclient/*", "var/lib/NetworkManager/*.lease"}, "leases of an address that is not theirs"},
	{remove, []string{"var/lib/amazon/ssm/i-*"}, "the SSM agent's state of this instance"},
	{remove, []string{"root/.*_history", "home/*/.*_history", "root/.lesshst", "root/.viminfo"}, "nobody's business"},
	{remove, []string{strings.TrimPrefix(contract.BakeFile, "/"), strings.TrimPrefix(contract.Package, "/")}, "presigned URLs, and a second copy of the source"},
	{remove, []string{"var/log/journal/*"}, "the journal of this boot, under this machine id"},
	{emptyAll, []string{"var/log"}, "logs of the build, some with host names and addresses; services expect the files to exist"},
	{remove, []string{"tmp/*", "tmp/.[^.]*", "var/tmp/*", "var/tmp/.[^.]*"}, "temporary files of the provision script"},
}

// cleanUp removes the leftovers from the disk at root. Nothing outside root is
// touched, whatever links point to. A leftover that stays is an error: better
// no image than one with a host key in it.
func cleanUp(root string, log io.Writer) error {
	disk, err := os.OpenRoot(root)
	if err != nil {
		return fmt.Errorf("cannot clean up: %w", err)
	}
	defer disk.Close()
	count := 0
	for _, step := range leftovers {
		for _, pattern := range step.patterns {
			found, err := fs.Glob(disk.FS(), pattern)
			if err != nil {
				return fmt.Errorf("cannot clean up %s: %w", pattern, err)
			}
			for _, name := range found {
				if err := apply(disk, step.action, name); err != nil {
					return fmt.Errorf("cannot clean up /%s (%s): %w", name, step.reason, err)
				}
			}
			count += len(found)
		}
	}
	fmt.Fprintf(log, "boot: %d leftovers of the build server removed\n", count)
	return nil
}

func apply(disk *os.Root, what action, name string) error {
	info, err := disk.Lstat(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case what == remove:
		return disk.RemoveAll(name)
	case what == emptyAll:
		return fs.WalkDir(disk.FS(), name, func(file string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			return truncate(disk, file)
		})
	case !info.Mode().IsRegular():
		return nil
	case what == removeFile:
		return disk.Remove(name)
	default:
		return truncate(disk, name)
	}
}

func truncate(disk *os.Root, name string) error {
	f, err := disk.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	return f.Close()
}
