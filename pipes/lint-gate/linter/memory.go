package linter

import (
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// host is the machine as the kernel shows it; another root is for tests.
var host = machine{root: "/"}

// machine reads the files of the kernel.
type machine struct{ root string }

func (m machine) read(name string) string {
	data, err := os.ReadFile(filepath.Join(m.root, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// unlimited is above any real limit: version 1 of the control groups writes a
// number close to 2^63 for none.
const unlimited = int64(1) << 60

// limit is how much memory in bytes the control group of this process may use,
// the tightest of all those it is in; 0 when none is set or can be seen.
func (m machine) limit() int64 {
	least := int64(0)
	m.groups(func(folder string, version int) {
		name := map[int]string{1: "memory.limit_in_bytes", 2: "memory.max"}[version]
		n, err := strconv.ParseInt(m.read(path.Join(folder, name)), 10, 64) // "max" is no number
		if err == nil && n > 0 && n < unlimited && (least == 0 || n < least) {
			least = n
		}
	})
	return least
}

// kills counts the processes of the control group that the kernel has killed
// because memory ran out.
func (m machine) kills() int64 {
	most := int64(0)
	m.groups(func(folder string, version int) {
		name := map[int]string{1: "memory.oom_control", 2: "memory.events"}[version]
		for line := range strings.SplitSeq(m.read(path.Join(folder, name)), "\n") {
			if text, ok := strings.CutPrefix(line, "oom_kill "); ok {
				if n, err := strconv.ParseInt(text, 10, 64); err == nil {
					most = max(most, n)
				}
			}
		}
	})
	return most
}

// groups visits the control group of this process and those above it. Inside a
// container the path is often that of the host; then only the top is there.
func (m machine) groups(visit func(folder string, version int)) {
	for line := range strings.SplitSeq(m.read("proc/self/cgroup"), "\n") {
		fields := strings.SplitN(line, ":", 3) // number:controllers:path
		if len(fields) != 3 {
			continue
		}
		top, version := "sys/fs/cgroup", 2
		if fields[1] != "" {
			if !strings.Contains(","+fields[1]+",", ",memory,") {
				continue
			}
			top, version = "sys/fs/cgroup/memory", 1
		}
		for at := path.Clean("/" + fields[2]); ; at = path.Dir(at) {
			visit(path.Join(top, at), version)
			if at == "/" {
				break
			}
		}
	}
}

// pipeMemory is what the service docker has unless it is told otherwise. A pipe
// runs inside of it and cannot see that limit.
const pipeMemory = 1 << 30

// memory is how much a tool may use in bytes, and where that is known from; 0
// when nothing limits it.
func (r *run) memory() (bytes int64, why string) {
	if r.Memory > 0 {
		return r.Memory, "MEMORY"
	}
	if limit := host.limit(); limit > 0 {
		return limit, "the container's limit"
	}
	if value(r.Environ, "BITBUCKET_PIPELINE_UUID") != "" {
		return pipeMemory, "what Bitbucket's service docker has by default; set MEMORY when it has more"
	}
	return 0, ""
}
