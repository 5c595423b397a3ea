package linter_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// history commits what a clone holds, changes it, and gives the worktree of the commit.
func history(t *testing.T, dir string, change map[string]string) (base string) {
	t.Helper()
	git(t, dir, "commit", "-qm", "base")
	base = filepath.Join(t.TempDir(), "base")
	git(t, dir, "worktree", "add", "-q", "--detach", base, "HEAD")
	for name, text := range change {
		if text == "" {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			delete(change, name)
		}
	}
	write(t, dir, change)
	git(t, dir, "add", "--all")
	return base
}

// A Python project as in a step of its own: its linters are in its virtualenv, and so is
// the package that mypy must know to find anything. The base has no virtualenv.
func TestVirtualenv(t *testing.T) {
	t.Parallel()
	installed(t, "mypy")
	dir := clone(t, map[string]string{
		".gitignore":       ".venv\n",
		"pyproject.toml":   "[tool.ruff.lint]\nselect = [\"F\"]\n",
		"shop/__init__.py": "", "shop/old.py": "import os\nfrom packaging.version import Version\n\nNEW = Version('1').newest\n",
		"shop/fine.py": "def f(x):\n    return x\n",
	})
	base := history(t, dir, map[string]string{
		"pyproject.toml": "[tool.ruff.lint]\nselect = [\"F\", \"E711\"]\n[tool.mypy]\ndisallow_untyped_defs = true\n",
		"shop/new.py":    "from packaging.version import Version\n\nOLD: str = Version('2')\nWRONG = OLD == None\n",
	})
	if err := os.Symlink(filepath.Join(bin(t), "linters/python"), filepath.Join(dir, ".venv")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ head, base string }{
		"ruff": {
			head: "error ruff/E711 shop/new.py:4:16 Comparison to `None` should be `cond is None`\nerror ruff/F401 shop/old.py:1:8 `os` imported but unused\n",
			base: "error ruff/F401 shop/old.py:1:8 `os` imported but unused\n"},
		"mypy": {
			head: "error mypy/no-untyped-def shop/fine.py:1:1 Function is missing a type annotation\n" +
				"error mypy/assignment shop/new.py:3:12 Incompatible types in assignment (expression has type \"Version\", variable has type \"str\")\n" +
				"error mypy/attr-defined shop/old.py:4:7 \"Version\" has no attribute \"newest\"\n",
			// The stricter rule of the change holds for the base, too: its old finding is none of the change.
			base: "error mypy/no-untyped-def shop/fine.py:1:1 Function is missing a type annotation\n" +
				"error mypy/attr-defined shop/old.py:4:7 \"Version\" has no attribute \"newest\"\n"},
	} {
		l := only(t, dir, name) // not on PATH
		b := at(t, dir)
		b.job.Cache = t.TempDir()
		o, err := l.Run(t.Context(), b.job)
		if diff := cmp.Diff(c.head, told(o.Findings)); err != nil || diff != "" {
			t.Errorf("%s on the change: %v (-want +got):\n%slog:\n%s", name, err, diff, b.log)
		}
		b.job.Clone, b.job.Dir = dir, base
		o, err = l.Run(t.Context(), b.job)
		if diff := cmp.Diff(c.base, told(o.Findings)); err != nil || diff != "" {
			t.Errorf("%s on the base: %v (-want +got):\n%slog:\n%s", name, err, diff, b.log)
		}
		if left, err := os.ReadDir(b.job.Cache); err != nil || len(left) != 2 {
			t.Errorf("%s keeps %v, %v; want a cache for the change and one for the base", name, left, err)
		}
	}
	for _, leftover := range []string{".mypy_cache", ".ruff_cache"} {
		if exists(filepath.Join(dir, leftover)) {
			t.Errorf("%s is left in the clone", leftover)
		}
	}
}

// ESLint of a package of the clone, with a plugin that only the clone has installed, and
// settings that the change has moved to another file.
func TestNodeModules(t *testing.T) {
	t.Parallel()
	path := installed(t, "eslint")
	dir := clone(t, map[string]string{
		".gitignore": "node_modules\n", "package.json": "{\"private\":true}\n", "a.js": "const a = 1;\n", "sub/package.json": "{}\n",
		"eslint.config.mjs": "throw new Error('of old');\n",
	})
	base := history(t, dir, map[string]string{
		"eslint.config.mjs": "", "eslint.config.js": "module.exports = [require('own-rules')];\n", "b.js": "const b = 1;\n",
	})
	write(t, dir, map[string]string{
		"node_modules/own-rules/index.js": "module.exports = {rules:{'no-unused-vars':'error'}};\n",
		"node_modules/own-rules/bad.js":   "const x = 1;\n",
		"sub/node_modules/x/index.js":     "const x = 1;\n",
	})
	l := only(t, dir, "eslint", path)
	b := at(t, dir, path)
	o, err := l.Run(t.Context(), b.job)
	if want := "error eslint/no-unused-vars a.js:1:7 'a' is assigned a value but never used.\nerror eslint/no-unused-vars b.js:1:7 'b' is assigned a value but never used.\n"; err != nil || told(o.Findings) != want {
		t.Errorf("on the change: %v, findings:\n%slog:\n%s", err, told(o.Findings), b.log)
	}
	b.job.Clone, b.job.Dir = dir, base
	o, err = l.Run(t.Context(), b.job)
	if want := "error eslint/no-unused-vars a.js:1:7 'a' is assigned a value but never used.\n"; err != nil || told(o.Findings) != want {
		t.Errorf("on the base: %v, findings:\n%slog:\n%s", err, told(o.Findings), b.log)
	}
	if target, err := os.Readlink(filepath.Join(base, "sub/node_modules")); err != nil || target != filepath.Join(dir, "sub/node_modules") {
		t.Errorf("sub/node_modules is %q, %v", target, err)
	}
}

// Findings in a linter's own configuration belong to the change: the base was given that file.
func TestLentConfiguration(t *testing.T) {
	t.Parallel()
	path := installed(t, "yamllint")
	dir := clone(t, map[string]string{".yamllint": "---\nextends: default\n", "a.yml": "---\na:  1\n"})
	base := history(t, dir, map[string]string{".yamllint": "---\nextends:  default\n"})
	l := only(t, dir, "yamllint", path)
	b := at(t, dir, path)
	const old = "error yamllint/colons a.yml:2:4 too many spaces after colon\n"
	o, err := l.Run(t.Context(), b.job)
	if err != nil || told(o.Findings) != "error yamllint/colons .yamllint:2:10 too many spaces after colon\n"+old {
		t.Errorf("on the change: %v, findings:\n%s", err, told(o.Findings))
	}
	b.job.Clone, b.job.Dir = dir, base
	o, err = l.Run(t.Context(), b.job)
	if err != nil || told(o.Findings) != old {
		t.Errorf("on the base: %v, findings:\n%s", err, told(o.Findings))
	}
}

// A tsconfig.json that only lists projects checks nothing by itself.
func TestTypeScriptProjects(t *testing.T) {
	t.Parallel()
	path := installed(t, "tsc")
	files := map[string]string{
		"tsconfig.json":     `{"files":[],"references":[{"path":"./tsconfig.app.json"},{"path":"./lib"}]}`,
		"tsconfig.app.json": `{"compilerOptions":{"composite":true,"noEmit":true},"include":["src"]} // a comment`,
		"src/a.ts":          "export const a: number = \"a\";\n", "lib/tsconfig.json": `{"compilerOptions":{"noUnusedLocals":true},"include":["*.ts"]}`,
		"lib/b.ts": "export const b: number = 1;\nconst c = 2;\n", "other/tsconfig.json": "{}", "other/c.ts": "export const c: number = \"c\";\n",
	}
	dir := clone(t, files)
	b := at(t, dir, path)
	o, err := only(t, dir, "tsc", path).Run(t.Context(), b.job)
	want := "error tsc/TS6133 lib/b.ts:2:7 'c' is declared but its value is never read.\nerror tsc/TS2322 src/a.ts:1:14 Type 'string' is not assignable to type 'number'.\n"
	if err != nil || told(o.Findings) != want {
		t.Errorf("%v, findings:\n%slog:\n%s", err, told(o.Findings), b.log)
	}
	if got := strings.Join(o.Checked, " ") + "; " + strings.Join(o.Skipped, " "); got != "lib/tsconfig.json tsconfig.app.json; other/tsconfig.json: no tsconfig.json above it refers to it" {
		t.Errorf("checked; skipped: %s", got)
	}
	for name, c := range map[string]struct{ file, text, err string }{
		"unknown option":    {"lib/tsconfig.json", `{"compilerOptions":{"stritc":true}}`, "tsc cannot check lib/tsconfig.json: TS5023"},
		"no files":          {"lib/tsconfig.json", `{"include":["nowhere"]}`, "tsc cannot check lib/tsconfig.json: TS18003"},
		"missing reference": {"tsconfig.json", `{"files":[],"references":[{"path":"./gone.json"}]}`, "tsc does not accept its configuration: "},
	} {
		write(t, dir, map[string]string{c.file: c.text})
		_, err := only(t, dir, "tsc", path).Run(t.Context(), b.job)
		if exit.CodeOf(err) != exit.Invalid || err == nil || !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%s: error %v (%v), want %s", name, err, exit.CodeOf(err), c.err)
		}
		write(t, dir, map[string]string{c.file: files[c.file]})
	}
}

// Mypy checks what its configuration names, and says when it is not read as it is meant.
func TestMypyTargets(t *testing.T) {
	t.Parallel()
	path := installed(t, "mypy")
	const wrong = "x: int = ''\n"
	dir := clone(t, map[string]string{"mypy.ini": "[mypy]\nfiles = src\nnosuch = 1\n", "src/a.py": wrong, "setup.py": wrong})
	b := at(t, dir, path)
	b.job.Cache = t.TempDir()
	_, err := only(t, dir, "mypy", path).Run(t.Context(), b.job)
	if exit.CodeOf(err) != exit.Invalid || err == nil || !strings.Contains(err.Error(), "mypy.ini: [mypy]: Unrecognized option: nosuch = 1") {
		t.Errorf("misspelt option: %v", err)
	}
	write(t, dir, map[string]string{"mypy.ini": "[mypy]\nfiles = src\n"})
	o, err := only(t, dir, "mypy", path).Run(t.Context(), b.job)
	if err != nil || !strings.HasPrefix(told(o.Findings), "error mypy/assignment src/a.py:1:10") || len(o.Findings) != 1 {
		t.Errorf("%v, findings:\n%s", err, told(o.Findings))
	}
}
