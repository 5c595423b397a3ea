package process

import (
	"bytes"
	"os"
	"strings"
)

// inContainer looks for the traces that container engines leave: their marker
// files, their control groups, or a root file system made of layers.
func inContainer() bool {
	for _, marker := range []string{"/.dockerenv", "/run/.containerenv", "/run/systemd/container"} {
		if _, err := os.Lstat(marker); err == nil {
			return true
		}
	}
	if groups, err := os.ReadFile("/proc/1/cgroup"); err == nil {
		for _, engine := range []string{"docker", "kubepods", "containerd", "libpod", "lxc"} {
			if bytes.Contains(groups, []byte(engine)) {
				return true
			}
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	return err == nil && layeredRoot(string(mounts))
}

// layeredRoot reads lines such as "36 35 0:40 / / rw - overlay overlay rw".
func layeredRoot(mounts string) bool {
	for line := range strings.Lines(mounts) {
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if len(fields) > 4 && fields[4] == "/" && strings.HasPrefix(after, "overlay ") {
			return true
		}
	}
	return false
}
