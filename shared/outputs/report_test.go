package outputs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/outputs"
)

func TestReadResult(t *testing.T) {
	t.Parallel()
	p := place(t)
	var got result
	if found, reason, err := outputs.ReadResult(p.Dir, "ami-bake", pipeline, &got); found || reason != "" || err != nil {
		t.Errorf("there is none: %v %q %v", found, reason, err)
	}
	write(t, p, outputs.Variable{Name: "IMAGE", Value: "ami-1"})
	if found, reason, err := outputs.ReadResult(p.Dir, "ami-bake", pipeline, &got); !found || reason != "" || err != nil || got != (result{"ami-1", "a < b & c"}) {
		t.Errorf("%v %q %v: %+v", found, reason, err, got)
	}
	file := filepath.Join(p.Dir, ".fearless", "ami-bake.json")
	for name, test := range map[string]struct {
		pipeline string
		make     func() error
		want     string
	}{
		"another pipeline": {"{other}", nil, "is ignored: pipeline " + pipeline + " wrote it, and this is {other}"},
		"no pipeline":      {"", nil, "this run belongs to no pipeline"},
		"broken":           {pipeline, func() error { return os.WriteFile(file, []byte("{"), 0o644) }, "is ignored: unexpected end"},
		"another pipe": {pipeline, func() error {
			return os.WriteFile(file, []byte(`{"pipe": "x", "pipeline": "`+pipeline+`"}`), 0o644)
		}, `it is of "x"`},
		"another shape": {pipeline, func() error {
			return os.WriteFile(file, []byte(`{"pipe": "ami-bake", "pipeline": "`+pipeline+`", "result": []}`), 0o644)
		}, "is ignored: json"},
	} {
		write(t, p)
		if test.make != nil {
			if err := test.make(); err != nil {
				t.Fatal(err)
			}
		}
		if found, reason, err := outputs.ReadResult(p.Dir, "ami-bake", test.pipeline, &got); found || !strings.Contains(reason, test.want) || err != nil {
			t.Errorf("%s: %v %q %v", name, found, reason, err)
		}
	}
}

// A commit must not say what a check has found.
func TestResultOfACommit(t *testing.T) {
	t.Parallel()
	p := place(t)
	write(t, p)
	for _, arguments := range [][]string{{"init", "-q"}, {"add", "-f", ".fearless/ami-bake.json"}} {
		git := exec.CommandContext(t.Context(), "git", arguments...)
		git.Dir, git.Env = p.Dir, append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		if out, err := git.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	var got result
	if found, reason, err := outputs.ReadResult(p.Dir, "ami-bake", pipeline, &got); found || !strings.Contains(reason, "git tracks it") || err != nil {
		t.Errorf("%v %q %v", found, reason, err)
	}
}
