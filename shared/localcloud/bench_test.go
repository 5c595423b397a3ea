package localcloud_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/simulated"
)

// bench is a cloud with clients of the real SDK.
type bench struct {
	*testing.T
	cloud    *localcloud.Cloud
	machines *simulated.Driver
	faults   *fault.Transport
	config   aws.Config

	ec2 *ec2.Client
	ssm *ssm.Client
	sts *sts.Client
	s3  *s3.Client
}

// setup must run inside the bubble, so that clients and cloud share its time.
func setup(t *testing.T, timing localcloud.Timing) *bench {
	t.Helper()
	machines := simulated.New(scripted)
	b := setupWith(t, localcloud.Options{Timing: timing, Machines: machines})
	b.machines = machines
	return b
}

func setupWith(t *testing.T, options localcloud.Options) *bench {
	t.Helper()
	cloud, err := localcloud.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{T: t, cloud: cloud, faults: &fault.Transport{Next: cloud.Transport()}}
	b.use(aws.Config{
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
		HTTPClient:   &http.Client{Transport: b.faults},
		BaseEndpoint: aws.String("http://cloud.test"),
		RetryMode:    aws.RetryModeStandard,
		AppID:        "run-1",
	})
	return b
}

// use makes the clients anew.
func (b *bench) use(c aws.Config) {
	b.config = c
	b.ec2, b.ssm, b.sts = ec2.NewFromConfig(c), ssm.NewFromConfig(c), sts.NewFromConfig(c)
	b.s3 = s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true })
}

// scripted is a guest that obeys its user data: a line each of "print TEXT",
// "wait DURATION" and "idle". At the end it powers itself off. Later boots do
// not run user data again: they only stay up.
func scripted(ctx context.Context, b machine.Boot) {
	if !b.FirstBoot {
		fmt.Fprintln(b.Console, "up again")
		<-ctx.Done()
		return
	}
	for line := range strings.Lines(string(b.UserData)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "print":
			fmt.Fprintln(b.Console, rest)
		case "wait":
			d, err := time.ParseDuration(rest)
			if err != nil {
				fmt.Fprintln(b.Console, err)
				return
			}
			select {
			case <-time.After(d):
			case <-ctx.Done():
				return
			}
		case "idle":
			<-ctx.Done()
			return
		}
	}
}

const (
	idle     = "idle\n"
	powerOff = "print hello\nwait 1m\n"
)

// base is the x86_64 image of Amazon Linux.
func (b *bench) base() string {
	return b.cloud.Parameter("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")
}

// input is a launch that works.
func (b *bench) input(userData string) *ec2.RunInstancesInput {
	return &ec2.RunInstancesInput{
		ImageId: aws.String(b.base()), InstanceType: types.InstanceTypeT3Micro,
		MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
		SubnetId: aws.String(b.cloud.Parameter(localcloud.SubnetParameter)),
		UserData: aws.String(base64.StdEncoding.EncodeToString([]byte(userData))),
	}
}

// launch runs an instance and gives its id.
func (b *bench) launch(userData string) string {
	b.Helper()
	out, err := b.ec2.RunInstances(b.Context(), b.input(userData))
	if err != nil {
		b.Fatal(err)
	}
	return *out.Instances[0].InstanceId
}

// stoppedInstance runs an instance until it has switched itself off.
func (b *bench) stoppedInstance() string {
	b.Helper()
	id := b.launch(powerOff)
	b.await(id, "stopped", 10*time.Minute)
	return id
}

// state is what is, not what callers are shown.
func (b *bench) state(id string) string {
	for _, i := range b.cloud.Instances() {
		if i.ID == id {
			return i.State
		}
	}
	return "gone"
}

// await waits for a state in simulated time.
func (b *bench) await(id, state string, patience time.Duration) {
	b.Helper()
	for end := time.Now().Add(patience); b.state(id) != state; {
		if time.Now().After(end) {
			b.Fatalf("%s is %s, not %s, after %s", id, b.state(id), state, patience)
		}
		pause(time.Second)
	}
}

// pause lets simulated time pass.
func pause(d time.Duration) { <-time.After(d) }

// create makes an image of an instance.
func (b *bench) create(instance, name string) string {
	b.Helper()
	out, err := b.ec2.CreateImage(b.Context(), &ec2.CreateImageInput{InstanceId: &instance, Name: &name})
	if err != nil {
		b.Fatal(err)
	}
	return *out.ImageId
}

// image is what an image really is.
func (b *bench) imageState(id string) string {
	for _, m := range b.cloud.Images() {
		if m.ID == id {
			return m.State
		}
	}
	return "gone"
}

// wantCode checks an API error's code and that its message names each part.
func wantCode(t testing.TB, err error, code string, parts ...string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("got %v, want the API error %s", err, code)
	}
	if api.ErrorCode() != code {
		t.Errorf("got code %s (%s), want %s", api.ErrorCode(), api.ErrorMessage(), code)
	}
	for _, part := range parts {
		if !strings.Contains(api.ErrorMessage(), part) {
			t.Errorf("the message %q does not name %q", api.ErrorMessage(), part)
		}
	}
}

func ids(instances []types.Instance) []string {
	var all []string
	for _, i := range instances {
		all = append(all, *i.InstanceId)
	}
	return all
}

// described are the instances of a describe call.
func (b *bench) described(filters ...types.Filter) []types.Instance {
	b.Helper()
	out, err := b.ec2.DescribeInstances(b.Context(), &ec2.DescribeInstancesInput{Filters: filters})
	if err != nil {
		b.Fatal(err)
	}
	var all []types.Instance
	for _, r := range out.Reservations {
		all = append(all, r.Instances...)
	}
	return all
}

func filterOf(name string, values ...string) types.Filter {
	return types.Filter{Name: &name, Values: values}
}

func tagOf(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }
