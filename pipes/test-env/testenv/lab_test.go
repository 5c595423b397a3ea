package testenv_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"bitbucket.org/fearless/pipes/pipes/test-env/testenv"
	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
	scheduled "bitbucket.org/fearless/pipes/shared/localcloud/scheduler"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/stack"
)

const (
	application = lab.Application
	domain      = "test.example.com"
)

// testingFile is testing's, on whose base the environments of these stories stand.
const testingFile = `
network:
  create: {cidr: 10.20.0.0/16}
balancer:
  create: {hosts: ["*.test.example.com"]}
roles:
  web: {http: {}}
`

// Commits by what their servers do.
const (
	good1  = "1111111111111111111111111111111111111111"
	good2  = "2222222222222222222222222222222222222222"
	good3  = "3333333333333333333333333333333333333333"
	broken = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" // as all that begin with b
	mute   = "dddddddddddddddddddddddddddddddddddddddd" // healthy, and answers users with an error
	twin   = "1111111122222222222222222222222222222222" // begins like good1
)

// tempo is quick: a server takes a second, its end two.
var tempo = lab.Tempo{Boot: time.Second, Timing: localcloud.Timing{
	Pending: time.Second, ImagePending: time.Second, Stopping: time.Second, Terminating: 2 * time.Second, HiddenReads: 1,
}}

// place is an account in which test environments are shown.
type place struct {
	*lab.Lab

	before    func(url.Values) // before a stack is created; nil: nothing happens then
	interrupt chan struct{}    // stops a run as a signal does; nil: nothing does
	cut       bool             // the runner has no way to the balancer

	mu    sync.Mutex
	told  []contract.UserData // what servers were told
	knows []string            // what the servers' boot agent has learned
}

// barePlace has images, and no testing.
func barePlace(t *testing.T) *place {
	t.Helper()
	l := &place{Lab: lab.New(t, tempo), knows: contract.Known()}
	l.Sick = l.sick
	l.Leaves = func(contract.UserData) (contract.State, string) {
		return contract.State{Ready: true, Knows: l.knows}, "web | hello\n"
	}
	l.Beside = func(r *http.Request) http.RoundTripper {
		if strings.HasSuffix(r.URL.Hostname(), "."+domain) {
			return visitors{l}
		}
		l.checkArmed(r)
		return nil
	}
	id := l.Bake(good1)
	for _, commit := range []string{good2, good3, broken, mute, twin} {
		l.index(commit, func(r *image.Record) { r.Image = id })
	}
	return l
}

// sick hears what a server is told, and whether it will fail.
func (l *place) sick(u contract.UserData) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, u)
	if strings.HasPrefix(u.Commit, "b") {
		return "web: /health answers 500: database is missing"
	}
	return ""
}

func newPlace(t *testing.T) *place {
	t.Helper()
	l := barePlace(t)
	l.base(testingFile)
	return l
}

// story plays in an account of its own, in simulated time.
func story(t *testing.T, play func(*testing.T, *place)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { play(t, newPlace(t)) })
}

// base brings testing's base to a file, as deploy-env would.
func (l *place) base(text string) {
	l.T.Helper()
	file, err := environment.Load("environments/testing.yml", application, []byte(text))
	if err != nil {
		l.T.Fatal(err)
	}
	template := file.Base()
	template.Set(environment.Boundary, environment.NoBoundary)
	body, err := template.JSON()
	if err != nil {
		l.T.Fatal(err)
	}
	l.make(stack.Proposal{
		Stack: file.BaseStack(), Body: string(body), Parameters: template.Values(), Tags: file.Tags(),
		Capabilities: []cfntypes.Capability{cfntypes.CapabilityCapabilityIam},
	})
}

// make makes a stack, or changes it, by the hand of somebody else.
func (l *place) make(p stack.Proposal) {
	l.T.Helper()
	ctx, api := l.T.Context(), l.Reach().CFN
	p.Name, p.Exists = "by-hand", l.Stack(p.Stack).Name != ""
	changed, err := stack.Propose(ctx, api, p)
	if err != nil {
		l.T.Fatal(err)
	}
	if err := stack.Execute(ctx, api, changed, ""); err != nil {
		l.T.Fatal(err)
	}
	final, _, err := stack.Follow(ctx, api, p.Stack, "", func(context.Context, *stack.Stack, []stack.Event) error { return nil })
	if err != nil || !final.Status.Good() {
		l.T.Fatal(err, final)
	}
	pass(time.Minute) // its clean-up
}

// trifle is the template of a stack that nobody pays for.
const trifle = `{"AWSTemplateFormatVersion":"2010-09-09","Resources":{"P":{"Type":"AWS::SSM::Parameter","Properties":{"Type":"String","Value":"1"}}}}`

// index makes an image answer for a commit.
func (l *place) index(commit string, change func(*image.Record)) {
	l.T.Helper()
	record := image.Record{
		Application: application, Commit: commit, Name: application, Architecture: "x86_64", Contract: contract.Version,
		Processes: []string{"release", "web", "worker", "scheduler"}, Created: time.Now(),
	}
	change(&record)
	index := image.Index{API: l.Reach().S3, Bucket: l.Cloud.Bucket()}
	if err := index.WriteCommit(l.T.Context(), record); err != nil {
		l.T.Fatal(err)
	}
}

// file writes environments/test.yml into the clone.
func (l *place) file(text string) {
	l.T.Helper()
	l.File("test", text)
}

// run runs the whole pipe.
func (l *place) run(plan fault.Plan, variables ...string) lab.Outcome {
	l.T.Helper()
	o := l.Run(pipe.Pipe[testenv.Settings]{Name: testenv.Name, Run: testenv.Run}.Main, l.interrupt, plan, variables...)
	return o.Within(l.T, role)
}

// create, and the other actions, on a commit.
func (l *place) create(commit string, variables ...string) lab.Outcome {
	return l.run(nil, append([]string{"COMMIT=" + commit}, variables...)...)
}

func (l *place) act(action, commit string, variables ...string) lab.Outcome {
	return l.create(commit, append([]string{"ACTION=" + action}, variables...)...)
}

// elsewhere is a clone of its own, as every step has one: two runs at the same time do not
// share their outputs.
func (l *place) elsewhere() string { return "BITBUCKET_CLONE_DIR=" + l.T.TempDir() }

// checkArmed makes sure that nothing is made of which the end is not arranged.
func (l *place) checkArmed(r *http.Request) {
	if r.Body == nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		return
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, _ := url.ParseQuery(string(body))
	if form.Get("Action") != "CreateStack" {
		return
	}
	if l.before != nil {
		l.before(form)
	}
	name := form.Get("StackName")
	if !slices.ContainsFunc(l.Cloud.Schedules(), func(s scheduled.Schedule) bool { return s.Name == name && s.Deletes.StackName == name && !s.Done }) {
		l.T.Errorf("stack %s is made before its end is scheduled", name)
	}
}

// visitors see test environments as the balancer shows them.
type visitors struct{ l *place }

// RoundTrip is one visit.
func (v visitors) RoundTrip(r *http.Request) (*http.Response, error) { return v.l.visit(r) }

// visit answers as the balancer does: the environment of the host name, when its server
// is healthy.
func (l *place) visit(r *http.Request) (*http.Response, error) {
	if l.cut {
		return nil, errors.New("no route to host")
	}
	code := http.StatusNotFound
	for _, s := range l.Cloud.Stacks() {
		if s.Outputs["Url"] != "http://"+r.URL.Host || s.Status == "DELETE_COMPLETE" {
			continue
		}
		code = http.StatusServiceUnavailable
		for _, target := range l.Cloud.Targets(s.Outputs["Targets"]) {
			if target.State == "healthy" && !strings.HasPrefix(s.Parameters["Commit"], "d") {
				code = http.StatusOK
			}
		}
	}
	return &http.Response{StatusCode: code, Proto: "HTTP/1.1", Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// pass lets simulated time pass.
func pass(d time.Duration) { time.Sleep(d) } //nolint:forbidigo // simulated

// shown are the test environments that there are, with their states.
func (l *place) shown() []string {
	all := []string{}
	for _, s := range l.Cloud.Stacks() {
		if strings.HasPrefix(s.Name, "test-") && s.Status != "DELETE_COMPLETE" {
			all = append(all, s.Name+" "+s.Status)
		}
	}
	slices.Sort(all)
	return all
}

// armed are the schedules that there are, with their times.
func (l *place) armed() []string {
	all := []string{}
	for _, s := range l.Cloud.Schedules() {
		all = append(all, s.Name+" "+s.At.UTC().Format("2 15:04"))
	}
	slices.Sort(all)
	return all
}

// servers are the running servers of test environments.
func (l *place) servers() (n int) {
	for _, i := range l.Cloud.Instances() {
		if i.State == "running" || i.State == "pending" {
			n++
		}
	}
	return n
}
