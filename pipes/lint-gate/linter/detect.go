package linter

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/lint-gate/format"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/settings"
)

// Names are the linters that can be called by their name.
func Names() []string {
	names := []string{Golangci}
	for _, p := range presets() {
		names = append(names, p.name)
	}
	slices.Sort(names)
	return names
}

// Detect turns the entries of LINTERS into linters; all that is wrong with them
// is reported together. Without an entry it is golangci-lint where there is a
// go.mod in the clone, and nothing elsewhere.
//
// A tool is taken from the project's own installation (.venv, node_modules)
// first, and else from where look finds it: exec.LookPath, for the PATH of the
// environment.
func Detect(dir string, names []string, look func(string) (string, error)) ([]Linter, error) {
	if len(names) == 0 && hasModule(dir) {
		names = []string{Golangci}
	}
	var linters []Linter
	var problems []string
	var hints []string
	for _, entry := range names {
		l, err := detect(dir, strings.TrimSpace(entry), look)
		if err == nil && slices.ContainsFunc(linters, func(other Linter) bool { return other.Name == l.Name }) {
			err = exit.Invalidf("%s is named twice", l.Name)
		}
		if err != nil {
			problems = append(problems, err.Error())
			for _, hint := range exit.HintsOf(err) {
				if !slices.Contains(hints, hint) {
					hints = append(hints, hint)
				}
			}
			continue
		}
		linters = append(linters, l)
	}
	if len(problems) > 0 {
		return nil, exit.Invalidf("LINTERS: %s", strings.Join(problems, "\nLINTERS: ")).Hint(hints...)
	}
	return linters, nil
}

func detect(dir, entry string, look func(string) (string, error)) (Linter, error) {
	if name, rest, ok := strings.Cut(entry, ":"); ok {
		return own(dir, strings.TrimSpace(name), strings.TrimSpace(rest), look)
	}
	if entry == Golangci {
		program, err := find(dir, Golangci, look)
		return Linter{Name: Golangci, program: program}, err
	}
	for _, p := range presets() {
		if p.name == entry {
			program, err := find(dir, p.program, look)
			return Linter{Name: entry, program: program, preset: &p}, err
		}
	}
	return Linter{}, exit.Invalidf("%q is no linter that is known by its name%s", entry, settings.DidYouMean(entry, Names())).
		Hint("known: "+strings.Join(Names(), ", "), "any other: a name of your own and its command, such as \"squawk: [gitlab] squawk --reporter gitlab db/1.sql\"")
}

var ownName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,40}$`)

// own reads "name: [format] command"; without a format, the usual lines.
func own(dir, name, rest string, look func(string) (string, error)) (Linter, error) {
	if !ownName.MatchString(name) {
		return Linter{}, exit.Invalidf("%q cannot be the name of a linter: letters, digits, dots and dashes", name)
	}
	c := &command{format: format.Lines}
	if inner, ok := strings.CutPrefix(rest, "["); ok {
		form, line, closed := strings.Cut(inner, "] ")
		if !closed {
			return Linter{}, exit.Invalidf("%s: the bracket around its format is not closed, or no command follows it", name).
				Hint("as in \"biome: [sarif] biome lint --reporter=sarif src\"")
		}
		f, err := format.Find(strings.TrimSpace(form))
		if err != nil {
			return Linter{}, exit.Invalidf("%s: %w", name, err)
		}
		c.format, rest = f, strings.TrimSpace(line)
	}
	argv, err := words(rest)
	if err != nil {
		return Linter{}, exit.Invalidf("%s: %w", name, err)
	}
	if len(argv) == 0 {
		return Linter{}, exit.Invalidf("%s has no command", name)
	}
	program, err := find(dir, argv[0], look)
	if err != nil {
		return Linter{}, exit.Invalidf("%s: %w", name, err)
	}
	c.arguments = argv[1:]
	return Linter{Name: name, program: program, command: c}, nil
}

// find is the absolute path of a program.
func find(dir, name string, look func(string) (string, error)) (string, error) {
	if strings.ContainsRune(name, filepath.Separator) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		if runnable(name) {
			return name, nil
		}
		return "", exit.Invalidf("%s is no program that can be run", name)
	}
	for _, folder := range []string{".venv/bin", "venv/bin", "node_modules/.bin"} {
		if candidate := filepath.Join(dir, folder, name); runnable(candidate) {
			return candidate, nil
		}
	}
	program, err := look(name)
	if err == nil {
		program, err = filepath.Abs(program)
	}
	if err != nil {
		return "", exit.Invalidf("%s was not found: neither on PATH nor in .venv, venv or node_modules of the clone", name).
			Hint("run lint-gate where it is installed: `ACTION: install` puts this program into .fearless/bin, for a step with an image of yours")
	}
	return program, nil
}

func runnable(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// hasModule looks for a go.mod anywhere in a folder.
func hasModule(dir string) bool {
	errFound := errors.New("found")
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil //nolint:nilerr // what cannot be read has no module to lint
		case entry.IsDir() && name != dir && outOfModules(entry.Name()):
			return fs.SkipDir
		case !entry.IsDir() && entry.Name() == "go.mod":
			return errFound
		}
		return nil
	})
	return errors.Is(err, errFound)
}
