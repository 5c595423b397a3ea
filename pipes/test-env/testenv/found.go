package testenv

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// Tags of a test environment's stack, beside application and commit. CloudFormation
// gives them to everything in it.
const (
	TagKind    = "fearless:kind"
	TagBranch  = "fearless:branch"
	TagOwner   = "fearless:owner" // who started the pipeline
	TagExpires = image.TagExpires // when it was to end at first; its schedule knows better

	kindTest = "test" // the value of TagKind
)

// lifetime is how long an environment lives that does not say when it ends.
const lifetime = 24 * time.Hour

// Environment is a test environment that is there, in whatever state.
type Environment struct {
	Stack   *stack.Stack
	Commit  string
	Branch  string
	Owner   string
	URL     string
	Expires time.Time // by its tag
	Armed   time.Time // when its schedule ends it; zero: there is none, or it was not asked
}

// ends is when the time of an environment is over: when its schedule says, for that is
// what extending changes, or else when its tag does.
func (e Environment) ends() time.Time {
	if e.Armed.After(e.Expires) {
		return e.Armed
	}
	return e.Expires
}

// kept reports whether it failed and was kept, for somebody to look at.
func (e Environment) kept() bool { return e.Stack.Status == stack.CreateFailed }

// doomed says why an environment must go; empty: it may stay.
func (e Environment) doomed(now time.Time) string {
	status := e.Stack.Status
	switch {
	case status == stack.DeleteFailed || status == stack.DeleteInProgress:
		return "half deleted"
	case status.Dead() && !e.kept() || status == "ROLLBACK_IN_PROGRESS":
		return "it never came to life"
	case !now.Before(e.ends()):
		return "its time was over at " + e.ends().UTC().Format(time.RFC3339)
	}
	return ""
}

// ours recognises a test environment of the application, by its name and by its tags: one
// alone may be chance.
func ours(application string, s *stack.Stack) bool {
	return named(application, s.Name) && s.Tags[TagKind] == kindTest && s.Tags[environment.TagApplication] == application
}

func environmentOf(s *stack.Stack) Environment {
	e := Environment{
		Stack: s, Commit: s.Tags[environment.TagCommit], Branch: s.Tags[TagBranch], Owner: s.Tags[TagOwner],
		URL: s.Outputs[environment.OutputURL],
	}
	var err error
	if e.Expires, err = time.Parse(time.RFC3339, s.Tags[TagExpires]); err != nil {
		e.Expires = s.Changed.Add(lifetime)
	}
	return e
}

// environments are those of the application, the oldest first. Their schedules are not
// asked.
func (r *run) environments(ctx context.Context) ([]Environment, error) {
	all, err := stack.All(ctx, r.CFN)
	if err != nil {
		return nil, exit.Unablef("%w", err)
	}
	var found []Environment
	for _, s := range all {
		if ours(r.s.Application, s) {
			found = append(found, environmentOf(s))
		}
	}
	slices.SortFunc(found, func(a, b Environment) int {
		return cmp.Or(a.Stack.Changed.Compare(b.Stack.Changed), cmp.Compare(a.Stack.Name, b.Stack.Name))
	})
	return found, nil
}

// of finds the environment of a commit, by as much of its hash as there is.
func of(found []Environment, commit string) (*Environment, error) {
	var fits []Environment
	for _, e := range found {
		if strings.HasPrefix(e.Commit, commit) {
			fits = append(fits, e)
		}
	}
	switch len(fits) {
	case 0:
		return nil, nil
	case 1:
		return &fits[0], nil
	}
	return nil, exit.Invalidf("COMMIT: %s is the beginning of %d commits with a test environment: give more of the hash", commit, len(fits))
}

var untaggable = regexp.MustCompile(`[^\p{L}\p{N} _.:/=+@-]`)

// tagValue makes a text a value of a tag: branches may have characters that tags may not.
func tagValue(text string) string {
	runes := []rune(untaggable.ReplaceAllString(text, "_"))
	return strings.TrimSpace(string(runes[:min(len(runes), 256)]))
}

// tags are those of the stack of a new environment.
func (r *run) tags(commit string, expires time.Time) map[string]string {
	tags := map[string]string{
		TagKind: kindTest, environment.TagApplication: r.s.Application, environment.TagCommit: commit,
		TagBranch: tagValue(r.s.Branch), TagOwner: tagValue(strings.Trim(r.s.TriggererUUID, "{}")),
		image.TagPipeline: tagValue(r.s.PipelineURL()), TagExpires: expires.UTC().Format(time.RFC3339),
	}
	for key, value := range tags {
		if value == "" {
			delete(tags, key)
		}
	}
	return tags
}
