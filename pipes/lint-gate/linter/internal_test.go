package linter

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/exit"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		`biome lint  --reporter=sarif	src`: {"biome", "lint", "--reporter=sarif", "src"},
		`sh -c 'a | b; exit $?' "" ''`:     {"sh", "-c", "a | b; exit $?", "", ""},
		`a "b \"c\" \n d" 'e'f\ g "h'i"`:   {"a", `b "c" \n d`, "ef g", "h'i"},
		`a '*.go' "(x)" \$HOME`:            {"a", "*.go", "(x)", "$HOME"},
		``:                                 nil,
		`  `:                               nil,
	} {
		got, err := words(line)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", line, err, diff)
		}
	}
	for _, line := range []string{`a | b`, `a > b`, `a && b`, `a; b`, `a $B`, `a "$B"`, "a `b`", `a *.go`, `a b?`, `(a)`, `A=1 b`, `a 'b`, `a "b`, `a \`} {
		got, err := words(line)
		if exit.CodeOf(err) != exit.Invalid || err == nil {
			t.Errorf("%s became %q, %v", line, got, err)
		}
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	got := parts([]string{"aaa", "bbb", "-c", strings.Repeat("d", 20), "e"}, 10)
	want := [][]string{{"aaa", "bbb"}, {"./-c"}, {strings.Repeat("d", 20)}, {"e"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := parts(nil, 10); got != nil {
		t.Errorf("of nothing: %q", got)
	}
}

// kernel is a machine with these files.
func kernel(t *testing.T, files map[string]string) machine {
	t.Helper()
	m := machine{root: t.TempDir()}
	for name, text := range files {
		name = filepath.Join(m.root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func TestMemory(t *testing.T) {
	t.Parallel()
	const v1, v2 = "sys/fs/cgroup/memory/", "sys/fs/cgroup/"
	for name, c := range map[string]struct {
		files        map[string]string
		limit, kills int64
	}{
		"nothing to see": {},
		"version 2, in a container": {
			files: map[string]string{"proc/self/cgroup": "0::/\n", v2 + "memory.max": "1073741824\n", v2 + "memory.events": "low 0\noom 3\noom_kill 2\noom_group_kill 0\n"},
			limit: 1 << 30, kills: 2},
		"version 2, the tightest above": {
			files: map[string]string{"proc/self/cgroup": "0::/pod/box\n", v2 + "pod/box/memory.max": "max\n", v2 + "pod/memory.max": "2147483648\n", v2 + "memory.max": "8589934592\n", v2 + "pod/memory.events": "oom_kill 1\n"},
			limit: 2 << 30, kills: 1},
		"version 2, no limit": {files: map[string]string{"proc/self/cgroup": "0::/box\n", v2 + "box/memory.max": "max\n"}},
		"version 1": {
			files: map[string]string{"proc/self/cgroup": "12:cpu,cpuacct:/docker/x\n9:memory:/docker/x\n0::/docker/x\n", v1 + "memory.limit_in_bytes": "536870912\n", v1 + "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"},
			limit: 512 << 20, kills: 4},
		"version 1, no limit": {files: map[string]string{"proc/self/cgroup": "9:memory:/\n", v1 + "memory.limit_in_bytes": "9223372036854771712\n"}},
	} {
		m := kernel(t, c.files)
		if got := m.limit(); got != c.limit {
			t.Errorf("%s: limit %d, want %d", name, got, c.limit)
		}
		if got := m.kills(); got != c.kills {
			t.Errorf("%s: kills %d, want %d", name, got, c.kills)
		}
	}
}

func TestGolangciEnviron(t *testing.T) {
	t.Parallel()
	of := func(j Job, m module) map[string]string {
		r := &run{Job: j, linter: Linter{Name: Golangci}}
		r.Log = console.New(io.Discard, false)
		environ, jobs := r.golangciEnviron(m, 4)
		got := map[string]string{}
		for _, name := range []string{"GOMEMLIMIT", "GOFLAGS", "GOCACHE", "GOMODCACHE", "GOLANGCI_LINT_CACHE", "GOWORK"} {
			if v := value(environ, name); v != "" {
				got[name] = v
			}
		}
		if jobs > 0 {
			got["jobs"] = strings.Repeat("x", jobs)
		}
		return got
	}
	for name, c := range map[string]struct {
		job    Job
		module module
		want   map[string]string
	}{
		"1 GB": {Job{Dir: "/c", Memory: 1 << 30}, module{workspace: true}, map[string]string{"GOMEMLIMIT": "614MiB", "GOFLAGS": "-p=1", "jobs": "x"}},
		"caches": {Job{Dir: "/c", Memory: 1 << 30, Cache: "/k", Environ: []string{"GOFLAGS=-mod=mod"}}, module{}, map[string]string{
			"GOMEMLIMIT": "614MiB", "GOFLAGS": "-mod=mod -modcacherw -p=1", "jobs": "x", "GOWORK": "off",
			"GOCACHE": "/k/go-build", "GOMODCACHE": "/k/go-mod", "GOLANGCI_LINT_CACHE": "/k/golangci-lint",
		}},
		"base": {Job{Dir: "/b", Clone: "/c", Memory: 1 << 30, Cache: "/k", Environ: []string{"GOMEMLIMIT=5MiB", "GOCACHE=/mine", "GOPATH=/go"}}, module{workspace: true}, map[string]string{
			"GOMEMLIMIT": "5MiB", "GOFLAGS": "-p=1", "jobs": "x", "GOCACHE": "/mine", "GOLANGCI_LINT_CACHE": "/k/golangci-lint-base",
		}},
	} {
		if diff := cmp.Diff(c.want, of(c.job, c.module)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestKilled(t *testing.T) {
	t.Parallel()
	r := &run{Job: Job{Dir: "/b", Clone: "/c", Memory: 1 << 30}, linter: Linter{Name: Golangci}}
	for want, err := range map[string]error{
		"golangci-lint on the base ran out of memory, of which it has 1024 MB: the kernel killed it or what it had started": r.killed(syscall.SIGKILL, true),
		"golangci-lint on the base was killed, most likely because memory ran out, of which it has 1024 MB":                 r.killed(syscall.SIGKILL, false),
		"golangci-lint on the base was ended by signal 6 (aborted)":                                                         r.killed(syscall.SIGABRT, false),
	} {
		if err.Error() != want || exit.CodeOf(err) != exit.Unable {
			t.Errorf("%v, want %s", err, want)
		}
		if hints := strings.Join(exit.HintsOf(err), " "); strings.Contains(want, "memory") != strings.Contains(hints, "MEMORY") || hints == "" {
			t.Errorf("%s: hints %s", want, hints)
		}
	}
}

func TestTelling(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Traceback (most recent call last):\n  File \"x.py\", line 1\n    f()\nValueError: bad option\n": "ValueError: bad option",
		"\nOops! Something went wrong! :(\n\nESLint: 10.15.0\n\nTypeError: Key \"rules\"\n    at f\n":    "TypeError: Key \"rules\"",
		"usage: x\nx: error: no such option: -q\n":                                                       "x: error: no such option: -q",
		"something\nelse":                      "something",
		"level 1\nlevel 2: cannot open a.py\n": "level 2: cannot open a.py",
		"ERROR: " + strings.Repeat("x", 400):   "ERROR: " + strings.Repeat("x", 293) + "…",
	} {
		if got := telling(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add(`a "b c" 'd'\ e`)
	f.Fuzz(func(t *testing.T, line string) {
		got, err := words(line)
		if err == nil && len(strings.Join(got, "")) > len(line) {
			t.Fatalf("%q became %q", line, got)
		}
	})
}
