// Package lab is an AWS account in simulated time, for tests of pipes, also of those that
// work on what others have made: images, environments, releases. Its servers do what the
// boot agent does, as far as CloudFormation and the balancer can see it. Minutes pass in
// milliseconds, so a test can play a night of releases.
//
// A lab is made inside a synctest bubble. It belongs to tests and is part of no program.
package lab

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"bitbucket.org/fearless/pipes/shared/bitbucket/fake"
	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/simulated"
)

// Application is what lives in the account.
const Application = "shop"

const (
	region   = "us-east-1"
	endpoint = "http://cloud.local"
	key      = "AKIALAB0000000000000"
	secret   = "a-secret-of-the-lab"
)

// Tempo is how fast an account and its servers are.
type Tempo struct {
	Timing localcloud.Timing
	Boot   time.Duration // from power-on to the first answer, and from there to the signal
}

// Tempos: as slow as servers are, and so quick that a story fits into few calls.
var (
	Usual = Tempo{Boot: 15 * time.Second, Timing: localcloud.Timing{
		Pending: 5 * time.Second, ImagePending: 10 * time.Second, Stopping: 3 * time.Second, Terminating: 5 * time.Second, HiddenReads: 1,
	}}
	Quick = Tempo{Boot: time.Second, Timing: localcloud.Timing{
		Pending: time.Second, ImagePending: time.Second, Stopping: time.Second, Terminating: time.Second, HiddenReads: 1,
	}}
)

// Lab is one account.
type Lab struct {
	T     *testing.T
	Cloud *localcloud.Cloud
	Clone string // the folder of a clone, without a repository in it

	Wire      func(http.RoundTripper) http.RoundTripper // stands between pipes and the cloud; nil: nothing does
	Bitbucket *fake.Server                              // nil: nobody calls it
	Git       http.Handler                              // the server http://git.local; nil: there is none

	// Beside says who answers a call instead of AWS; nil, as an answer too: nobody does.
	Beside func(*http.Request) http.RoundTripper

	Boot time.Duration // see Tempo

	// Sick says why a server fails, from what it is told; blank, it does not. Nil: none does.
	Sick func(contract.UserData) string

	// Leaves is what a server that is well leaves in the bucket before it says so: its
	// state, and its log. Nil: nothing.
	Leaves func(contract.UserData) (contract.State, string)

	// Builds is what a server does that is told nothing of its role, as one that an image
	// is made of. Nil: it waits for its end.
	Builds func(context.Context, machine.Boot)

	drained sync.Once
	mu      sync.Mutex
	up      map[string]string // role of the servers that do their work, by id
}

// New makes an account with all that account.yml makes for the application.
func New(t *testing.T, at Tempo) *Lab {
	t.Helper()
	l := Bare(t, at)
	l.Cloud.AddApplication(Application)
	return l
}

// Bare makes an account in which account.yml made nothing for the application.
func Bare(t *testing.T, at Tempo) *Lab {
	t.Helper()
	l := &Lab{T: t, Clone: t.TempDir(), Boot: at.Boot, up: map[string]string{}}
	var err error
	l.Cloud, err = localcloud.New(localcloud.Options{Timing: at.Timing, Machines: simulated.New(l.guest), Endpoint: endpoint, Health: l.health})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// File writes an environment file into the clone.
func (l *Lab) File(environment, text string) {
	l.T.Helper()
	dir := filepath.Join(l.Clone, "environments")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		l.T.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, environment+".yml"), []byte(text), 0o644); err != nil {
		l.T.Fatal(err)
	}
}

// Clients are AWS as a program with some transport reaches it.
type Clients struct {
	EC2 *ec2.Client
	S3  *s3.Client
	CFN *cloudformation.Client
	ASG *autoscaling.Client
	ELB *elasticloadbalancingv2.Client

	Schedules *scheduler.Client
}

// Reach is AWS for the test itself.
func (l *Lab) Reach() Clients { return reach(l.Cloud.Transport()) }

func reach(transport http.RoundTripper) Clients {
	config := aws.Config{
		Region: region, BaseEndpoint: aws.String(endpoint), HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, ""),
	}
	return Clients{
		EC2: ec2.NewFromConfig(config), CFN: cloudformation.NewFromConfig(config), ASG: autoscaling.NewFromConfig(config),
		ELB: elasticloadbalancingv2.NewFromConfig(config), Schedules: scheduler.NewFromConfig(config),
		S3: s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }),
	}
}

// Name is the name of the image of a commit.
func Name(commit string) string { return Application + "-" + commit[:12] }

// Bake puts an image of a commit into the account, as ami-bake leaves it, and returns its
// id. Without process types it has those of the sample application.
func (l *Lab) Bake(commit string, processes ...string) string {
	l.T.Helper()
	if len(processes) == 0 {
		processes = []string{"release", "web", "worker", "scheduler"}
	}
	ctx, api := l.T.Context(), l.Reach()
	base := l.Cloud.Parameter("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")
	subnet := l.Cloud.Parameter(localcloud.SubnetParameter)
	ran, err := api.EC2.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: &base, InstanceType: types.InstanceTypeT3Small, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &subnet,
	})
	if err != nil {
		l.T.Fatal(err)
	}
	id := *ran.Instances[0].InstanceId
	l.Sleep(20 * time.Second)
	if _, err := api.EC2.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}}); err != nil {
		l.T.Fatal(err)
	}
	l.Sleep(20 * time.Second)
	tags := image.Tags(map[string]string{
		image.TagApplication: Application, image.TagCommit: commit, image.TagInputs: "inputs-of-" + commit[:12],
		image.TagContract: "1", image.TagProcesses: strings.Join(processes, " "),
	})
	made, err := api.EC2.CreateImage(ctx, &ec2.CreateImageInput{
		InstanceId: &id, Name: aws.String(Name(commit)), TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeImage, Tags: tags}},
	})
	if err != nil {
		l.T.Fatal(err)
	}
	l.Sleep(time.Minute)
	if _, err := api.EC2.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}}); err != nil {
		l.T.Fatal(err)
	}
	img := l.Image(*made.ImageId)
	if img == nil {
		l.T.Fatalf("image %s is not there", *made.ImageId)
	}
	index := image.Index{API: api.S3, Bucket: l.Cloud.Bucket()}
	if err := index.WriteCommit(ctx, image.Record{
		Application: Application, Commit: commit, BakedFrom: commit, Image: img.ID, Name: img.Name, Owner: img.Owner,
		RootSnapshot: img.RootSnapshot, Inputs: img.Tags[image.TagInputs], Architecture: "x86_64",
		Contract: contract.Version, Processes: processes, Created: time.Now(),
	}); err != nil {
		l.T.Fatal(err)
	}
	return img.ID
}

// Image describes an image, which may not be shown at once; nil: there is none.
func (l *Lab) Image(id string) *image.Image {
	l.T.Helper()
	for range 3 {
		img, err := image.ByID(l.T.Context(), l.Reach().EC2, id)
		if err != nil {
			l.T.Fatal(err)
		}
		if img != nil {
			return img
		}
	}
	return nil
}

// Ledger is that of an environment.
func (l *Lab) Ledger(environment string) *ledger.Ledger {
	return &ledger.Ledger{API: l.Reach().S3, Bucket: l.Cloud.Bucket(), Application: Application, Environment: environment}
}

// Records are all of an environment's ledger.
func (l *Lab) Records(environment string) []ledger.Record {
	l.T.Helper()
	records, err := l.Ledger(environment).All(l.T.Context(), time.Time{})
	if err != nil {
		l.T.Fatal(err)
	}
	return records
}

// Sleep lets simulated time pass.
func (l *Lab) Sleep(d time.Duration) { Sleep(l.T.Context(), d) }

// Sleep waits in simulated time; false: the context ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
