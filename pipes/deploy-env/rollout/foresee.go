package rollout

import (
	"context"
	"fmt"
	"io"
	"strings"

	"bitbucket.org/fearless/pipes/shared/bitbucket"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/outputs"
	"bitbucket.org/fearless/pipes/shared/release"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// preview is what a deploy would do, for those who read a pull request.
type preview struct {
	Environment string
	Application string
	Commit      string
	Image       string
	Pipeline    int // 0: none
	Stacks      []previewed
	Notes       []string // what else there is to know
}

// previewed is what would happen to one stack; without lines, nothing.
type previewed struct {
	Title string // Base or Servers
	Stack string
	Lines []string
}

// markdown is the text of the comment.
func (p preview) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "**A deploy of commit `%.12s` to %s of %s would change**\n", p.Commit, p.Environment, p.Application)
	for _, s := range p.Stacks {
		if len(s.Lines) == 0 {
			fmt.Fprintf(&b, "\n%s `%s`: nothing\n", s.Title, s.Stack)
			continue
		}
		fmt.Fprintf(&b, "\n%s `%s`:\n\n```\n%s\n```\n", s.Title, s.Stack, strings.Join(s.Lines, "\n"))
	}
	if len(p.Notes) > 0 {
		b.WriteString("\n")
	}
	for _, note := range p.Notes {
		fmt.Fprintf(&b, "- %s\n", note)
	}
	fmt.Fprintf(&b, "\nImage `%s`", p.Image)
	if p.Pipeline > 0 {
		fmt.Fprintf(&b, ", pipeline %d", p.Pipeline)
	}
	b.WriteString(". Nothing was changed for this preview.\n")
	return b.String()
}

// marker is by which a later preview of the same environment finds the comment, so that
// a pull request has one that is up to date instead of many.
func (p preview) marker() string {
	return Name + "." + p.Application + "." + p.Environment
}

// foresee notes what would happen to a stack.
func (d *deployer) foresee(title, name string, changes []stack.Change) {
	d.preview.Stacks = append(d.preview.Stacks, previewed{Title: title, Stack: name, Lines: release.Explain(changes)})
}

// remark says something that is worth knowing before a deploy, in the log and in the
// preview.
func (d *deployer) remark(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	d.rt.Console.Info("%s", text)
	d.preview.Notes = append(d.preview.Notes, text)
}

// previewResult ends a preview: its text goes to the pull request, when there is one, and
// into .fearless for those who have another use for it.
func (d *deployer) previewResult(ctx context.Context, record *image.Record, word string) (*Result, error) {
	p := d.preview
	p.Environment, p.Application = d.s.Environment, d.s.Application
	p.Commit, p.Image, p.Pipeline = record.Commit, record.Image, d.s.BuildNumber
	place := outputs.Place{Dir: d.rt.CloneDir()}
	name, err := place.File(d.s.Environment+".preview.md", 0o644, func(w io.Writer) error {
		_, err := io.WriteString(w, p.markdown())
		return err
	})
	if err != nil {
		return nil, exit.Unablef("the preview cannot be written: %w", err)
	}
	if d.s.Bitbucket.PullRequest > 0 {
		bitbucket.NewReporter(d.s.Bitbucket, bitbucket.Options{
			Commit: d.s.Commit, Transport: d.rt.World.Transport, Mask: d.rt.Console.Masker(),
		}, d.rt.Console).Comment(ctx, p.marker(), p.markdown())
	}
	d.rt.Console.Success("%s", word)
	result := d.result(record, OutcomePreviewed)
	result.Files = []string{name}
	return result, nil
}
