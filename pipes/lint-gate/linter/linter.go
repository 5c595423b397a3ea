// Package linter runs linters over a clone and reads what they found.
//
// A linter that could not do its work is an error, never a clean result: exit
// codes, output and signals of each are told apart, and nothing of what a tool
// found is cut off by its default limits.
package linter

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// Golangci is the name of the linter that runs when none is named.
const Golangci = "golangci-lint"

// Linter is one tool over the part of a clone that is its own.
type Linter struct {
	// Name is how settings call it.
	Name string
	// program is the absolute path of the tool.
	program string
	preset  *preset
	command *command
}

// Job says where a linter runs.
type Job struct {
	// Dir is the absolute path of the clone, or of a worktree of its base.
	Dir string
	// Clone is the absolute path of the clone when Dir is a worktree of its base.
	// What is installed there is lent to Dir, and the linter's configuration is
	// taken from there, since a change to the rules is not a change to the code.
	// "" when Dir is the clone itself.
	Clone   string
	Environ []string
	// Cache is the absolute path of the folder for what tools keep between runs;
	// "" leaves that to them.
	Cache string
	// Memory is how many bytes a tool may use; 0 is what the container may.
	Memory int64
	Log    *console.Console
}

// Outcome is what a linter found.
type Outcome struct {
	// Findings are complete, sorted, with paths relative to Dir. When the code
	// could not be analysed, Run also returns an error, and these are the places
	// that kept it from that.
	Findings []finding.Finding
	// Checked are the modules or files, relative to Dir; Skipped is what was not
	// checked, with the reason.
	Checked []string
	Skipped []string
	Took    time.Duration
	Peak    int64 // bytes of memory, 0 when it is not known
}

// base tells whether a job is about the state before the change.
func (j Job) base() bool { return j.Clone != "" && j.Clone != j.Dir }

// Run runs the linter. The code of its error says whether the change (broken
// code), the configuration or the surroundings kept it from doing its work.
func (l Linter) Run(ctx context.Context, j Job) (Outcome, error) {
	started := time.Now()
	files, err := tracked(ctx, j)
	if err != nil {
		return Outcome{}, err
	}
	r := &run{Job: j, linter: l, files: files}
	defer func() { _ = os.RemoveAll(r.temporary) }() // nothing when it is "": no folder was made
	if j.base() {
		if err := r.lend(ctx); err != nil {
			return Outcome{}, err
		}
	}
	switch {
	case l.command != nil:
		err = r.runCommand(ctx)
	case l.Name == Golangci:
		err = r.runGolangci(ctx)
	default:
		err = r.runPreset(ctx)
	}
	if err != nil && !r.unread {
		r.outcome.Findings = nil // a part of the findings is no result
	}
	r.finish(err != nil)
	r.outcome.Took = time.Since(started)
	return r.outcome, err
}

// run is one linter at work on one job.
type run struct {
	Job
	linter  Linter
	files   files
	outcome Outcome

	outside, suppressed int
	unread              bool   // the findings are the places that kept the code from being analysed
	temporary           string // folder for files between tools and us
	reports             int    // how many reports have been asked for
}

func (r *run) skip(what string) { r.outcome.Skipped = append(r.outcome.Skipped, what) }

// finish brings the outcome into its final form. Places that kept the code from
// being analysed are kept wherever they are.
func (r *run) finish(failed bool) {
	o := &r.outcome
	if !failed {
		untracked := 0
		for i := range o.Findings {
			o.Findings[i].File = r.throughLinks(o.Findings[i].File)
		}
		o.Findings = slices.DeleteFunc(o.Findings, func(f finding.Finding) bool {
			foreign := f.File != "" && !r.files.has(f.File)
			if foreign {
				untracked++
			}
			return foreign
		})
		r.countSkipped(untracked, "in files that git does not track")
		r.countSkipped(r.outside, "outside the clone")
		r.countSkipped(r.suppressed, "that its report calls accepted")
		o.Findings = slices.DeleteFunc(o.Findings, func(f finding.Finding) bool { return r.files.lent[f.File] })
	}
	finding.Sort(o.Findings)
	o.Findings = slices.Compact(o.Findings) // the same file in two modules or projects
	slices.Sort(o.Checked)
	o.Checked = slices.Compact(o.Checked)
}

// throughLinks is the tracked file that a path leads to which git does not track
// itself, because one of its folders is a link; else the path as it is.
func (r *run) throughLinks(name string) string {
	if name == "" || r.files.has(name) {
		return name
	}
	top, err := filepath.EvalSymlinks(r.Dir)
	if err != nil {
		return name
	}
	real, err := filepath.EvalSymlinks(filepath.Join(r.Dir, filepath.FromSlash(name)))
	if err != nil {
		return name
	}
	if inside, err := filepath.Rel(top, real); err == nil && r.files.has(filepath.ToSlash(inside)) {
		return filepath.ToSlash(inside)
	}
	return name
}

func (r *run) countSkipped(n int, where string) {
	switch {
	case n == 1:
		r.skip("1 finding " + where)
	case n > 1:
		r.skip(strconv.Itoa(n) + " findings " + where)
	}
}

// label is the name for the log, which tells the two runs of a linter apart.
func (r *run) label() string {
	return cmp.Or(map[bool]string{true: r.linter.Name + " on the base"}[r.base()], r.linter.Name)
}
