package linter

import (
	"context"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/lint-gate/format"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// preset is what is known about a linter: how it is called so that it prints all
// it finds in a form to be read, whatever its configuration says about output,
// and what its exit codes mean.
type preset struct {
	name    string
	program string
	// what it lints, for people: "Python files".
	what string
	// files that it is for. Without any the linter does not run.
	files func(*run) []string
	// arguments, before the files where it takes them. "{report}" is replaced by a
	// path for the report, for tools that mix their output with other lines.
	arguments []string
	// named: the files are given as arguments. Other tools look for them in the
	// folder themselves, which respects what the project excludes.
	named  bool
	format string
	// found tells the exit codes of a run that did its work from the others.
	found func(code int) bool
	// configuration are the patterns of its configuration files.
	configuration []string
	// misconfigured recognises complaints about the configuration.
	misconfigured *regexp.Regexp
	// unreadable recognises code that it could not analyse, in which case it may
	// have overlooked all the rest.
	unreadable *regexp.Regexp
	// special replaces the usual way to run it.
	special func(*run, context.Context) error
	// cache is the variable that names its cache folder.
	cache string
}

// longestCall is how many bytes of file names one call is given; the kernel
// takes 2 MB together with the environment.
const longestCall = 512 << 10

func (r *run) runPreset(ctx context.Context) error {
	p := r.linter.preset
	names := p.files(r)
	if len(names) == 0 {
		r.skip("no " + p.what)
		return nil
	}
	if p.special != nil {
		return p.special(r, ctx)
	}
	r.outcome.Checked = names
	if !p.named {
		return r.call(ctx, nil)
	}
	for _, part := range parts(names, longestCall) {
		if err := r.call(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// parts cuts a list of names into calls.
func parts(names []string, limit int) [][]string {
	var all [][]string
	size := limit
	for _, name := range names {
		if strings.HasPrefix(name, "-") {
			name = "./" + name // no option
		}
		if size += len(name) + 1; size > limit {
			all, size = append(all, nil), len(name)+1
		}
		all[len(all)-1] = append(all[len(all)-1], name)
	}
	return all
}

// call runs the tool once, and reads what it found.
func (r *run) call(ctx context.Context, names []string) error {
	p := r.linter.preset
	arguments, report, err := r.arguments(p.arguments)
	if err != nil {
		return err
	}
	end, err := r.child(ctx, r.Dir, r.presetEnviron(), r.linter.program, append(arguments, names...)...)
	if err != nil {
		return err
	}
	if report == "" {
		report = end.stdout
	}
	return r.judge(end, report)
}

// judge tells findings from a tool that broke.
func (r *run) judge(end ended, report string) error {
	p := r.linter.preset
	text := r.words(end)
	switch {
	case p.misconfigured != nil && p.misconfigured.Match(end.stderr), !p.found(end.code) && p.misconfigured != nil && p.misconfigured.MatchString(text):
		return r.misconfigured(end)
	case p.unreadable != nil && p.unreadable.Match(end.stderr):
		return r.unreadable(end, report)
	case !p.found(end.code):
		return r.broke(end)
	}
	count, err := r.read(format.Must(p.format), report, r.Dir)
	if err != nil {
		if end.code != 0 && len(end.stderr) > 0 {
			return r.broke(end)
		}
		return err
	}
	if end.code != 0 && count == 0 {
		return r.broke(end)
	}
	r.say(end)
	return nil
}

// unreadable is the error for code that a tool could not analyse. Where it names
// the places in its report, they become the findings.
func (r *run) unreadable(end ended, report string) error {
	r.unread, r.outcome.Findings = true, nil
	_, _ = r.read(format.Must(r.linter.preset.format), report, r.Dir) // what it tells is a help, not a result
	text := telling(r.words(end))
	if len(r.outcome.Findings) > 0 {
		f := r.outcome.Findings[0]
		text = f.Place() + ": " + f.Message
	} else {
		r.Log.Output(r.label(), lastLines(r.words(end), shownLines))
	}
	return exit.Refusedf("%s cannot analyse the code: %s", r.label(), text).
		Hint("correct it, or exclude the file in the configuration of " + r.linter.Name)
}

// arguments fills in the place for the report.
func (r *run) arguments(given []string) (filled []string, report string, err error) {
	for _, a := range given {
		if strings.Contains(a, "{report}") {
			dir, err := r.scratch()
			if err != nil {
				return nil, "", err
			}
			r.reports++
			report = filepath.Join(dir, "report"+strconv.Itoa(r.reports))
			a = strings.ReplaceAll(a, "{report}", report)
		}
		filled = append(filled, a)
	}
	return filled, report, nil
}

// presetEnviron is the environment of a preset, with its cache where a later
// run finds it. The base has one of its own.
func (r *run) presetEnviron() []string {
	p := r.linter.preset
	extra := []string{"NO_COLOR=1", "PYTHONIOENCODING=utf-8"}
	if p.cache != "" && r.Cache != "" && value(r.Environ, p.cache) == "" {
		extra = append(extra, p.cache+"="+r.cacheFolder(p.program))
	}
	return r.environ(r.linter.program, extra...)
}

// cacheFolder is where a tool keeps what helps its next run.
func (r *run) cacheFolder(name string) string {
	if r.base() {
		name += "-base"
	}
	return filepath.Join(r.Cache, name)
}
