package rollout_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

const execute = "cloudformation:ExecuteChangeSet"

// nth puts a fault on the n-th call of an action.
func nth(action string, n int, f fault.Fault) fault.Plan {
	return func(c fault.Call) fault.Fault {
		if c.Is(action) {
			n--
			if n == 0 {
				return f
			}
		}
		return fault.None
	}
}

// shortStory plays where everything is quick.
func shortStory(t *testing.T, play func(*testing.T, *place)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { play(t, newPlaceAt(t, lab.Quick)) })
}

// until waits for a state of the servers stack.
func (l *place) until(status string) {
	l.T.Helper()
	for range 6000 {
		if l.Stack(serversStack).Status == status {
			return
		}
		time.Sleep(100 * time.Millisecond) //nolint:forbidigo // simulated
	}
	l.T.Fatalf("stack %s is %s, and will not be %s", serversStack, l.Stack(serversStack).Status, status)
}

// withoutRollback executes what a run has proposed, as somebody does who wants to look at
// what failed.
func (l *place) withoutRollback() {
	l.T.Helper()
	ctx, api, name := l.T.Context(), l.Reach().CFN, serversStack
	sets, err := api.ListChangeSets(ctx, &cloudformation.ListChangeSetsInput{StackName: &name})
	if err != nil {
		l.T.Fatal(err)
	}
	for _, c := range sets.Summaries {
		if c.ExecutionStatus != "AVAILABLE" {
			continue
		}
		if _, err := api.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: c.ChangeSetId, DisableRollback: aws.Bool(true)}); err != nil {
			l.T.Fatal(err)
		}
	}
}

// live makes an environment that runs the first commit.
func (l *place) live() { l.deploy(good1, nil).Expect(l.T, exit.Passed) }

// stuckRollback leads to a failed release whose rollback fails too, so many times.
func (l *place) stuckRollback(times int) {
	l.T.Helper()
	l.live()
	l.meanwhile(0, func() {
		for !starting(l) {
			time.Sleep(time.Second) //nolint:forbidigo // simulated
		}
		l.Cloud.RefuseUpdate("WebTemplate", "not now", times)
	}, broken).Expect(l.T, exit.Refused, "stack shop-staging is UPDATE_ROLLBACK_FAILED")
}

// claim lets a stack that is something else look, so many times, as if it were in a state
// that no run of ours leads to: nothing of ours ever imports resources. The first look of
// a run only asks whose the stack is.
func (l *place) claim(status string, times int) {
	looks := 0
	l.T.Cleanup(func() {
		if times > 0 {
			l.T.Errorf("nobody saw that the stack is %s", status)
		}
	})
	l.Wire = func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			body := bodyOf(r)
			answer, err := next.RoundTrip(r)
			if err != nil || times == 0 || !strings.Contains(body, "Action=DescribeStacks&") || !strings.Contains(body, "StackName="+serversStack+"&") {
				return answer, err
			}
			if looks++; looks == 1 {
				return answer, nil
			}
			content, err := io.ReadAll(answer.Body)
			if err != nil {
				return nil, err
			}
			times--
			real := "<StackStatus>" + l.Stack(serversStack).Status + "</StackStatus>"
			content = bytes.Replace(content, []byte(real), []byte("<StackStatus>"+status+"</StackStatus>"), 1)
			answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(content)), int64(len(content))
			return answer, answer.Body.Close()
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// bodyOf reads the body of a request and puts it back.
func bodyOf(r *http.Request) string {
	if r.Body == nil {
		return ""
	}
	content, _ := io.ReadAll(r.Body) // the SDK's bodies are in memory
	r.Body = io.NopCloser(bytes.NewReader(content))
	return string(content) + "&"
}

// found is a state in which a run may find the stack of the servers.
type found struct {
	state  string
	make   func(l *place)
	claim  int    // how often the state is only claimed, on a stack that is something else
	commit string // that is deployed then; good2 when empty
	code   exit.Code
	words  []string
	runs   []string // in the end; the commit's image when nil
}

// Every state of a stack, in the order of AWS's own list. IMPORT_* are claimed; all others
// are real: the local cloud is led there.
var states = []found{
	{state: "REVIEW_IN_PROGRESS", make: func(l *place) { l.deploy(good1, nth(execute, 2, fault.KilledBefore)) }, words: []string{"+ WebGroup"}},
	{state: "CREATE_IN_PROGRESS", commit: good1, make: func(l *place) { l.deploy(good1, nth(execute, 2, fault.KilledAfter)) },
		words: []string{"An update to the same image is under way already"}},
	{state: "CREATE_IN_PROGRESS", make: func(l *place) { l.deploy(good1, nth(execute, 2, fault.KilledAfter), "BITBUCKET_BUILD_NUMBER=41") },
		words: []string{"is busy (CREATE_IN_PROGRESS, started by pipeline 41)"}},
	{state: "UPDATE_IN_PROGRESS", make: func(l *place) { l.live(); l.deploy(good2, nth(execute, 1, fault.KilledAfter)) },
		words: []string{"An update to the same image is under way already"}},
	{state: "UPDATE_IN_PROGRESS", commit: good1, make: func(l *place) {
		l.live()
		l.deploy(good2, nth(execute, 1, fault.KilledAfter), "BITBUCKET_BUILD_NUMBER=41")
	},
		words: []string{"is busy (UPDATE_IN_PROGRESS, started by pipeline 41)"}},
	{state: "DELETE_IN_PROGRESS", make: func(l *place) {
		l.live()
		l.deploy(good1, nth("cloudformation:DeleteStack", 1, fault.KilledAfter), "ACTION=destroy")
	}, words: []string{"is busy (DELETE_IN_PROGRESS", "+ WebGroup"}},
	{state: "ROLLBACK_IN_PROGRESS", make: func(l *place) { l.deploy(broken, nth(execute, 2, fault.KilledAfter)); l.until("ROLLBACK_IN_PROGRESS") },
		words: []string{"is busy (ROLLBACK_IN_PROGRESS", "never came to life (ROLLBACK_COMPLETE)"}},
	{state: "UPDATE_ROLLBACK_IN_PROGRESS", make: func(l *place) {
		l.live()
		l.ail("scheduler") // the way back is quick but for that role
		l.deploy(good2, nth(execute, 1, fault.KilledAfter))
		l.until("UPDATE_ROLLBACK_IN_PROGRESS")
		l.ail("")
	}, words: []string{"is busy (UPDATE_ROLLBACK_IN_PROGRESS"}},
	{state: "IMPORT_IN_PROGRESS", make: (*place).live, claim: 2, words: []string{"is busy (IMPORT_IN_PROGRESS"}},
	{state: "IMPORT_ROLLBACK_IN_PROGRESS", make: (*place).live, claim: 2, words: []string{"is busy (IMPORT_ROLLBACK_IN_PROGRESS"}},
	{state: "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", make: func(l *place) {
		l.live()
		l.deploy(good2, nth(execute, 1, fault.KilledAfter))
		l.until("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
	}, words: []string{"An update to the same image is under way already", "End check"}},
	{state: "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", commit: good1, make: func(l *place) {
		l.live()
		l.deploy(good2, nth(execute, 1, fault.KilledAfter))
		l.until("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
	}, words: []string{"is busy (UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"}},
	{state: "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", make: func(l *place) {
		l.live()
		l.deploy(broken, nth(execute, 1, fault.KilledAfter))
		l.until("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
	}, words: []string{"is busy (UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"}},
	{state: "CREATE_COMPLETE", make: (*place).live},
	{state: "UPDATE_COMPLETE", make: func(l *place) { l.live(); l.deploy(good2, nil) }, commit: good1},
	{state: "IMPORT_COMPLETE", make: (*place).live, claim: 1},
	{state: "CREATE_FAILED", make: func(l *place) {
		l.deploy(broken, nth(execute, 2, fault.KilledBefore))
		l.withoutRollback()
		l.until("CREATE_FAILED")
	}, words: []string{"never came to life (CREATE_FAILED): removing it"}},
	{state: "ROLLBACK_COMPLETE", make: func(l *place) { l.deploy(broken, nil) }, words: []string{"never came to life (ROLLBACK_COMPLETE): removing it"}},
	{state: "ROLLBACK_FAILED", make: func(l *place) { l.Cloud.RefuseDelete("WorkerGroup", "not now", 1); l.deploy(broken, nil) },
		words: []string{"never came to life (ROLLBACK_FAILED): removing it"}},
	{state: "ROLLBACK_FAILED", make: func(l *place) { l.Cloud.RefuseDelete("WorkerGroup", "not now", 2); l.deploy(broken, nil) },
		code: exit.Unable, runs: []string{"shop-bbbbbbbbbbbb 1"},
		words: []string{"stack shop-staging cannot be removed (DELETE_FAILED: The following resource(s) failed to delete: [WorkerGroup]"}},
	{state: "UPDATE_FAILED", make: func(l *place) {
		l.live()
		l.deploy(broken, nth(execute, 1, fault.KilledBefore))
		l.withoutRollback()
		l.until("UPDATE_FAILED")
	}, code: exit.Unable, runs: []string{"shop-111111111111 4", "shop-bbbbbbbbbbbb 3"},
		words: []string{"stack shop-staging is UPDATE_FAILED: somebody has updated it with its rollback switched off", "aws cloudformation rollback-stack --stack-name shop-staging"}},
	{state: "UPDATE_ROLLBACK_COMPLETE", make: func(l *place) { l.live(); l.deploy(broken, nil) }},
	{state: "UPDATE_ROLLBACK_FAILED", make: func(l *place) { l.stuckRollback(1) },
		words: []string{"The last rollback of stack shop-staging failed", "continuing it"}},
	{state: "UPDATE_ROLLBACK_FAILED", make: func(l *place) { l.stuckRollback(2) },
		code: exit.Unable, runs: []string{"shop-111111111111 4", "shop-bbbbbbbbbbbb 3"},
		words: []string{"the rollback of stack shop-staging fails again: WebTemplate: not now", "mend what it names, then run the pipe again"}},
	{state: "DELETE_FAILED", make: func(l *place) {
		l.live()
		l.Cloud.RefuseDelete("WorkerGroup", "not now", 1)
		l.deploy(good1, nil, "ACTION=destroy").Expect(l.T, exit.Unable, "stack shop-staging could not be deleted")
	}, words: []string{"is half deleted (DELETE_FAILED): removing it and starting anew"}},
	{state: "DELETE_FAILED", make: func(l *place) {
		l.live()
		l.Cloud.RefuseDelete("WorkerGroup", "not now", 1)
		l.deploy(good1, nil, "ACTION=destroy")
		l.file("protected: true\n" + stagingFile)
	}, code: exit.Refused, runs: []string{"shop-111111111111 1"},
		words: []string{"stack shop-staging of a protected environment is half deleted", "by hand"}},
	{state: "", make: func(l *place) { l.live(); l.deploy(good1, nil, "ACTION=destroy").Expect(l.T, exit.Passed) }, words: []string{"+ WebGroup"}}, // DELETE_COMPLETE
	{state: "IMPORT_ROLLBACK_COMPLETE", make: (*place).live, claim: 1},
	{state: "IMPORT_ROLLBACK_FAILED", make: (*place).live, claim: 1},
}

// TestStatesOfTheStack lets a run find the stack in each of them. It ends well, or with
// one sentence that says what to do.
func TestStatesOfTheStack(t *testing.T) {
	for _, f := range states {
		t.Run(f.state, func(t *testing.T) { shortStory(t, f.play) })
	}
}

func (f found) play(t *testing.T, l *place) {
	f.make(l)
	if f.claim > 0 {
		l.claim(f.state, f.claim)
	} else if s := l.Stack(serversStack).Status; s != f.state {
		t.Errorf("the stack is %s", s)
	}
	commit := f.commit
	if commit == "" {
		commit = good2
	}
	words := f.words
	if f.code == exit.Passed {
		words = append(words, "staging runs image")
	}
	runs := f.runs
	if runs == nil {
		runs = []string{"shop-" + commit[:12] + " 4"}
	}
	l.deploy(commit, nil, "BITBUCKET_BUILD_NUMBER=42").Expect(t, f.code, words...)
	l.checkRunning("in the end", runs...)
}

// TestDestroyInAnyState: what cannot be mended can still be deleted, and what rests is not
// mended first.
func TestDestroyInAnyState(t *testing.T) {
	for _, f := range states {
		if f.claim > 0 || f.state == "" {
			continue
		}
		t.Run(f.state, func(t *testing.T) {
			shortStory(t, func(t *testing.T, l *place) {
				f.make(l)
				l.file(stagingFile)
				second := l.deploy(good2, nil, "ACTION=destroy")
				if second.Code != exit.Passed { // the one that is refused twice
					second.Expect(t, exit.Unable, "stack shop-staging could not be deleted: WorkerGroup: not now")
					l.deploy(good2, nil, "ACTION=destroy").Expect(t, exit.Passed)
				}
				l.checkRunning("in the end")
				for _, name := range []string{serversStack, baseStack} {
					if s := l.Stack(name); s.Name != "" {
						t.Errorf("stack %s is %s", name, s.Status)
					}
				}
			})
		})
	}
}
