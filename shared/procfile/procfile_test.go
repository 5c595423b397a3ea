package procfile_test

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/procfile"
)

func TestParse(t *testing.T) {
	t.Parallel()
	in := "\ufeff# what runs\r\n\r\nrelease: bin/migrate && bin/seed\r\nweb:   bin/web -addr \"$HOST:$PORT\"  \r\n\tworker-2 : bin/worker # not a comment\r\n"
	got, err := procfile.Parse("Procfile", strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	want := []procfile.Process{
		{Type: "release", Command: "bin/migrate && bin/seed", Line: 3},
		{Type: "web", Command: `bin/web -addr "$HOST:$PORT"`, Line: 4},
		{Type: "worker-2", Command: "bin/worker # not a comment", Line: 5},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"release", "web", "worker-2"}, procfile.Types(got)); diff != "" {
		t.Error(diff)
	}
	if p, ok := procfile.Find(got, "web"); !ok || p.Line != 4 {
		t.Errorf("found %+v, %v", p, ok)
	}
	if _, ok := procfile.Find(got, "clock"); ok {
		t.Error("found a type that is not there")
	}
}

func TestParseProblems(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 31)
	tests := map[string]struct{ in, want string }{
		"empty":         {"", "Procfile: names no process"},
		"comments only": {"# web: x\n", "Procfile: names no process"},
		"release only":  {"release: x", "Procfile: names only the release process"},
		"no colon":      {"web: x\nbin/server\n", `Procfile:2: no colon in "bin/server"`},
		"upper case":    {"Web: x", `Procfile:1: "Web" cannot be a process type`},
		"underscore":    {"my_web: x", `Procfile:1: "my_web" cannot be a process type`},
		"digit first":   {"1web: x", `Procfile:1: "1web" cannot be a process type`},
		"no type":       {": x", `Procfile:1: "" cannot be a process type`},
		"too long":      {long + "a: x", "cannot be a process type"},
		"all":           {"all: x", `Procfile:1: a process type cannot be called "all"`},
		"twice":         {"web: x\n\nweb: y", "Procfile:3: web is already on line 1"},
		"no command":    {"web:  \nworker: x", "Procfile:1: web has no command"},
		"continued":     {"web: x \\\n  y", "Procfile:1: the command of web ends with a backslash"},
		"not text":      {"w\x00e\x00b\x00:\x00", "Procfile: not a text file"},
		"latin-1":       {"web: caf\xe9", "Procfile: not a text file"},
		"far too large": {strings.Repeat("# x\n", 100_000), "Procfile: larger than 256 KB"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := procfile.Parse("Procfile", strings.NewReader(test.in))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v and error %v, want an error with %q", got, err, test.want)
			}
			if code := exit.CodeOf(err); code != exit.Invalid {
				t.Errorf("exit code %d, want %d", code, exit.Invalid)
			}
		})
	}
	if _, err := procfile.Parse("Procfile", strings.NewReader(long+": x")); err != nil {
		t.Errorf("31 letters were refused: %v", err)
	}
}

func TestAllProblemsTogether(t *testing.T) {
	t.Parallel()
	_, err := procfile.Parse("app/Procfile", strings.NewReader("Web:\nworker\nclock: x\nclock: y\n"))
	want := `app/Procfile:1: "Web" cannot be a process type: lower-case letters, digits and dashes, a letter first, at most 31
app/Procfile:1: Web has no command
app/Procfile:2: no colon in "worker", expected a line such as "web: bin/server"
app/Procfile:4: clock is already on line 3`
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk is gone")
	_, err := procfile.Parse("Procfile", iotest.ErrReader(broken))
	if !errors.Is(err, broken) || exit.CodeOf(err) != exit.Unable {
		t.Errorf("got %v, code %d", err, exit.CodeOf(err))
	}
}

func TestShell(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{
		"bin/web -p $PORT":               "exec bin/web -p $PORT",
		"bin/web > log 2>&1":             "exec bin/web > log 2>&1",
		`bin/web "a;b" 'c&d'`:            `exec bin/web "a;b" 'c&d'`,
		`bin/web a\;b`:                   `exec bin/web a\;b`,
		"bin/web --name $(hostname)":     "exec bin/web --name $(hostname)",
		"bin/web $(a; b)":                "bin/web $(a; b)",
		"bin/migrate && bin/seed":        "bin/migrate && bin/seed",
		"bin/a | bin/b":                  "bin/a | bin/b",
		"(bin/a)":                        "(bin/a)",
		"WORKERS=3 bin/web":              "WORKERS=3 bin/web",
		"cd web && ./server":             "cd web && ./server",
		"exec bin/web":                   "exec bin/web",
		"gunicorn app:wsgi --bind=:8000": "exec gunicorn app:wsgi --bind=:8000",
	} {
		if got := (procfile.Process{Command: command}).Shell(); got != want {
			t.Errorf("%s: got %s, want %s", command, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("web: x\nrelease: y\n")
	f.Add("\ufeffweb:x\r\n#\n:\n")
	f.Fuzz(func(t *testing.T, in string) {
		processes, err := procfile.Parse("Procfile", strings.NewReader(in))
		if (err == nil) == (len(processes) == 0) {
			t.Fatalf("%d processes and error %v", len(processes), err)
		}
		for _, p := range processes {
			if p.Type == "" || p.Command == "" || p.Line < 1 {
				t.Fatalf("incomplete process %+v", p)
			}
		}
	})
}
