package process

import (
	"os"
	"path/filepath"
	"strings"
)

// The programs that a server's scripts call to switch it off. A script cannot
// call into the cloud, so they write into a pipe that the cloud reads. Paths
// are written into them, because a caller may have cleared its environment.
const (
	shutdown = `#!/bin/sh
# shutdown, poweroff, halt: switch this server of the local cloud off, at once
for argument; do
	case "$argument" in
	-r* | --reboot | -c | -k | --help)
		echo "${0##*/}: the local cloud can only switch a server off, not: $argument" >&2
		exit 1 ;;
	esac
done
echo off > @CONTROL@
`
	reboot = `#!/bin/sh
echo "reboot: the local cloud can only switch a server off" >&2
exit 1
`
	systemctl = `#!/bin/sh
# systemctl: what provisioning needs of it
disk=@DISK@
case "$1" in --*) shift ;; esac
verb=$1
[ $# -eq 0 ] || shift
wants=$disk/etc/systemd/system/multi-user.target.wants
case "$verb" in
poweroff | halt)
	echo off > @CONTROL@ ;;
daemon-reload) ;;
enable | disable)
	for unit; do
		case "$unit" in
		-*) echo "systemctl $verb: $unit is not known in the local cloud" >&2; exit 1 ;;
		*.*) ;;
		*) unit=$unit.service ;;
		esac
		found=
		for folder in etc/systemd/system usr/lib/systemd/system lib/systemd/system; do
			[ -n "$found" ] || [ ! -f "$disk/$folder/$unit" ] || found=/$folder/$unit
		done
		if [ -z "$found" ]; then
			echo "Failed to $verb unit: Unit file $unit does not exist on this server's disk." >&2
			exit 1
		fi
		if [ "$verb" = enable ]; then
			mkdir -p "$wants" && ln -sf "$found" "$wants/$unit" || exit 1
		else
			rm -f "$wants/$unit"
		fi
	done ;;
*)
	echo "systemctl $verb: not in the local cloud" >&2
	exit 1 ;;
esac
`
)

func writeShims(d *disk) error {
	bin := filepath.Join(d.dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		return err
	}
	programs := map[string]string{
		"shutdown": shutdown, "poweroff": shutdown, "halt": shutdown, "reboot": reboot, "systemctl": systemctl,
	}
	paths := strings.NewReplacer("@CONTROL@", quoted(d.control()), "@DISK@", quoted(d.path()))
	for name, text := range programs {
		if err := writeFile(filepath.Join(bin, name), []byte(paths.Replace(text)), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// quoted makes a word that a shell takes as it is.
func quoted(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// control is the pipe between a server's programs and the cloud.
func (d *disk) control() string { return filepath.Join(d.dir, "control") }
