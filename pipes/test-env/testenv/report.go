package testenv

import (
	"context"
	"fmt"
	"strings"

	"bitbucket.org/fearless/pipes/shared/bitbucket"
)

// tell opens the way to Bitbucket, for a commit.
func (r *run) tell(commit string) {
	r.reporter = bitbucket.NewReporter(r.s.Bitbucket, bitbucket.Options{
		Commit: commit, Transport: r.rt.World.Transport, Mask: r.rt.Console.Masker(),
	}, r.rt.Console)
}

// key is by which a later run finds its build status and its comment: a pull request has
// one comment, which leads to the environment of its newest commit.
func (r *run) key() string { return Name + "." + r.s.Application }

// begin says on the commit that its environment is on the way.
func (r *run) begin(ctx context.Context) {
	r.reporter.Status(ctx, bitbucket.Status{
		Key: r.key(), State: bitbucket.InProgress, Name: "Test environment of " + r.s.Application, Description: "being created",
	})
}

// report puts the address on the commit, and on the pull request when there is one.
func (r *run) report(ctx context.Context, result *Result, failure error) {
	status := bitbucket.Status{Key: r.key(), Name: "Test environment of " + r.s.Application}
	switch {
	case result == nil && failure == nil:
		return
	case failure != nil:
		status.State, status.Description = bitbucket.Failed, firstLine(failure)
	case result.Outcome == OutcomeDestroyed:
		status.State, status.Description = bitbucket.Stopped, "gone"
	default:
		status.State, status.URL = bitbucket.Successful, result.URL
		status.Description = "there " + r.until(*result.Expires)
	}
	r.reporter.Status(ctx, status)
	r.reporter.Comment(ctx, r.key(), r.markdown(result, failure))
}

// markdown is the text of the comment.
func (r *run) markdown(result *Result, failure error) string {
	var b strings.Builder
	commit := r.s.Commit
	if result != nil {
		commit = result.Commit
	}
	switch {
	case failure != nil:
		fmt.Fprintf(&b, "**Commit `%.12s` of %s cannot be shown**\n\n```\n%s\n```\n", commit, r.s.Application, failure)
	case result.Outcome == OutcomeDestroyed:
		fmt.Fprintf(&b, "The test environment of commit `%.12s` of %s is gone.\n", commit, r.s.Application)
	default:
		fmt.Fprintf(&b, "**Commit `%.12s` of %s is at %s**\n\nIt is there until %s. ", commit, r.s.Application, result.URL,
			result.Expires.In(r.s.zone()).Format("Mon 2 Jan 2006 15:04 MST"))
		b.WriteString("Running the pipe again gives it more time; with `ACTION: destroy` it goes at once.\n")
	}
	if r.s.BuildNumber > 0 {
		fmt.Fprintf(&b, "\nPipeline %d.\n", r.s.BuildNumber)
	}
	return b.String()
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
