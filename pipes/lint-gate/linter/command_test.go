package linter_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/pipes/lint-gate/linter"
	"bitbucket.org/fearless/pipes/shared/exit"
)

func TestCommand(t *testing.T) {
	t.Parallel()
	const sarif = `{"runs":[{"tool":{"driver":{"name":"scan"}},"results":[{"ruleId":"R","level":"error","message":{"text":"bad"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"a.x"},"region":{"startLine":1}}}]}]}]}`
	for name, c := range map[string]struct {
		entry   string
		want    string
		skipped string
		code    exit.Code
		err     string
	}{
		"usual lines":           {entry: `grep: grep -n FIXME a.x b.x`, want: "error grep/ a.x:2 FIXME: this\n"},
		"format in brackets":    {entry: `scan: [sarif] cat out/s.sarif`, want: "error scan/R a.x:1 bad\n"},
		"pattern":               {entry: `p: [errorformat:%f|%l|%m] printf "a.x|2|with a [bracket] in it\n"`, want: "error p/ a.x:2 with a [bracket] in it\n"},
		"untracked file":        {entry: `p: printf "build/x:3: generated\n/etc/passwd:1: foreign\n"`, skipped: "1 finding in files that git does not track;1 finding outside the clone"},
		"through a link":        {entry: `p: printf "link/c.x:1: seen through a link\n"`, want: "error p/ sub/c.x:1 seen through a link\n"},
		"findings and code 2":   {entry: `sh: [sarif] sh -c 'cat out/s.sarif; exit 2'`, want: "error scan/R a.x:1 bad\n"},
		"nothing and code 0":    {entry: `sh: sh -c 'echo all is well'`},
		"nothing and code 1":    {entry: `sh: sh -c 'echo oops, cannot read settings >&2; exit 1'`, code: exit.Unable, err: "sh broke off with exit code 1: oops, cannot read settings"},
		"silent failure":        {entry: `sh: sh -c 'exit 3'`, code: exit.Unable, err: "sh broke off with exit code 3 and without a word"},
		"not found inside":      {entry: `sh: sh -c 'nosuchprogram'`, code: exit.Unable, err: "sh broke off with exit code 127: "},
		"not its format":        {entry: `sh: [sarif] echo hello`, code: exit.Invalid, err: `the output of sh:1:1: not a report as its format has it: there is no JSON in it; it starts with "hello"`},
		"no report at all":      {entry: `sh: [sarif] true`, code: exit.Invalid, err: "the output of sh is empty"},
		"says that it failed":   {entry: `sh: [sarif] echo '{"runs":[{"invocations":[{"executionSuccessful":false}]}]}'`, code: exit.Unable, err: "sh could not do its work: the tool reports that it did not succeed"},
		"time and text, code 1": {entry: `sh: sh -c 'echo "2026-11-23T12:30:45: giving up"; exit 1'`, code: exit.Unable, err: "sh broke off with exit code 1: 2026-11-23T12:30:45: giving up"},
		"killed":                {entry: `sh: sh -c 'kill -9 $$'`, code: exit.Unable, err: "sh was killed, most likely because memory ran out, of which it has 512 MB"},
		"ended by a signal":     {entry: `sh: sh -c 'kill -11 $$'`, code: exit.Unable, err: "sh was ended by signal 11"},
		"output without UTF-8":  {entry: `p: printf "a.x:1: caf\351\n"`, want: "error p/ a.x:1 caf\uFFFD\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := clone(t, map[string]string{"a.x": "one\nFIXME: this\n", "b.x": "fine\n", "out/s.sarif": sarif, "sub/c.x": "\n"})
			if err := os.Symlink("sub", filepath.Join(dir, "link")); err != nil {
				t.Fatal(err)
			}
			write(t, dir, map[string]string{"build/x": "\n"})
			b := at(t, dir)
			b.job.Memory = 512 << 20
			o, err := only(t, dir, c.entry).Run(t.Context(), b.job)
			if exit.CodeOf(err) != c.code || err != nil && (!strings.HasPrefix(err.Error(), c.err) || len(exit.HintsOf(err)) == 0) {
				t.Fatalf("error %v (%v), want %v with %q", err, exit.CodeOf(err), c.code, c.err)
			}
			if got := told(o.Findings); got != c.want {
				t.Errorf("findings:\n%swant:\n%s", got, c.want)
			}
			if got := strings.Join(o.Skipped, ";"); got != c.skipped {
				t.Errorf("skipped %q, want %q", got, c.skipped)
			}
		})
	}
}

// A command that is cancelled ends with all that it has started, and is no result.
func TestCommandIsStopped(t *testing.T) {
	t.Parallel()
	// What it has started holds its end of alive open, so that reading from that ends when the last of them has.
	dir := clone(t, map[string]string{"run": "#!/bin/sh\nexec 3>alive\nsleep 100000 &\n: > begun\nwait\n"})
	if err := syscall.Mkfifo(filepath.Join(dir, "alive"), 0o600); err != nil {
		t.Fatal(err)
	}
	alive, err := os.OpenFile(filepath.Join(dir, "alive"), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	b := at(t, dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("the time is over")
	go func() {
		for ctx.Err() == nil {
			if exists(filepath.Join(dir, "begun")) {
				cancel(reason)
			}
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	if _, err := only(t, dir, "slow: ./run").Run(ctx, b.job); !errors.Is(err, reason) || !strings.HasPrefix(err.Error(), "slow was stopped: ") {
		t.Fatalf("error %v", err)
	}
	if _, err := io.ReadAll(alive); err != nil {
		t.Error(err)
	}
}

func TestDetect(t *testing.T) {
	t.Parallel()
	dir := clone(t, map[string]string{
		".venv/bin/mypy": "#!/bin/sh\n", "node_modules/.bin/eslint": "#!/bin/sh\n", "bin/own": "#!/bin/sh\n", "bin/text": "no program\n",
	})
	path := t.TempDir()
	write(t, path, map[string]string{"ruff": "#!/bin/sh\n", "mypy": "#!/bin/sh\n"})
	for name, c := range map[string]struct {
		entries []string
		want    []string
		err     string
	}{
		"by name":          {entries: []string{"ruff", "mypy", "eslint"}, want: []string{"ruff", "mypy", "eslint"}},
		"own program":      {entries: []string{"own: bin/own --all", "other: [rdjson] bin/own"}, want: []string{"own", "other"}},
		"no Go, no linter": {},
		"unknown":          {entries: []string{"rufff"}, err: `LINTERS: "rufff" is no linter that is known by its name, did you mean ruff?`},
		"far off":          {entries: []string{"rubocop"}, err: `LINTERS: "rubocop" is no linter that is known by its name`},
		"not installed":    {entries: []string{"pylint"}, err: "LINTERS: pylint was not found: neither on PATH nor in .venv, venv or node_modules of the clone"},
		"all together":     {entries: []string{"ruff", "ruff", "zz", "x: [sarf] bin/own"}, err: "LINTERS: ruff is named twice\nLINTERS: \"zz\" is no linter that is known by its name\nLINTERS: x: \"sarf\" is no format that can be read, did you mean sarif?"},
		"no program":       {entries: []string{"x: bin/text"}, err: "LINTERS: x: " + dir + "/bin/text is no program that can be run"},
		"no command":       {entries: []string{"x:"}, err: "LINTERS: x has no command"},
		"no such command":  {entries: []string{"x: nosuchcommand"}, err: "LINTERS: x: nosuchcommand was not found"},
		"open bracket":     {entries: []string{"x: [sarif bin/own"}, err: "LINTERS: x: the bracket around its format is not closed"},
		"no name":          {entries: []string{": bin/own"}, err: `LINTERS: "" cannot be the name of a linter`},
		"for a shell":      {entries: []string{"x: bin/own | cat"}, err: "LINTERS: x: bin/own | cat: | is for a shell, and none runs here"},
	} {
		linters, err := linter.Detect(dir, c.entries, func(name string) (string, error) {
			if found := filepath.Join(path, name); exists(found) {
				return found, nil
			}
			return "", os.ErrNotExist
		})
		if c.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.err) || exit.CodeOf(err) != exit.Invalid {
				t.Errorf("%s: error %v, want %s", name, err, c.err)
			}
			continue
		}
		var got []string
		for _, l := range linters {
			got = append(got, l.Name)
		}
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	write(t, dir, map[string]string{"sub/go.mod": goMod})
	write(t, path, map[string]string{"golangci-lint": "#!/bin/sh\n"})
	linters, err := linter.Detect(dir, nil, func(name string) (string, error) { return filepath.Join(path, name), nil })
	if err != nil || len(linters) != 1 || linters[0].Name != linter.Golangci {
		t.Errorf("with a go.mod: %+v, %v", linters, err)
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
