package linter

import (
	"context"
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/lint-gate/format"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// runTSC checks each project: those of the topmost tsconfig.json files, and
// those they refer to. A tsconfig.json often is nothing but a list of others, of
// which the compiler itself would check none.
func runTSC(r *run, ctx context.Context) error {
	queue := topmost(r.linter.preset.files(r))
	seen := map[string]bool{}
	for len(queue) > 0 {
		project := queue[0]
		queue = queue[1:]
		if seen[project] {
			continue
		}
		seen[project] = true
		files, references, err := r.showConfig(ctx, project)
		if err != nil {
			return err
		}
		queue = append(queue, references...)
		if files == 0 && len(references) > 0 {
			continue
		}
		if err := r.checkProject(ctx, project); err != nil {
			return err
		}
		r.outcome.Checked = append(r.outcome.Checked, project)
	}
	for _, project := range r.linter.preset.files(r) {
		if !seen[project] {
			r.skip(project + ": no tsconfig.json above it refers to it")
		}
	}
	return nil
}

// topmost are the projects with no other one above them.
func topmost(projects []string) []string {
	return slices.DeleteFunc(slices.Clone(projects), func(name string) bool {
		for dir := path.Dir(name); dir != "."; {
			dir = path.Dir(dir)
			if slices.Contains(projects, path.Join(dir, "tsconfig.json")) {
				return true
			}
		}
		return false
	})
}

// showConfig asks the compiler for what a project consists of.
func (r *run) showConfig(ctx context.Context, project string) (files int, references []string, err error) {
	end, err := r.child(ctx, r.Dir, r.presetEnviron(), r.linter.program, "--showConfig", "--project", project)
	if err != nil {
		return 0, nil, err
	}
	if end.code != 0 {
		return 0, nil, r.misconfigured(end)
	}
	var config struct {
		Files      []string
		References []struct{ Path string }
	}
	data, err := os.ReadFile(end.stdout)
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	if err != nil {
		return 0, nil, exit.Unablef("tsc does not show the configuration of %s: %w", project, err)
	}
	for _, reference := range config.References {
		name := path.Join(path.Dir(project), filepath.ToSlash(reference.Path))
		if info, err := os.Stat(filepath.Join(r.Dir, name)); err == nil && info.IsDir() {
			name = path.Join(name, "tsconfig.json")
		}
		references = append(references, name)
	}
	return len(config.Files), references, nil
}

func (r *run) checkProject(ctx context.Context, project string) error {
	end, err := r.child(ctx, r.Dir, r.presetEnviron(), r.linter.program, "--noEmit", "--pretty", "false", "--project", project)
	if err != nil {
		return err
	}
	if !r.linter.preset.found(end.code) {
		return r.broke(end)
	}
	before := len(r.outcome.Findings)
	count, err := r.read(format.Must("tsc"), end.stdout, r.Dir)
	if err != nil {
		return err
	}
	if end.code != 0 && count == 0 {
		return r.broke(end)
	}
	r.say(end)
	return r.judgeProject(project, r.outcome.Findings[before:])
}

// judgeProject finds what made the compiler stop early: a project that is not
// configured as it can be, or code it cannot parse, in which case it does not
// look at types at all.
func (r *run) judgeProject(project string, found []finding.Finding) error {
	syntax := 0
	for _, f := range found {
		code, _ := strconv.Atoi(strings.TrimPrefix(f.Rule, "TS"))
		switch {
		case f.File == "", matches(path.Base(f.File), []string{"tsconfig*.json"}), code >= 6304 && code <= 6310:
			return exit.Invalidf("tsc cannot check %s: %s", project, strings.TrimSpace(f.Rule+" "+f.Message)).
				Hint("correct the configuration; projects that must be built in order need a command: \"types: tsc -b --pretty false\"")
		case code >= 1000 && code < 2000:
			syntax++
		}
	}
	if syntax > 0 && syntax == len(found) {
		r.unread, r.outcome.Findings = true, found
		return exit.Refusedf("%s cannot analyse the code: %s: %s", r.label(), found[0].Place(), found[0].Message).
			Hint("correct the syntax: until then no type is checked")
	}
	return nil
}
