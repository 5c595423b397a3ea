package bitbucket_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/bitbucket"
	"bitbucket.org/fearless/pipes/shared/bitbucket/fake"
	"bitbucket.org/fearless/pipes/shared/exit"
)

const label = "\n\n[//]: # (lint-gate)"

func TestComment(t *testing.T) {
	t.Parallel()
	server := fake.New(fake.Options{})
	for i := range 5 { // more than one page
		server.Say(fake.Comment{PullRequest: 12, Raw: fmt.Sprintf("comment %d", i), Foreign: true})
	}
	server.Say(fake.Comment{PullRequest: 12, Raw: "deleted" + label, Deleted: true})
	server.Say(fake.Comment{PullRequest: 12, Raw: "on a line" + label, Inline: true})
	server.Say(fake.Comment{PullRequest: 12, Raw: "> quoted" + label + "\n\nIndeed.", Foreign: true})
	server.Say(fake.Comment{PullRequest: 13, Raw: "of another pull request" + label})
	c := open(t, withToken(), server)
	for _, text := range []string{"1 finding\n", "1 finding", "**2** findings\x00"} {
		if err := c.Comment(t.Context(), 12, "lint-gate", text); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Comment(t.Context(), 12, "migration check", strings.Repeat("long\n", 20_000)); err != nil {
		t.Fatal(err)
	}
	if err := c.Comment(t.Context(), 12, "plan", "What would change:\n```\n"+strings.Repeat("+ resource\n", 5_000)+"```\n"); err != nil {
		t.Fatal(err)
	}
	satisfied(t, server)
	all := server.Comments()
	if len(all) != 12 {
		t.Fatalf("%+v", all)
	}
	want := fake.Comment{PullRequest: 12, ID: 10, Raw: "**2** findings" + label, Edits: 1} // saying the same is no edit
	if diff := cmp.Diff(want, all[9]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if last := all[11].Raw; len(last) > 32_000 || !strings.HasSuffix(last, "…\n```\n\n[//]: # (plan)") {
		t.Errorf("%d bytes, ending in %q", len(last), last[len(last)-50:])
	}
	if last := all[10].Raw; len(last) > 32_000 || !strings.HasSuffix(last, "…\n\n[//]: # (migration-check)") {
		t.Errorf("%d bytes, ending in %q", len(last), last[len(last)-50:])
	}
}

// TestCommentFails: each call of a comment fails in each way. There are never
// two comments, also when nobody knows whether one was made.
func TestCommentFails(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fake.Fault{
		"lost answer": {Done: true}, "lost answer, 502": {Done: true, Status: 502}, "broken": {}, "503": {Status: 503}, "429": {Status: 429}, "hangs": {Hang: true},
	} {
		for at := 1; at <= 4; at++ { // list, create; list, update
			synctest.Test(t, func(t *testing.T) {
				server := fake.New(fake.Options{Fault: func(c fake.Call) *fake.Fault {
					if c.Number == at {
						return &fault
					}
					return nil
				}})
				c := open(t, withToken(), server)
				for _, text := range []string{"first", "second"} {
					if err := c.Comment(t.Context(), 12, "lint-gate", text); err != nil {
						t.Errorf("%s at call %d: %v", name, at, err)
					}
				}
				if all := server.Comments(); len(all) != 1 || all[0].Raw != "second"+label {
					t.Errorf("%s at call %d: %+v", name, at, all)
				}
				satisfied(t, server)
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		server := fake.New(fake.Options{Fault: func(c fake.Call) *fake.Fault {
			if c.Method == "POST" {
				return &fake.Fault{Status: 500}
			}
			return nil
		}})
		if err := open(t, withToken(), server).Comment(t.Context(), 12, "lint-gate", "text"); err == nil || len(server.Calls()) != 8 {
			t.Errorf("%v after %q", err, server.Calls())
		}
	})
}

func TestCommentRefused(t *testing.T) {
	t.Parallel()
	server := fake.New(fake.Options{NoPullRequests: true})
	for name, c := range map[string]struct {
		settings    bitbucket.Settings
		pullRequest int
		err, hint   string
	}{
		"no token":        {inPipe(), 12, "need a token, and there is none", "set BITBUCKET_ACCESS_TOKEN"},
		"no pull request": {withToken(), 0, "no pull request", "BITBUCKET_PR_ID"},
		"no permission":   {withToken(), 12, "403", "BITBUCKET_ACCESS_TOKEN lacks the permission pull requests: write"},
	} {
		err := open(t, c.settings, server).Comment(t.Context(), c.pullRequest, "m", "text")
		if exit.CodeOf(err) != exit.Unable || err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(strings.Join(exit.HintsOf(err), ""), c.hint) {
			t.Errorf("%s: %v, %q", name, err, exit.HintsOf(err))
		}
	}
	if calls := server.Calls(); len(calls) != 1 {
		t.Errorf("%q", calls)
	}
}

// TestForeignPages: a page's next address leads nowhere but to the API.
func TestForeignPages(t *testing.T) {
	t.Parallel()
	server := fake.New(fake.Options{Fault: func(c fake.Call) *fake.Fault {
		if c.Number == 1 {
			return &fake.Fault{Status: 200, Body: `{"values": [], "next": "https://api.bitbucket.org.example.com/2.0/x"}`}
		}
		return nil
	}})
	if err := open(t, withToken(), server).Comment(t.Context(), 12, "m", "text"); err != nil {
		t.Error(err)
	}
	if calls := server.Calls(); len(calls) != 2 || !strings.HasPrefix(calls[1], "POST pullrequests/12/comments") {
		t.Errorf("%q", calls)
	}
}
