package testenv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"bitbucket.org/fearless/pipes/pipes/test-env/testenv"
	"bitbucket.org/fearless/pipes/shared/bitbucket/fake"
	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	shared "bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud"
	cfn "bitbucket.org/fearless/pipes/shared/localcloud/cloudformation"
	"bitbucket.org/fearless/pipes/shared/localcloud/elb"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/simulated"
	scheduled "bitbucket.org/fearless/pipes/shared/localcloud/scheduler"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/stack"
)

const (
	application = "shop"
	region      = "us-east-1"
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

// lab is an account in simulated time whose servers do what the boot agent does, as far
// as CloudFormation can see it. Make it inside a synctest bubble.
type lab struct {
	t     *testing.T
	cloud *localcloud.Cloud
	clone string

	bitbucket *fake.Server     // nil: nobody calls it
	before    func(url.Values) // before a stack is created; nil: nothing happens then
	interrupt chan struct{}    // stops a run as a signal does; nil: nothing does
	cut       bool             // the runner has no way to the balancer

	mu    sync.Mutex
	up    map[string]bool              // instances that answer their health checks
	told  map[string]contract.UserData // what servers were told, by instance
	knows []string                     // what the servers' boot agent has learned
}

// bareLab is an account with images and without testing.
func bareLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, clone: t.TempDir(), up: map[string]bool{}, told: map[string]contract.UserData{}, knows: contract.Known()}
	var err error
	l.cloud, err = localcloud.New(localcloud.Options{
		Timing: localcloud.Timing{
			Pending: time.Second, ImagePending: time.Second, Stopping: time.Second, Terminating: 2 * time.Second, HiddenReads: 1,
		},
		Machines: simulated.New(l.guest), Endpoint: "http://cloud.local", Health: l.health,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	l.cloud.AddApplication(application)
	l.bakeAll(good1, good2, good3, broken, mute, twin)
	return l
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := bareLab(t)
	l.base(testingFile)
	return l
}

// story plays in an account of its own, in simulated time.
func story(t *testing.T, play func(*testing.T, *lab)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { play(t, newLab(t)) })
}

// clients are AWS as a program with this transport reaches it.
type clients struct {
	ec2 *ec2.Client
	s3  *s3.Client
	cfn *cloudformation.Client
	sch *scheduler.Client
}

func reach(transport http.RoundTripper) clients {
	config := aws.Config{
		Region: region, BaseEndpoint: aws.String("http://cloud.local"), HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("AKIALAB0000000000000", "a-secret-of-the-lab", ""),
	}
	return clients{
		ec2: ec2.NewFromConfig(config), cfn: cloudformation.NewFromConfig(config), sch: scheduler.NewFromConfig(config),
		s3: s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }),
	}
}

// base brings testing's base to a file, as deploy-env would.
func (l *lab) base(text string) {
	l.t.Helper()
	file, err := environment.Load("environments/testing.yml", application, []byte(text))
	if err != nil {
		l.t.Fatal(err)
	}
	template := file.Base()
	template.Set(environment.Boundary, environment.NoBoundary)
	body, err := template.JSON()
	if err != nil {
		l.t.Fatal(err)
	}
	l.make(stack.Proposal{
		Stack: file.BaseStack(), Body: string(body), Parameters: template.Values(), Tags: file.Tags(),
		Capabilities: []cfntypes.Capability{cfntypes.CapabilityCapabilityIam},
	})
}

// make makes a stack, or changes it, by the hand of somebody else.
func (l *lab) make(p stack.Proposal) {
	l.t.Helper()
	ctx, api := l.t.Context(), reach(l.cloud.Transport()).cfn
	p.Name, p.Exists = "by-hand", l.stack(p.Stack).Name != ""
	changed, err := stack.Propose(ctx, api, p)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := stack.Execute(ctx, api, changed, ""); err != nil {
		l.t.Fatal(err)
	}
	final, _, err := stack.Follow(ctx, api, p.Stack, "", func(context.Context, *stack.Stack, []stack.Event) error { return nil })
	if err != nil || !final.Status.Good() {
		l.t.Fatal(err, final)
	}
	pass(time.Minute) // its clean-up
}

// trifle is the template of a stack that nobody pays for.
const trifle = `{"AWSTemplateFormatVersion":"2010-09-09","Resources":{"P":{"Type":"AWS::SSM::Parameter","Properties":{"Type":"String","Value":"1"}}}}`

// bakeAll puts an image into the account that answers for the commits, as ami-bake would
// leave it.
func (l *lab) bakeAll(commits ...string) {
	l.t.Helper()
	ctx, api := l.t.Context(), reach(l.cloud.Transport())
	base := l.cloud.Parameter("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")
	subnet := l.cloud.Parameter(localcloud.SubnetParameter)
	ran, err := api.ec2.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: &base, InstanceType: types.InstanceTypeT3Small, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &subnet,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	id := *ran.Instances[0].InstanceId
	pass(20 * time.Second)
	if _, err := api.ec2.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}}); err != nil {
		l.t.Fatal(err)
	}
	pass(20 * time.Second)
	made, err := api.ec2.CreateImage(ctx, &ec2.CreateImageInput{InstanceId: &id, Name: aws.String(application)})
	if err != nil {
		l.t.Fatal(err)
	}
	pass(time.Minute)
	if _, err := api.ec2.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}}); err != nil {
		l.t.Fatal(err)
	}
	for _, commit := range commits {
		l.index(commit, func(r *image.Record) { r.Image = *made.ImageId })
	}
}

// index makes an image answer for a commit.
func (l *lab) index(commit string, change func(*image.Record)) {
	l.t.Helper()
	record := image.Record{
		Application: application, Commit: commit, Name: application, Architecture: "x86_64", Contract: contract.Version,
		Processes: []string{"release", "web", "worker", "scheduler"}, Created: time.Now(),
	}
	change(&record)
	index := image.Index{API: reach(l.cloud.Transport()).s3, Bucket: l.cloud.Bucket()}
	if err := index.WriteCommit(l.t.Context(), record); err != nil {
		l.t.Fatal(err)
	}
}

// file writes environments/test.yml into the clone.
func (l *lab) file(text string) {
	l.t.Helper()
	dir := filepath.Join(l.clone, "environments")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "test.yml"), []byte(text), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// outcome is one run of the pipe.
type outcome struct {
	code  exit.Code
	log   string
	calls []fault.Call
}

func (o outcome) expect(t *testing.T, code exit.Code, parts ...string) outcome {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code %d, want %d; the log:\n%s", o.code, code, o.log)
	}
	for _, part := range parts {
		if !strings.Contains(o.log, part) {
			t.Errorf("%q is not in the log:\n%s", part, o.log)
		}
	}
	return o
}

// run runs the whole pipe.
func (l *lab) run(plan fault.Plan, variables ...string) outcome {
	transport := &fault.Transport{Next: l.cloud.Transport(), Plan: plan}
	var log safeBuffer
	w := pipe.World{
		Environ: append([]string{
			"APPLICATION=" + application, "TIMEOUT=2h",
			"AWS_ENDPOINT_URL=http://cloud.local", "AWS_DEFAULT_REGION=" + region,
			"AWS_ACCESS_KEY_ID=AKIALAB0000000000000", "AWS_SECRET_ACCESS_KEY=a-secret-of-the-lab",
		}, variables...),
		Dir: l.clone, Out: &log, Interrupt: l.interrupt, Transport: net{l, transport},
	}
	code := pipe.Pipe[testenv.Settings]{Name: testenv.Name, Run: testenv.Run}.Main(w)
	l.checkRights(transport.Log())
	return outcome{code: exit.Code(code), log: log.String(), calls: transport.Log()}
}

// checkRights holds the calls of a run against the role of account.yml that it would have
// in a real account: the cloud itself lets everybody do everything.
func (l *lab) checkRights(calls []fault.Call) {
	l.t.Helper()
	const role = "fearless-" + application + "-test-env"
	allowed := shared.Rights(role)
	for _, action := range slices.Sorted(maps.Keys(shared.Actions(calls))) {
		if !slices.Contains(allowed, action) {
			l.t.Errorf("the pipe calls %s, and %s does not allow it", action, role)
		}
	}
}

// create, and the other actions, on a commit.
func (l *lab) create(commit string, variables ...string) outcome {
	return l.run(nil, append([]string{"COMMIT=" + commit}, variables...)...)
}

func (l *lab) act(action, commit string, variables ...string) outcome {
	return l.create(commit, append([]string{"ACTION=" + action}, variables...)...)
}

// elsewhere is a clone of its own, as every step has one: two runs at the same time do not
// share their outputs.
func (l *lab) elsewhere() string { return "BITBUCKET_CLONE_DIR=" + l.t.TempDir() }

// net leads calls to Bitbucket's API and to environments elsewhere than those to AWS.
type net struct {
	lab *lab
	aws http.RoundTripper
}

// RoundTrip is one call.
func (n net) RoundTrip(r *http.Request) (*http.Response, error) {
	switch host := r.URL.Hostname(); {
	case host == "api.bitbucket.org" && n.lab.bitbucket != nil:
		return n.lab.bitbucket.RoundTripper().RoundTrip(r)
	case strings.HasSuffix(host, "."+domain):
		return n.lab.visit(r)
	}
	n.lab.checkArmed(r)
	return n.aws.RoundTrip(r)
}

// checkArmed makes sure that nothing is made of which the end is not arranged.
func (l *lab) checkArmed(r *http.Request) {
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
	if !slices.ContainsFunc(l.cloud.Schedules(), func(s scheduled.Schedule) bool { return s.Name == name && s.Deletes.StackName == name && !s.Done }) {
		l.t.Errorf("stack %s is made before its end is scheduled", name)
	}
}

// visit answers as the balancer does: the environment of the host name, when its server
// is healthy.
func (l *lab) visit(r *http.Request) (*http.Response, error) {
	if l.cut {
		return nil, errors.New("no route to host")
	}
	code := http.StatusNotFound
	for _, s := range l.cloud.Stacks() {
		if s.Outputs["Url"] != "http://"+r.URL.Host || s.Status == "DELETE_COMPLETE" {
			continue
		}
		code = http.StatusServiceUnavailable
		for _, target := range l.cloud.Targets(s.Outputs["Targets"]) {
			if target.State == "healthy" && !strings.HasPrefix(s.Parameters["Commit"], "d") {
				code = http.StatusOK
			}
		}
	}
	return &http.Response{StatusCode: code, Proto: "HTTP/1.1", Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// safeBuffer takes lines from the pipe and its signal handler.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// guest is a server: it boots, becomes well or not, and says so to CloudFormation.
func (l *lab) guest(ctx context.Context, b machine.Boot) {
	u, err := contract.ParseUserData(b.UserData)
	if err != nil { // a server to make an image of
		<-ctx.Done()
		return
	}
	if !sleep(ctx, time.Second) {
		return
	}
	api := reach(b.Transport)
	l.mu.Lock()
	l.told[b.Instance] = u
	knows := l.knows
	l.mu.Unlock()
	if strings.HasPrefix(u.Commit, "b") {
		l.leave(ctx, api, u, b, contract.State{Reason: "web: /health answers 500: database is missing"}, "web | panic: no database\n")
		l.signal(ctx, api, u, b, cfntypes.ResourceSignalStatusFailure)
		<-ctx.Done()
		return
	}
	l.mu.Lock()
	l.up[b.Instance] = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.up, b.Instance)
		l.mu.Unlock()
	}()
	if !l.answered(ctx, u, b) {
		return
	}
	l.leave(ctx, api, u, b, contract.State{Ready: true, Knows: knows}, "web | hello\n")
	l.signal(ctx, api, u, b, cfntypes.ResourceSignalStatusSuccess)
	<-ctx.Done()
}

// answered waits until the balancer calls the server healthy.
func (l *lab) answered(ctx context.Context, u contract.UserData, b machine.Boot) bool {
	for _, group := range u.TargetGroups {
		for !slices.ContainsFunc(l.cloud.Targets(group), func(t elb.Target) bool { return t.Instance == b.Instance && t.State == "healthy" }) {
			if !sleep(ctx, time.Second) {
				return false
			}
		}
	}
	return true
}

// leave puts log and state into the bucket.
func (l *lab) leave(ctx context.Context, api clients, u contract.UserData, b machine.Boot, state contract.State, log string) {
	place, err := contract.ParsePlace(u.Logs)
	if err != nil {
		fmt.Fprintln(b.Console, err)
		return
	}
	text, _ := state.Marshal()
	for key, content := range map[string]string{place.Log(u.Role, b.Instance): log, place.State(u.Role, b.Instance): string(text)} {
		if _, err := api.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &place.Bucket, Key: &key, Body: strings.NewReader(content)}); err != nil {
			fmt.Fprintln(b.Console, err)
		}
	}
}

func (l *lab) signal(ctx context.Context, api clients, u contract.UserData, b machine.Boot, status cfntypes.ResourceSignalStatus) {
	_, err := api.cfn.SignalResource(ctx, &cloudformation.SignalResourceInput{
		StackName: &u.Stack, LogicalResourceId: &u.Resource, UniqueId: &b.Instance, Status: status,
	})
	if err != nil {
		fmt.Fprintln(b.Console, err)
	}
}

// health answers the balancer's checks for the servers.
func (l *lab) health(_ context.Context, c localcloud.Check) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.up[c.Instance] {
		return http.StatusOK, nil
	}
	return 0, fmt.Errorf("connection refused")
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// pass lets simulated time pass.
func pass(d time.Duration) { time.Sleep(d) } //nolint:forbidigo // simulated

// stack finds a stack that is not deleted; the zero value when there is none.
func (l *lab) stack(name string) cfn.Stack {
	for _, s := range l.cloud.Stacks() {
		if s.Name == name && s.Status != "DELETE_COMPLETE" {
			return s
		}
	}
	return cfn.Stack{}
}

// shown are the test environments that there are, with their states.
func (l *lab) shown() []string {
	all := []string{}
	for _, s := range l.cloud.Stacks() {
		if strings.HasPrefix(s.Name, "test-") && s.Status != "DELETE_COMPLETE" {
			all = append(all, s.Name+" "+s.Status)
		}
	}
	slices.Sort(all)
	return all
}

// armed are the schedules that there are, with their times.
func (l *lab) armed() []string {
	all := []string{}
	for _, s := range l.cloud.Schedules() {
		all = append(all, s.Name+" "+s.At.UTC().Format("2 15:04"))
	}
	slices.Sort(all)
	return all
}

// servers are the running servers of test environments.
func (l *lab) servers() (n int) {
	for _, i := range l.cloud.Instances() {
		if i.State == "running" || i.State == "pending" {
			n++
		}
	}
	return n
}
