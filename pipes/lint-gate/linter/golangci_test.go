package linter_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/pipes/lint-gate/linter"
	"bitbucket.org/fearless/pipes/shared/exit"
)

const (
	goMod   = "module x.test/m\n\ngo 1.26\n"
	careful = "package m\n\nimport \"os\"\n\n// F removes a file.\nfunc F(name string) error { return os.Remove(name) }\n"
	// careless has an error that is not checked, on line 4.
	careless = "package m\n\nimport \"os\"\n\nfunc F(name string) { os.Remove(name) }\n"
	unlucky  = "Error return value of `os.Remove` is not checked\n"
)

// golangci runs golangci-lint over files.
func golangci(t *testing.T, files map[string]string, environ ...string) (linter.Outcome, bench, error) {
	t.Helper()
	program := filepath.Join(bin(t), "golangci-lint")
	if _, err := os.Stat(program); err != nil {
		t.Skip("golangci-lint is not built: `make lint` does that")
	}
	b := at(t, clone(t, files), bin(t))
	b.job.Environ = append(b.job.Environ, environ...)
	o, err := only(t, b.job.Dir, "golangci-lint", bin(t)).Run(t.Context(), b.job)
	return o, b, err
}

func TestGolangci(t *testing.T) {
	t.Parallel()
	many := "package m\n\nimport \"os\"\n\nfunc many() {\n" + strings.Repeat("\tos.Remove(\"x\")\n", 60) + "}\n\nvar _ = many\n"
	for name, c := range map[string]struct {
		files   map[string]string
		want    string
		lines   int // when there are too many findings to write them down
		checked []string
		skipped []string
	}{
		"clean": {files: map[string]string{"go.mod": goMod, "a.go": careful}, checked: []string{"."}},
		"finding": {files: map[string]string{"go.mod": goMod, "a.go": careless}, checked: []string{"."},
			want: "error golangci-lint/errcheck a.go:5:32 " + unlucky},
		"nested modules, each by itself": {
			files: map[string]string{
				"go.mod": goMod, "a.go": careful,
				"tools/b/go.mod": "module x.test/b\n\ngo 1.26\n", "tools/b/b.go": careless,
				"testdata/c/go.mod": "module x.test/c\n", "testdata/c/c.go": careless,
				"_d/go.mod": "module x.test/d\n", "_d/d.go": careless,
			},
			checked: []string{".", "tools/b"}, want: "error golangci-lint/errcheck tools/b/b.go:5:32 " + unlucky},
		"workspace that names one module of two": {
			files: map[string]string{
				"go.work": "go 1.26\n\nuse ./a\n", "a/go.mod": "module x.test/a\n\ngo 1.26\n", "a/a.go": careless,
				"b/go.mod": "module x.test/b\n\ngo 1.26\n", "b/b.go": careless,
			},
			checked: []string{"a", "b"},
			want:    "error golangci-lint/errcheck a/a.go:5:32 " + unlucky + "error golangci-lint/errcheck b/b.go:5:32 " + unlucky},
		"workspace whose modules need each other": {
			files: map[string]string{
				"go.work": "go 1.26\n\nuse (\n\t./a\n\t./b\n)\n", "a/go.mod": "module x.test/a\n\ngo 1.26\n\nrequire x.test/b v0.0.0\n", "a/a.go": "package a\n\nimport \"x.test/b\"\n\nfunc F() { b.F(\"\") }\n",
				"b/go.mod": "module x.test/b\n\ngo 1.26\n", "b/b.go": strings.Replace(careful, "package m", "package b", 1),
			},
			checked: []string{"a", "b"}, want: "error golangci-lint/errcheck a/a.go:5:15 Error return value of `b.F` is not checked\n"},
		"modules without Go files": {
			files:   map[string]string{"go.mod": goMod, "a/go.mod": "module x.test/a\n", "a/a_plan9.go": "package a\n", "b/go.mod": "module x.test/b\n", "b/b.go": "package b\n", "testdata/x.go": "package x\n"},
			checked: []string{"b"},
			skipped: []string{"module .: no Go files", "module a: none of its Go files is built for linux/"}},
		"no module":         {files: map[string]string{"a.go": careless}, skipped: []string{"no go.mod"}},
		"nothing is hidden": {files: map[string]string{"go.mod": goMod, "a.go": many}, checked: []string{"."}, lines: 60},
		"settings that hide, rewrite and move findings": {
			files: map[string]string{
				"go.mod": goMod, "a.go": many,
				".golangci.yml": "version: \"2\"\nissues: {new: true, new-from-rev: HEAD, whole-files: true, max-same-issues: 1, max-issues-per-linter: 1, uniq-by-line: true, fix: true}\n" +
					"output: {path-prefix: elsewhere, formats: {json: {path: stdout}, text: {path: stdout}}}\nrun: {issues-exit-code: 0}\n",
			},
			checked: []string{"."}, lines: 60},
		"two linters on one line, and formatters": {
			files: map[string]string{
				"go.mod": goMod, "a.go": "package m\n\nimport \"os\"\n\nfunc f(name string) {   os.Remove(name) }\n",
				".golangci.yml": "version: \"2\"\nlinters: {enable: [godoclint, nakedret]}\nformatters: {enable: [gofmt]}\n",
			},
			checked: []string{"."},
			want: "error golangci-lint/gofmt a.go:5:1 File is not properly formatted\n" +
				"error golangci-lint/unused a.go:5:6 func f is unused\n" +
				"error golangci-lint/errcheck a.go:5:34 " + unlucky},
		"rules of a linter, and severities": {
			files: map[string]string{
				"go.mod": goMod, "a.go": "package m\n\nimport \"fmt\"\n\nfunc F(n int) { fmt.Printf(\"%s\\n\", n) }\n",
				".golangci.yml": "version: \"2\"\nlinters: {default: none, enable: [revive, govet]}\nseverity: {default: error, rules: [{linters: [revive], severity: info}]}\n",
			},
			checked: []string{"."},
			want: "info golangci-lint/revive/package-comments a.go:1:1 should have a package comment\n" +
				"info golangci-lint/revive/exported a.go:5:1 exported function F should have comment or be unexported\n" +
				"error golangci-lint/govet/printf a.go:5:29 fmt.Printf format %s has arg n of wrong type int\n"},
		"settings of the nearest folder": {
			files: map[string]string{
				"go.mod": goMod, "a.go": careless, "b/go.mod": "module x.test/b\n\ngo 1.26\n", "b/b.go": careless,
				"b/.golangci.toml": "version = \"2\"\n[linters]\ndefault = \"none\"\nenable = [\"unused\"]\n",
			},
			checked: []string{".", "b"}, want: "error golangci-lint/errcheck a.go:5:32 " + unlucky},
		"vendored": {
			files: map[string]string{
				"go.mod": goMod + "\nrequire x.test/dep v1.0.0\n", "a.go": "package m\n\nimport \"x.test/dep\"\n\nfunc F() { dep.Try() }\n",
				"vendor/modules.txt": "# x.test/dep v1.0.0\n## explicit; go 1.26\nx.test/dep\n", "vendor/x.test/dep/dep.go": "package dep\n\nimport \"os\"\n\nfunc Try() error { os.Remove(\"x\"); return nil }\n",
				"vendor/x.test/dep/go.mod": "module x.test/dep\n",
			},
			checked: []string{"."}, want: "error golangci-lint/errcheck a.go:5:19 Error return value of `dep.Try` is not checked\n"},
		"names with blanks and umlauts": {
			files: map[string]string{"go.mod": goMod, "ä b.go": careless}, checked: []string{"."}, want: "error golangci-lint/errcheck ä b.go:5:32 " + unlucky},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, b, err := golangci(t, c.files, "HOME="+t.TempDir(), "GOCACHE="+cache(t, "go-build"), "GOLANGCI_LINT_CACHE="+cache(t, "golangci-lint"))
			if err != nil {
				t.Fatalf("%v, log:\n%s", err, b.log)
			}
			got := told(o.Findings)
			if c.lines > 0 && strings.Count(got, "\n") != c.lines || c.lines == 0 && got != c.want {
				t.Errorf("findings:\n%swant %d:\n%s", got, c.lines, c.want)
			}
			if diff := cmp.Diff(c.checked, o.Checked); diff != "" {
				t.Errorf("checked (-want +got):\n%s", diff)
			}
			for i, want := range c.skipped {
				if i >= len(o.Skipped) || !strings.HasPrefix(o.Skipped[i], want) {
					t.Errorf("skipped %q, want %q", o.Skipped, c.skipped)
				}
			}
			if len(o.Skipped) != len(c.skipped) {
				t.Errorf("skipped %q, want %q", o.Skipped, c.skipped)
			}
			for name, text := range c.files {
				if data, err := os.ReadFile(filepath.Join(b.job.Dir, name)); err != nil || string(data) != text {
					t.Errorf("%s was changed: %v\n%s", name, err, data)
				}
			}
		})
	}
}

// What could not be checked is an error that says whose turn it is, and never a pass.
func TestGolangciCannotCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files   map[string]string
		environ string
		code    exit.Code
		err     string
		hint    string
		want    string // the places
	}{
		"type error": {
			files: map[string]string{"go.mod": goMod, "a.go": careful, "sub/b.go": "package sub\n\nfunc G() int { return y }\n"},
			code:  exit.Refused, err: "golangci-lint cannot analyse module ., because it does not compile: sub/b.go:3:23: undefined: y", hint: "go vet",
			want: "error golangci-lint/typecheck sub/b.go:3:23 undefined: y\n"},
		"type error in a nested module": {
			files: map[string]string{"m/go.mod": goMod, "m/a.go": careful, "m/sub/b.go": "package sub\n\nfunc G() int { return y }\n"},
			code:  exit.Refused, err: "golangci-lint cannot analyse module m, because it does not compile: m/sub/b.go:3:23: undefined: y",
			want: "error golangci-lint/typecheck m/sub/b.go:3:23 undefined: y\n"},
		"syntax error": {
			files: map[string]string{"go.mod": goMod, "a.go": careful, "b.go": "package m\n\nfunc G() int { return\n"},
			code:  exit.Refused, err: "does not compile: b.go:",
			want: "error golangci-lint/typecheck b.go:3:23 expected '}', found 'EOF'\nerror golangci-lint/typecheck b.go:4:1 syntax error: unexpected EOF, expected }\n"},
		"missing dependency": {
			files: map[string]string{"go.mod": goMod, "a.go": "package m\n\nimport _ \"x.test/nowhere\"\n"},
			code:  exit.Refused, err: "could not import x.test/nowhere", hint: "go mod tidy"},
		"go.sum lacks a line": {
			files: map[string]string{"go.mod": goMod + "\nrequire github.com/google/go-cmp v0.7.0\n", "a.go": "package m\n\nimport _ \"github.com/google/go-cmp/cmp\"\n"},
			code:  exit.Refused, err: "missing go.sum entry", hint: "go mod tidy"},
		"dependency that cannot be fetched": {
			files:   map[string]string{"go.mod": goMod + "\nrequire x.test/nowhere v1.0.0\n", "a.go": "package m\n\nimport _ \"x.test/nowhere\"\n", "go.sum": "x.test/nowhere v1.0.0 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nx.test/nowhere v1.0.0/go.mod h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"},
			environ: "GOPROXY=http://127.0.0.1:1/", code: exit.Unable, err: "what it depends on cannot be fetched", hint: "GOPROXY"},
		"vendor folder that does not agree": {
			files: map[string]string{"go.mod": goMod + "\nrequire x.test/dep v1.0.0\n", "a.go": careful, "vendor/modules.txt": "# x.test/dep v0.9.0\n## explicit\nx.test/dep\n"},
			code:  exit.Refused, err: "inconsistent vendoring", hint: "go mod vendor"},
		"language newer than the image": {
			files: map[string]string{"go.mod": "module x.test/m\n\ngo 1.99\n", "a.go": careful}, environ: "GOTOOLCHAIN=local",
			code: exit.Unable, err: "module . is written for Go 1.99, and this image has Go 1.", hint: "built with Go 1.99"},
		"patch newer than the image": {
			files: map[string]string{"go.mod": "module x.test/m\n\ngo 1.26.999\n", "a.go": careful}, environ: "GOTOOLCHAIN=local",
			code: exit.Unable, err: "module . is written for Go 1.26.999, and this image has Go 1.26.", hint: "built with Go 1.26.999"},
		"go.mod that is none": {
			files: map[string]string{"go.mod": "modul x\n", "a.go": careful}, code: exit.Refused, err: "unknown directive: modul"},
		"go.work that is none": {
			files: map[string]string{"go.work": "us ./a\n", "go.mod": goMod, "a.go": careful}, code: exit.Refused, err: "go.work cannot be read: ", hint: "go work edit"},
		"misspelt key": {
			files: map[string]string{"go.mod": goMod, "a.go": careful, ".golangci.yml": "version: \"2\"\nlinters:\n  enabel: [revive]\n"},
			code:  exit.Invalid, err: ".golangci.yml is not what golangci-lint accepts: linters: there is no key 'enabel'", hint: "config verify"},
		"misspelt key at the top": {
			files: map[string]string{"go.mod": goMod, "a.go": careful, "sub/go.mod": "module x.test/s\n", "sub/a.go": careful, "sub/.golangci.yaml": "version: \"2\"\nlintres: {}\n"},
			code:  exit.Invalid, err: "sub/.golangci.yaml is not what golangci-lint accepts: the top level: there is no key 'lintres'"},
		"unknown linter": {
			files: map[string]string{"go.mod": goMod, "a.go": careful, ".golangci.yml": "version: \"2\"\nlinters: {enable: [errchek]}\n"},
			code:  exit.Invalid, err: "errchek"},
		"version 1": {
			files: map[string]string{"go.mod": goMod, "a.go": careful, ".golangci.yml": "linters: {enable: [errcheck]}\n"},
			code:  exit.Invalid, err: ".golangci.yml is not what golangci-lint accepts: ", hint: "migrate"},
		"settings that are no YAML": {
			files: map[string]string{"go.mod": goMod, "a.go": careful, ".golangci.yml": "linters: [\n"},
			code:  exit.Invalid, err: ".golangci.yml is not what golangci-lint accepts: "},
		"time limit": {
			files: map[string]string{"go.mod": goMod, "a.go": careful, ".golangci.yml": "version: \"2\"\nrun: {timeout: 0.1s}\n"},
			code:  exit.Unable, err: "in the time that run.timeout of its settings allows", hint: "raise run.timeout"},
		"no go command": {
			files: map[string]string{"go.mod": goMod, "a.go": careful}, environ: "PATH=/nowhere",
			code: exit.Unable, err: "the go command was not found", hint: "the pipe's own image"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.environ == "PATH=/nowhere" {
				git := t.TempDir()
				if err := os.Symlink("/usr/bin/git", filepath.Join(git, "git")); err != nil {
					t.Fatal(err)
				}
				c.environ = "PATH=" + git
			}
			o, b, err := golangci(t, c.files, "GOFLAGS=", "GONOSUMDB=x.test", c.environ)
			if err == nil || exit.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.err) {
				t.Fatalf("error %v (%v)\nwant %v with %q; log:\n%s", err, exit.CodeOf(err), c.code, c.err, b.log)
			}
			if hints := strings.Join(exit.HintsOf(err), "\n"); !strings.Contains(hints, c.hint) || hints == "" {
				t.Errorf("hints %q, want %q", hints, c.hint)
			}
			if got := told(o.Findings); c.want != "" && got != c.want {
				t.Errorf("places:\n%swant:\n%s", got, c.want)
			}
		})
	}
}

// cache is a cache of the machine: compiling the standard library takes half a minute.
func cache(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

func TestGolangciInLittleMemory(t *testing.T) {
	t.Parallel()
	o, b, err := golangci(t, map[string]string{"go.mod": goMod, "a.go": careful}, "BITBUCKET_PIPELINE_UUID={1}", "GOMEMLIMIT=")
	if err != nil || len(o.Checked) != 1 || o.Peak < 10<<20 {
		t.Fatalf("%v, checked %q, peak %d", err, o.Checked, o.Peak)
	}
	for _, want := range []string{"memory: 1024 MB", "1 at a time", "--concurrency 1"} {
		if !strings.Contains(b.log.String(), want) {
			t.Errorf("%q is missing in the log:\n%s", want, b.log)
		}
	}
}
