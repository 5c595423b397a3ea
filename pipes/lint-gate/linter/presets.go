package linter

import (
	"regexp"
	"slices"
)

// oneOf are the exit codes of a run that did its work.
func oneOf(codes ...int) func(int) bool {
	return func(code int) bool { return slices.Contains(codes, code) }
}

// like are the files with one of these names.
func like(patterns ...string) func(*run) []string {
	return func(r *run) []string { return r.files.matching(patterns...) }
}

// presets are the linters known by name. Where a tool has grades of its own they
// stay what they are; where it only knows yes and no, what it finds is an error.
func presets() []preset { return slices.Concat(pythonPresets(), webPresets(), filePresets()) }

func pythonPresets() []preset {
	python := like("*.py", "*.pyi")
	return []preset{
		{
			name: "ruff", program: "ruff", what: "Python files", files: like("*.py", "*.pyi", "*.ipynb"),
			arguments: []string{"check", "--output-format", "json", "--no-fix", "."}, format: "ruff",
			found:         oneOf(0, 1),
			configuration: []string{"ruff.toml", ".ruff.toml", "pyproject.toml"},
			misconfigured: regexp.MustCompile(`Failed to (parse|load) .*(toml|configuration)|TOML parse error`),
			cache:         "RUFF_CACHE_DIR",
		},
		{
			name: "ruff-format", program: "ruff", what: "Python files", files: like("*.py", "*.pyi", "*.ipynb"),
			arguments: []string{"format", "--diff", "."}, format: "diff",
			found:         oneOf(0, 1),
			configuration: []string{"ruff.toml", ".ruff.toml", "pyproject.toml"},
			misconfigured: regexp.MustCompile(`Failed to (parse|load) .*(toml|configuration)|TOML parse error`),
			unreadable:    regexp.MustCompile(`error: Failed to parse`),
			cache:         "RUFF_CACHE_DIR",
		},
		{
			name: "black", program: "black", what: "Python files", files: python,
			arguments: []string{"--check", "--diff", "--quiet", "--no-color", "."}, format: "diff",
			found:         oneOf(0, 1),
			configuration: []string{"pyproject.toml"},
			misconfigured: regexp.MustCompile(`Error reading configuration|Invalid value for|Invalid config key`),
			unreadable:    regexp.MustCompile(`error: cannot (parse|format)`),
			cache:         "BLACK_CACHE_DIR",
		},
		{
			name: "mypy", program: "mypy", what: "Python files", files: python,
			special: runMypy, arguments: []string{"--output", "json", "--no-error-summary", "--no-pretty"}, format: "mypy",
			found:         oneOf(0, 1),
			configuration: []string{"mypy.ini", ".mypy.ini", "pyproject.toml", "setup.cfg"},
			misconfigured: regexp.MustCompile(`\[mypy[^\]]*\]: (Unrecognized|Invalid)|Unrecognized option|Error importing plugin`),
			cache:         "MYPY_CACHE_DIR",
		},
		{
			name: "flake8", program: "flake8", what: "Python files", files: python, named: true,
			arguments: []string{"--format=default", "--no-show-source", "--output-file={report}"}, format: "flake8",
			found:         oneOf(0, 1),
			configuration: []string{".flake8", "setup.cfg", "tox.ini"},
			misconfigured: regexp.MustCompile(`(?m)^(ValueError|flake8\.exceptions\.\w+|configparser\.\w+|There was a critical error)`),
		},
		{
			name: "pylint", program: "pylint", what: "Python files", files: like("*.py"), named: true,
			arguments: []string{"--output-format=json2:{report}", "--score=n", "--reports=n"}, format: "pylint",
			found:         func(code int) bool { return code < 32 }, // bits by kind of message; 32 is a wrong call
			configuration: []string{".pylintrc", "pylintrc", ".pylintrc.toml", "pylintrc.toml", "pyproject.toml", "setup.cfg", "tox.ini"},
			misconfigured: regexp.MustCompile(`config file .* (does not exist|cannot)|(?m)^pylint: error`),
			cache:         "PYLINTHOME",
		},
	}
}

func webPresets() []preset {
	return []preset{
		{
			name: "eslint", program: "eslint", what: "JavaScript or TypeScript files",
			files:     like("*.js", "*.mjs", "*.cjs", "*.jsx", "*.ts", "*.mts", "*.cts", "*.tsx", "*.vue", "*.svelte", "*.astro"),
			arguments: []string{"--format", "json", "--output-file", "{report}", "--no-error-on-unmatched-pattern", "--ignore-pattern", ".fearless/**", "."}, format: "eslint",
			found:         oneOf(0, 1),
			configuration: []string{"eslint.config.*", ".eslintrc*", ".eslintignore", "package.json"},
			misconfigured: regexp.MustCompile(`couldn't find an? (eslint|configuration)|Key "|Could not find config|Configuration for rule|configuration file|is invalid:`),
		},
		{
			name: "tsc", program: "tsc", what: "tsconfig.json", files: like("tsconfig.json"),
			special: runTSC, format: "tsc", found: oneOf(0, 1, 2),
			configuration: []string{"tsconfig*.json", "jsconfig*.json"},
		},
		{
			name: "stylelint", program: "stylelint", what: "style sheets", files: like("*.css", "*.scss", "*.sass", "*.less"), named: true,
			arguments: []string{"--formatter", "json", "--output-file", "{report}", "--allow-empty-input"}, format: "stylelint",
			found:         oneOf(0, 2),
			configuration: []string{".stylelintrc*", "stylelint.config.*", ".stylelintignore", "package.json"},
			misconfigured: regexp.MustCompile(`ConfigurationError|"text":"Unknown rule|Invalid option`),
		},
	}
}

func filePresets() []preset {
	return []preset{
		{
			name: "shellcheck", program: "shellcheck", what: "shell scripts", files: (*run).scripts, named: true,
			arguments: []string{"--format", "json1"}, format: "shellcheck",
			found:         oneOf(0, 1),
			configuration: []string{".shellcheckrc", "shellcheckrc"},
		},
		{
			name: "yamllint", program: "yamllint", what: "YAML files", files: like("*.yml", "*.yaml", ".yamllint"), named: true,
			arguments: []string{"--format", "parsable"}, format: "yamllint",
			found:         oneOf(0, 1, 2),
			configuration: []string{".yamllint", ".yamllint.yml", ".yamllint.yaml"},
			misconfigured: regexp.MustCompile(`invalid config`),
		},
		{
			name: "hadolint", program: "hadolint", what: "Dockerfiles", named: true,
			files:     like("Dockerfile", "Dockerfile.*", "*.Dockerfile", "*.dockerfile", "Containerfile", "Containerfile.*"),
			arguments: []string{"--format", "json"}, format: "hadolint",
			found:         oneOf(0, 1),
			configuration: []string{".hadolint.yaml", ".hadolint.yml"},
			misconfigured: regexp.MustCompile(`Error parsing your config file`),
		},
		{
			name: "cfn-lint", program: "cfn-lint", what: "CloudFormation templates", files: (*run).templates, named: true,
			arguments: []string{"--format", "json", "--"}, format: "cfn-lint",
			found:         func(code int) bool { return code < 16 && code&1 == 0 }, // 2 errors, 4 warnings, 8 notes, and sums of them
			configuration: []string{".cfnlintrc", ".cfnlintrc.yaml", ".cfnlintrc.yml"},
			misconfigured: regexp.MustCompile(`Invalid configuration key|Error parsing config|cfnlintrc`),
		},
	}
}
