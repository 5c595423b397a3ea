package process

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
)

// checkGuestEnv refuses what would let a guest work by its host's rights. It
// also catches os.Environ() given by mistake.
func checkGuestEnv(env []string) error {
	for _, assignment := range env {
		name, _, ok := strings.Cut(assignment, "=")
		if !ok || name == "" {
			return fmt.Errorf("guest environment: %q is not NAME=value", assignment)
		}
		if strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "BITBUCKET_") {
			return fmt.Errorf("guest environment: %s may not be handed to guests", name)
		}
		if slices.Contains([]string{"PATH", "HOME", "TMPDIR", "MACHINE_ROOT", "PORT_BASE"}, name) {
			return fmt.Errorf("guest environment: %s is chosen for each guest", name)
		}
	}
	return nil
}

// environ is the whole environment of a guest process; nothing is inherited.
func (d *Driver) environ(found *disk, b machine.Boot) []string {
	disk := found.path()
	env := []string{
		"PATH=" + filepath.Join(found.dir, "bin") + ":" + d.options.Path,
		"HOME=" + filepath.Join(disk, "root"),
		"TMPDIR=" + filepath.Join(disk, "tmp"),
		"LANG=C.UTF-8",
		marker(disk),
		"AWS_EC2_METADATA_SERVICE_ENDPOINT=" + found.place.endpoint,
		"AWS_REGION=" + b.Region,
		"AWS_DEFAULT_REGION=" + b.Region, // the only one that older AWS CLIs read
		// A script that resets its PATH finds the host's systemctl, which asks
		// the host to power off by this bus; on a desktop it would comply.
		"DBUS_SYSTEM_BUS_ADDRESS=unix:path=/dev/null",
	}
	if b.Endpoint != "" {
		env = append(env, "AWS_ENDPOINT_URL="+b.Endpoint)
	}
	if found.place.portBase != 0 {
		env = append(env, "PORT_BASE="+strconv.Itoa(found.place.portBase))
	}
	return append(env, d.options.GuestEnv...)
}

// marker is the variable by which a process is known to belong to a server.
func marker(disk string) string { return "MACHINE_ROOT=" + disk }
