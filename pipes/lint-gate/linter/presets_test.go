package linter_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// tool is one preset with code that it likes, code that it finds something in, and what
// keeps it from its work. All with the real tool.
var tools = map[string]struct {
	config   map[string]string // in every case
	clean    map[string]string
	dirty    map[string]string // beside the clean files
	want     string            // findings in them
	broken   map[string]string // beside the clean files
	code     exit.Code
	err      string // in the error
	checked  int    // files checked in the clean case
	nothing  string // why it is skipped where none of its files are
	notFound bool   // the tool finds its files itself, so there is no such case
}{
	"ruff": {
		clean: map[string]string{"pkg/a.py": "X = 1\n"}, checked: 1, nothing: "no Python files",
		dirty:  map[string]string{"pkg/b c.py": "import os\n"},
		want:   "error ruff/F401 pkg/b c.py:1:8 `os` imported but unused\n",
		broken: map[string]string{"ruff.toml": "selectt = []\n"}, code: exit.Invalid, err: "ruff does not accept its configuration",
	},
	"ruff-format": {
		clean: map[string]string{"a.py": "X = 1\n"}, checked: 1, nothing: "no Python files",
		dirty:  map[string]string{"pkg/b.py": "X = 1\nY  =  2\n"},
		want:   "error ruff-format/format pkg/b.py:2 Not formatted as it should be\n",
		broken: map[string]string{"b.py": "def f(:\n"}, code: exit.Refused, err: "ruff-format cannot analyse the code: error: Failed to parse b.py:1:7",
	},
	"black": {
		clean: map[string]string{"a.py": "X = 1\n"}, checked: 1, nothing: "no Python files",
		dirty:  map[string]string{"pkg/b.py": "X = 1\nY  =  2\n"},
		want:   "error black/format pkg/b.py:2 Not formatted as it should be\n",
		broken: map[string]string{"b.py": "def f(:\n"}, code: exit.Refused, err: "black cannot analyse the code: error: cannot parse: ",
	},
	"mypy": {
		clean: map[string]string{"a.py": "X = 1\n"}, checked: 1, nothing: "no Python files",
		dirty:  map[string]string{"pkg/b.py": "def f() -> int:\n    return ''\n"},
		want:   "error mypy/return-value pkg/b.py:2:12 Incompatible return value type (got \"str\", expected \"int\")\n",
		broken: map[string]string{"b.py": "def f(:\n"}, code: exit.Refused, err: "mypy cannot analyse the code: b.py:1:",
	},
	"flake8": {
		config: map[string]string{".flake8": "[flake8]\nformat = pylint\nshow-source = True\noutput-file = lost.txt\ncount = True\nstatistics = True\n"},
		clean:  map[string]string{"a.py": "X = 1\n"}, checked: 1, nothing: "no Python files",
		dirty:  map[string]string{"b.py": "import os\n"},
		want:   "error flake8/F401 b.py:1:1 'os' imported but unused\n",
		broken: map[string]string{".flake8": "[flake8]\nmax-line-length = abc\n"}, code: exit.Invalid, err: "flake8 does not accept its configuration: ValueError: invalid literal for int()",
	},
	"pylint": {
		clean: map[string]string{"a.py": "\"\"\"A.\"\"\"\n"}, checked: 1, nothing: "no Python files",
		dirty: map[string]string{"pkg/b.py": "\"\"\"B.\"\"\"\nimport os\ndef f():\n    return x\n"},
		want: "warning pylint/unused-import pkg/b.py:2:1 Unused import os\n" +
			"info pylint/missing-function-docstring pkg/b.py:3:1 Missing function or method docstring\n" +
			"error pylint/undefined-variable pkg/b.py:4:12 Undefined variable 'x'\n",
		broken: map[string]string{".pylintrc": "[MAIN]\nload-plugins=\njobs=many\n"}, code: exit.Invalid, err: "pylint does not accept its configuration: pylint: error: argument --jobs/-j: invalid int value: 'many'",
	},
	"eslint": {
		config: map[string]string{"eslint.config.mjs": "export default [{rules:{\"no-unused-vars\":\"error\",eqeqeq:\"warn\"}}];\n"},
		clean:  map[string]string{"a.js": "export const a = 1;\n"}, checked: 2, nothing: "no JavaScript or TypeScript files",
		dirty:  map[string]string{"src/b.js": "const b = 1;\nexport const c = globalThis.x == 2;\n"},
		want:   "error eslint/no-unused-vars src/b.js:1:7 'b' is assigned a value but never used.\nwarning eslint/eqeqeq src/b.js:2:31 Expected '===' and instead saw '=='.\n",
		broken: map[string]string{"eslint.config.mjs": "export default [{rules:{nosuch:\"error\"}}];\n"}, code: exit.Invalid, err: `eslint does not accept its configuration: TypeError: Key "rules": Key "nosuch"`,
	},
	"tsc": {
		config: map[string]string{"tsconfig.json": `{"compilerOptions":{"strict":true},"include":["src"]}`},
		clean:  map[string]string{"src/a.ts": "export const a: number = 1;\n"}, checked: 1, nothing: "no tsconfig.json",
		dirty:  map[string]string{"src/b.ts": "export const b: number = \"x\";\n"},
		want:   "error tsc/TS2322 src/b.ts:1:14 Type 'string' is not assignable to type 'number'.\n",
		broken: map[string]string{"src/b.ts": "export const b: number = \"x\";\n", "src/c.ts": "export const c = ;\n"}, code: exit.Refused, err: "tsc cannot analyse the code: src/c.ts:1:18",
	},
	"stylelint": {
		config: map[string]string{".stylelintrc.json": `{"rules":{"property-no-unknown":true}}`},
		clean:  map[string]string{"a.css": "a { color: red; }\n"}, checked: 1, nothing: "no style sheets",
		dirty:  map[string]string{"css/b.css": "a {\n  foo: 1;\n}\n"},
		want:   "error stylelint/property-no-unknown css/b.css:2:3 Unknown property \"foo\"\n",
		broken: map[string]string{".stylelintrc.json": `{"rules":`}, code: exit.Unable, err: "stylelint broke off with exit code",
	},
	"shellcheck": {
		clean: map[string]string{"a.sh": "#!/bin/sh\ntrue\n"}, checked: 1, nothing: "no shell scripts",
		dirty: map[string]string{"bin/run": "#!/usr/bin/env bash\necho $1\n", "bin/other": "#!/usr/bin/env python\n$1\n", "-x.sh": "#!/bin/sh\nfoo=1\n"},
		want: "warning shellcheck/SC2034 -x.sh:2:1 foo appears unused. Verify use (or export if used externally).\n" +
			"info shellcheck/SC2086 bin/run:2:6 Double quote to prevent globbing and word splitting.\n",
		notFound: true,
	},
	"yamllint": {
		clean: map[string]string{"a.yml": "---\na: 1\n"}, checked: 1, nothing: "no YAML files",
		dirty:  map[string]string{"b/c.yaml": "---\na: 1\na: 2\n"},
		want:   "error yamllint/key-duplicates b/c.yaml:3:1 duplication of key \"a\" in mapping\n",
		broken: map[string]string{".yamllint": "rules: {nosuch: enable}\n"}, code: exit.Invalid, err: `yamllint does not accept its configuration: invalid config: no such rule: "nosuch"`,
	},
	"hadolint": {
		clean: map[string]string{"Dockerfile": "FROM debian:12\n"}, checked: 1, nothing: "no Dockerfiles",
		dirty:  map[string]string{"web/Dockerfile.dev": "FROM debian\n"},
		want:   "warning hadolint/DL3006 web/Dockerfile.dev:1:1 Always tag the version of an image explicitly\n",
		broken: map[string]string{".hadolint.yaml": "ignored: [\n", "Dockerfile": "FROM debian\n"}, code: exit.Invalid, err: "hadolint does not accept its configuration",
	},
	"cfn-lint": {
		clean: map[string]string{"t.yaml": "AWSTemplateFormatVersion: \"2010-09-09\"\nResources:\n  B:\n    Type: AWS::S3::Bucket\n", "other.yaml": "a: 1\n"}, checked: 1, nothing: "no CloudFormation templates",
		dirty:  map[string]string{"infra/u.yaml": "Resources:\n  B:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketNam: x\n"},
		want:   "error cfn-lint/E3002 infra/u.yaml:5:7 Additional properties are not allowed ('BucketNam' was unexpected. Did you mean 'BucketName'?)\n",
		broken: map[string]string{".cfnlintrc": "nosuch: 1\n"}, code: exit.Invalid, err: "cfn-lint does not accept its configuration: Invalid configuration key 'nosuch'",
	},
}

func TestPresets(t *testing.T) {
	t.Parallel()
	for name, c := range tools {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := strings.TrimSuffix(name, "-format")
			path := installed(t, program)
			project := func(t *testing.T, more map[string]string) bench {
				files := map[string]string{"README": "text\n"}
				maps.Copy(files, c.config)
				maps.Copy(files, c.clean)
				maps.Copy(files, more)
				dir := clone(t, files)
				// What git does not track is not linted: the base would not have it.
				for file, text := range c.dirty {
					if len(more) == 0 {
						write(t, dir, map[string]string{filepath.Join("untracked", file): text})
					}
				}
				return at(t, dir, path)
			}
			t.Run("clean", func(t *testing.T) {
				b := project(t, nil)
				o, err := only(t, b.job.Dir, name, path).Run(t.Context(), b.job)
				if err != nil || len(o.Findings) > 0 || len(o.Checked) != c.checked || o.Peak == 0 {
					t.Errorf("findings:\n%schecked %q, peak %d, error %v, log:\n%s", told(o.Findings), o.Checked, o.Peak, err, b.log)
				}
			})
			t.Run("finding", func(t *testing.T) {
				b := project(t, c.dirty)
				o, err := only(t, b.job.Dir, name, path).Run(t.Context(), b.job)
				if err != nil || told(o.Findings) != c.want {
					t.Errorf("findings:\n%swant:\n%serror %v, log:\n%s", told(o.Findings), c.want, err, b.log)
				}
			})
			t.Run("broken", func(t *testing.T) {
				if c.notFound {
					t.Skip("nothing is known that keeps it from its work")
				}
				b := project(t, c.broken)
				o, err := only(t, b.job.Dir, name, path).Run(t.Context(), b.job)
				if err == nil || exit.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.err) || len(exit.HintsOf(err)) == 0 {
					t.Errorf("error %v (%v), want %v with %q; findings:\n%slog:\n%s", err, exit.CodeOf(err), c.code, c.err, told(o.Findings), b.log)
				}
			})
			t.Run("nothing", func(t *testing.T) {
				b := at(t, clone(t, map[string]string{"README": "text\n"}), path)
				o, err := only(t, b.job.Dir, name, path).Run(t.Context(), b.job)
				if err != nil || len(o.Skipped) != 1 || o.Skipped[0] != c.nothing || len(o.Checked) != 0 {
					t.Errorf("skipped %q, checked %q, error %v", o.Skipped, o.Checked, err)
				}
			})
		})
	}
}
