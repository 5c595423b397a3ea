package rollout_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/pipes/deploy-env/rollout"
	"bitbucket.org/fearless/pipes/shared/bitbucket/fake"
	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/elb"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/simulated"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

const (
	application = "shop"
	region      = "us-east-1"
)

// stagingFile is the environment of these stories.
const stagingFile = `
network:
  create: {cidr: 10.20.0.0/16}
balancer:
  create: {hosts: [staging.example.com]}
soak: 2m
roles:
  web: {instance: t3.small, min: 2, max: 4, http: {health: /health}}
  worker: {instance: t3.small}
  scheduler: {instance: t3.small, exactly: 1}
`

// Commits by what their servers do.
const (
	good1   = "1111111111111111111111111111111111111111"
	good2   = "2222222222222222222222222222222222222222"
	broken  = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	badMove = "cccccccccccccccccccccccccccccccccccccccc" // its release process fails
)

// lab is an account in simulated time whose servers do what the boot agent does, as far
// as CloudFormation can see it. Make it inside a synctest bubble.
type lab struct {
	t     *testing.T
	cloud *localcloud.Cloud
	clone string

	boot time.Duration                             // from power-on to the first answer
	wire func(http.RoundTripper) http.RoundTripper // stands between the pipe and the cloud; nil: nothing does

	bitbucket *fake.Server // nil: nobody calls it
	origin    http.Handler // the git server; nil: there is none

	mu   sync.Mutex
	up   map[string]bool   // instances that answer their health checks
	role map[string]string // of every instance that ever booted
	sick string            // the role whose servers fail, whatever their image
}

// tempo is how fast an account and its servers are.
type tempo struct {
	timing localcloud.Timing
	boot   time.Duration
}

// Tempos: as slow as servers are, and so quick that a story fits into few calls.
var (
	usual = tempo{boot: 15 * time.Second, timing: localcloud.Timing{
		Pending: 5 * time.Second, ImagePending: 10 * time.Second, Stopping: 3 * time.Second, Terminating: 5 * time.Second, HiddenReads: 1,
	}}
	quick = tempo{boot: time.Second, timing: localcloud.Timing{
		Pending: time.Second, ImagePending: time.Second, Stopping: time.Second, Terminating: time.Second, HiddenReads: 1,
	}}
)

func newLab(t *testing.T) *lab {
	t.Helper()
	return newLabAt(t, usual)
}

func newLabAt(t *testing.T, at tempo) *lab {
	t.Helper()
	l := bareLab(t, at)
	l.cloud.AddApplication(application)
	return l
}

// bareLab is an account in which account.yml made nothing for the application.
func bareLab(t *testing.T, at tempo) *lab {
	t.Helper()
	l := &lab{t: t, clone: t.TempDir(), boot: at.boot, up: map[string]bool{}, role: map[string]string{}}
	l.file(stagingFile)
	var err error
	l.cloud, err = localcloud.New(localcloud.Options{
		Timing: at.timing, Machines: simulated.New(l.guest), Endpoint: "http://cloud.local", Health: l.health,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	l.drain()
	for _, commit := range []string{good1, good2, broken, badMove} {
		l.bake(commit)
	}
	return l
}

// file writes the environment file into the clone.
func (l *lab) file(text string) {
	l.t.Helper()
	dir := filepath.Join(l.clone, "environments")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "staging.yml"), []byte(text), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// clients are AWS as a program with this transport reaches it.
type clients struct {
	ec2 *ec2.Client
	s3  *s3.Client
	cfn *cloudformation.Client
	asg *autoscaling.Client
}

func reach(transport http.RoundTripper) clients {
	config := aws.Config{
		Region: region, BaseEndpoint: aws.String("http://cloud.local"), HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("AKIALAB0000000000000", "a-secret-of-the-lab", ""),
	}
	return clients{
		ec2: ec2.NewFromConfig(config), cfn: cloudformation.NewFromConfig(config),
		asg: autoscaling.NewFromConfig(config),
		s3:  s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }),
	}
}

// bake puts an image of a commit into the account, as ami-bake would leave it.
func (l *lab) bake(commit string) {
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
	time.Sleep(20 * time.Second) //nolint:forbidigo // simulated
	if _, err := api.ec2.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}}); err != nil {
		l.t.Fatal(err)
	}
	time.Sleep(20 * time.Second) //nolint:forbidigo // simulated
	made, err := api.ec2.CreateImage(ctx, &ec2.CreateImageInput{InstanceId: &id, Name: aws.String(application + "-" + commit[:12])})
	if err != nil {
		l.t.Fatal(err)
	}
	time.Sleep(time.Minute) //nolint:forbidigo // simulated
	if _, err := api.ec2.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}}); err != nil {
		l.t.Fatal(err)
	}
	index := image.Index{API: api.s3, Bucket: l.cloud.Bucket()}
	if err := index.WriteCommit(ctx, image.Record{
		Application: application, Commit: commit, Image: *made.ImageId, Name: application + "-" + commit[:12], Architecture: "x86_64",
		Contract: contract.Version, Processes: []string{"release", "web", "worker", "scheduler"}, Created: time.Now(),
	}); err != nil {
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

// deploy runs the whole pipe for a commit.
func (l *lab) deploy(commit string, plan fault.Plan, variables ...string) outcome {
	return l.deployUntil(nil, commit, plan, variables...)
}

func (l *lab) deployUntil(interrupt <-chan struct{}, commit string, plan fault.Plan, variables ...string) outcome {
	transport := &fault.Transport{Next: l.cloud.Transport(), Plan: plan}
	if l.wire != nil {
		transport.Next = l.wire(transport.Next)
	}
	var log safeBuffer
	w := pipe.World{
		Environ: append([]string{
			"APPLICATION=" + application, "ENVIRONMENT=staging", "COMMIT=" + commit, "TIMEOUT=2h",
			"AWS_ENDPOINT_URL=http://cloud.local", "AWS_DEFAULT_REGION=" + region,
			"AWS_ACCESS_KEY_ID=AKIALAB0000000000000", "AWS_SECRET_ACCESS_KEY=a-secret-of-the-lab",
		}, variables...),
		Dir: l.clone, Out: &log, Interrupt: interrupt, Transport: beside{transport, l.bitbucket, l.origin},
	}
	code := pipe.Pipe[rollout.Settings]{Name: rollout.Name, Run: rollout.Run}.Main(w)
	l.checkRights(transport.Log(), variables)
	return outcome{code: exit.Code(code), log: log.String(), calls: transport.Log()}
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
	if !sleep(ctx, l.boot) {
		return
	}
	api := reach(b.Transport)
	release := u.Release
	if u.Commit == broken && u.Role == "web" || u.Commit == badMove && release || l.isSick(u.Role) {
		l.fail(ctx, api, u, b)
		<-ctx.Done()
		return
	}
	l.mu.Lock()
	l.up[b.Instance], l.role[b.Instance] = true, u.Role
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.up, b.Instance)
		l.mu.Unlock()
	}()
	if !sleep(ctx, l.boot) || !l.answered(ctx, u, b) {
		return
	}
	l.signal(ctx, api, u, b, cfntypes.ResourceSignalStatusSuccess)
	if !release {
		<-ctx.Done()
	}
}

func (l *lab) isSick(role string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sick == role
}

// ail makes all new servers of a role fail; of none: "".
func (l *lab) ail(role string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sick = role
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

// fail leaves the reason and the log in the bucket before it says that it failed.
func (l *lab) fail(ctx context.Context, api clients, u contract.UserData, b machine.Boot) {
	place, err := contract.ParsePlace(u.Logs)
	if err != nil {
		fmt.Fprintln(b.Console, err)
		return
	}
	state, _ := contract.State{Reason: "web: /health answers 500: database is missing"}.Marshal()
	for key, content := range map[string]string{
		place.Log(u.Role, b.Instance): "web | panic: no database\n", place.State(u.Role, b.Instance): string(state),
	} {
		if _, err := api.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &place.Bucket, Key: &key, Body: strings.NewReader(content)}); err != nil {
			fmt.Fprintln(b.Console, err)
		}
	}
	l.signal(ctx, api, u, b, cfntypes.ResourceSignalStatusFailure)
}

func (l *lab) signal(ctx context.Context, api clients, u contract.UserData, b machine.Boot, status cfntypes.ResourceSignalStatus) {
	if !u.Signal {
		return
	}
	_, err := api.cfn.SignalResource(ctx, &cloudformation.SignalResourceInput{
		StackName: &u.Stack, LogicalResourceId: &u.Resource, UniqueId: &b.Instance, Status: status,
	})
	if err != nil {
		fmt.Fprintln(b.Console, err)
	}
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

// running are the servers by image, without build servers: "shop-111111111111 3".
func (l *lab) running() []string {
	names := map[string]string{}
	for _, img := range l.cloud.Images() {
		names[img.ID] = img.Name
	}
	count := map[string]int{}
	for _, i := range l.cloud.Instances() {
		if name := names[i.Image]; name != "" && (i.State == "running" || i.State == "pending") {
			count[name]++
		}
	}
	var lines []string
	for name, n := range count {
		lines = append(lines, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(lines)
	return lines
}

// ids are the running servers of a commit's image.
func (l *lab) ids(commit string) []string {
	var ids []string
	for _, img := range l.cloud.Images() {
		if !strings.HasSuffix(img.Name, commit[:12]) {
			continue
		}
		for _, i := range l.cloud.Instances() {
			if i.Image == img.ID && i.State == "running" {
				ids = append(ids, i.ID)
			}
		}
	}
	slices.Sort(ids)
	return ids
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
