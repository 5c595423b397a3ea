package rollout_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// about recognises requests of an action of CloudFormation on the servers stack, or on a
// change set once one of that stack was asked for.
func about(action string) func(*http.Request) bool {
	var mu sync.Mutex // the ledger is read by several at a time
	proposed := false
	return func(r *http.Request) bool {
		form, err := url.ParseQuery(bodyOf(r))
		if err != nil {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		name := form.Get("StackName")
		ours := name == serversStack || strings.Contains(name, ":stack/"+serversStack+"/") || name == "" && proposed
		proposed = proposed || ours && form.Get("Action") == "CreateChangeSet"
		return ours && form.Get("Action") == action
	}
}

// first lets something happen just before the first such call arrives.
func (l *place) first(action string, happen func()) {
	var once sync.Once
	is := about(action)
	l.Wire = func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if is(r) {
				once.Do(func() {
					wire := l.Wire
					l.Wire = nil // what happens is not disturbed
					happen()
					l.Wire = wire
				})
			}
			return next.RoundTrip(r)
		})
	}
}

// answer gives an error to such calls, so many times: one that the local cloud does not
// give, or not to these calls.
func (l *place) answer(action string, times int, code, message string) {
	is := about(action)
	l.Wire = func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if !is(r) || times == 0 {
				return next.RoundTrip(r)
			}
			times--
			body := fmt.Sprintf("<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>1</RequestId></ErrorResponse>", code, message)
			return &http.Response{
				StatusCode: http.StatusBadRequest, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
				Header: http.Header{"Content-Type": {"text/xml"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
			}, nil
		})
	}
}

// rival is another pipeline that starts a release, which fails in the end.
func (l *place) rival() {
	l.deploy(broken, nth(execute, 1, fault.KilledAfter), "BITBUCKET_BUILD_NUMBER=7")
}

// conflict is an answer of CloudFormation that says no, on the way from the first commit
// to the second.
type conflict struct {
	name  string
	meet  func(l *place) // after the first commit is live
	code  exit.Code
	words []string
	never string // what must not be in the log

	outage bool // somebody else takes the servers away
}

const gaveWay = "Somebody else changes staging at this moment"

// Each situation and error code of CloudFormation's that a release can meet, by its code.
// The first ones are real: a rival does something between two calls. Of the codes that the
// pipe cannot cause, the words are AWS's. CancelUpdateStack is not called, so its refusal
// is not met.
var conflicts = []conflict{
	{name: "ValidationError: busy, when it is proposed", meet: func(l *place) { l.first("CreateChangeSet", l.rival) },
		words: []string{gaveWay, "is in UPDATE_IN_PROGRESS state and can not be updated", "started by pipeline 7"}},
	{name: "ValidationError: the same release by somebody else", meet: func(l *place) {
		l.first("CreateChangeSet", func() { l.deploy(good2, nth(execute, 1, fault.KilledAfter), "BITBUCKET_BUILD_NUMBER=7") })
	}, words: []string{gaveWay, "An update to the same image is under way already, started by pipeline 7: following it"}},
	// Neither the groups that the rival makes nor those that it replaces are left over.
	{name: "an update begins between two looks", meet: func(l *place) {
		l.first("ListStackResources", func() {
			before := l.Stack(serversStack).Resources["WorkerGroup"].Physical
			l.rival()
			l.When("the rival has new workers", func() bool { return l.Stack(serversStack).Resources["WorkerGroup"].Physical != before })
		})
	}, words: []string{gaveWay, "started by pipeline 7"}, never: "left old servers behind"},
	{name: "ChangeSetNotFound: while it is worked out", meet: func(l *place) { l.first("DescribeChangeSet", l.rival) },
		words: []string{gaveWay, "ChangeSetNotFound", "started by pipeline 7"}},
	{name: "ChangeSetNotFound: when it is executed", meet: func(l *place) { l.first("ExecuteChangeSet", l.rival) },
		words: []string{gaveWay, "ChangeSetNotFound", "started by pipeline 7"}},
	{name: "InvalidChangeSetStatus", meet: func(l *place) { l.first("ExecuteChangeSet", l.executeAll) },
		words: []string{gaveWay, "InvalidChangeSetStatus", "is busy (UPDATE_IN_PROGRESS)"}},
	{name: "ValidationError: stack missing", meet: func(l *place) {
		l.first("CreateChangeSet", func() {
			name := serversStack
			if _, err := l.Reach().CFN.DeleteStack(l.T.Context(), &cloudformation.DeleteStackInput{StackName: &name}); err != nil {
				l.T.Error(err)
			}
			l.until("")
		})
	}, words: []string{gaveWay, "Stack [shop-staging] does not exist", "+ WebGroup"}, outage: true},
	{name: "AlreadyExistsException", meet: func(l *place) { l.deploy(good2, nth(execute, 1, fault.KilledBefore), "BITBUCKET_BUILD_NUMBER=42") }, never: gaveWay},
	{name: "ValidationError: ROLLBACK_COMPLETE", meet: func(l *place) {
		l.answer("CreateChangeSet", 1, "ValidationError", "Stack:arn:aws:cloudformation:us-east-1:111122223333:stack/shop-staging/1 is in ROLLBACK_COMPLETE state and can not be updated.")
	}, words: []string{gaveWay}},
	// The stack is looked at twice before anything is done: at first only to say what will happen.
	{name: "ValidationError: another one takes its rollback up", meet: func(l *place) { l.claim("UPDATE_ROLLBACK_FAILED", 2) },
		words: []string{"continuing it", gaveWay, "state and can not continue update rollback"}},
	{name: "ValidationError: busy for ever", meet: func(l *place) {
		l.answer("CreateChangeSet", 100, "ValidationError", "Stack:arn:aws:cloudformation:us-east-1:111122223333:stack/shop-staging/1 is in UPDATE_IN_PROGRESS state and can not be updated.")
	}, code: exit.Unable, words: []string{gaveWay, "✖ a change set for stack shop-staging cannot be made"}},
	{name: "ValidationError: the template", meet: func(l *place) {
		l.answer("CreateChangeSet", 100, "ValidationError", "Template format error: Unresolved resource dependencies [Nobody] in the Resources block of the template")
	}, code: exit.Unable, words: []string{"✖ a change set for stack shop-staging cannot be made", "Unresolved resource dependencies"}, never: gaveWay},
	{name: "InsufficientCapabilitiesException", meet: func(l *place) {
		l.answer("CreateChangeSet", 100, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]")
	}, code: exit.Unable, words: []string{"✖ a change set for stack shop-staging cannot be made", "CAPABILITY_IAM"}, never: gaveWay},
	{name: "LimitExceededException", meet: func(l *place) {
		l.answer("CreateChangeSet", 100, "LimitExceededException", "ChangeSet limit exceeded for stack shop-staging")
	}, code: exit.Unable, words: []string{"✖ a change set for stack shop-staging cannot be made", "limit exceeded"}, never: gaveWay},
	{name: "TokenAlreadyExistsException", meet: func(l *place) {
		l.answer("ExecuteChangeSet", 100, "TokenAlreadyExistsException", "A client request token already exists")
	}, code: exit.Unable, words: []string{"✖ the change of stack shop-staging cannot be started", "TokenAlreadyExistsException"}, never: gaveWay},
	{name: "Throttling: for a while", meet: func(l *place) { l.answer("CreateChangeSet", fault.Patience-1, "Throttling", "Rate exceeded") }, never: gaveWay},
	{name: "Throttling: for ever", meet: func(l *place) { l.answer("CreateChangeSet", 100, "Throttling", "Rate exceeded") },
		code: exit.Unable, words: []string{"✖ a change set for stack shop-staging cannot be made", "Rate exceeded"}, never: gaveWay},
}

// executeAll executes whatever is proposed, as a person in the console might.
func (l *place) executeAll() {
	ctx, api, name := l.T.Context(), l.Reach().CFN, serversStack
	sets, err := api.ListChangeSets(ctx, &cloudformation.ListChangeSetsInput{StackName: &name})
	if err != nil {
		l.T.Error(err)
		return
	}
	for _, c := range sets.Summaries {
		if c.ExecutionStatus == "AVAILABLE" {
			if _, err := api.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: c.ChangeSetId, DisableRollback: aws.Bool(false)}); err != nil {
				l.T.Error(err)
			}
		}
	}
}

// TestConflicts lets a release meet each of them. What a look at the stack can settle is
// settled; the rest is one sentence, the old servers serve, and the next run works.
func TestConflicts(t *testing.T) {
	for _, c := range conflicts {
		t.Run(c.name, func(t *testing.T) { shortStory(t, c.play) })
	}
}

func (c conflict) play(t *testing.T, l *place) {
	l.live()
	stop := func() map[string]int { return nil }
	if !c.outage {
		stop = l.Guard(serversStack)
	}
	c.meet(l)
	words := c.words
	if c.code == exit.Passed {
		words = append(words, "staging runs image")
	}
	o := l.deploy(good2, nil, "BITBUCKET_BUILD_NUMBER=42", "DEBUG=true").Expect(t, c.code, words...)
	if c.never != "" && strings.Contains(o.Log, c.never) {
		t.Errorf("%q is in the log:\n%s", c.never, o.Log)
	}
	if c.code != exit.Passed {
		l.checkRunning("after it", "shop-111111111111 4")
		l.Wire = nil
		l.deploy(good2, nil, "BITBUCKET_BUILD_NUMBER=43").Expect(t, exit.Passed, "staging runs image")
	}
	stop()
	l.checkRunning("in the end", "shop-222222222222 4")
}

// TestProtectedStackIsNotDestroyed: somebody has protected it in the console.
func TestProtectedStackIsNotDestroyed(t *testing.T) {
	shortStory(t, func(t *testing.T, l *place) {
		l.live()
		name := serversStack
		if _, err := l.Reach().CFN.UpdateTerminationProtection(t.Context(), &cloudformation.UpdateTerminationProtectionInput{
			StackName: &name, EnableTerminationProtection: aws.Bool(true),
		}); err != nil {
			t.Fatal(err)
		}
		l.deploy(good1, nil, "ACTION=destroy").Expect(t, exit.Unable, "stack shop-staging cannot be deleted", "TerminationProtection is enabled")
		l.checkRunning("after it", "shop-111111111111 4")
	})
}

// TestFirstDeploysAtOnce: two pipelines make the same environment, one a little later than
// the other. Neither takes away what the other makes.
func TestFirstDeploysAtOnce(t *testing.T) {
	for _, later := range []time.Duration{0, time.Second, 3 * time.Second, 10 * time.Second} {
		for name, commit := range map[string]string{"same": good1, "other": good2} {
			t.Run(fmt.Sprintf("%s commit after %s", name, later), func(t *testing.T) {
				shortStory(t, func(t *testing.T, l *place) {
					var both sync.WaitGroup
					var first, second lab.Outcome
					both.Go(func() { first = l.deploy(good1, nil, "BITBUCKET_BUILD_NUMBER=41") })
					both.Go(func() {
						time.Sleep(later) //nolint:forbidigo // simulated
						second = l.deploy(commit, nil, "BITBUCKET_BUILD_NUMBER=42")
					})
					both.Wait()
					first.Expect(t, exit.Passed)
					second.Expect(t, exit.Passed)
					if running := l.Running(); len(running) != 1 || !strings.HasSuffix(running[0], " 4") {
						t.Errorf("running: %v", running)
					}
				})
			})
		}
	}
}
