package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rogpeppe/go-internal/testscript"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/journal"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/simulated"
)

// cloud is an account for one story: the program reaches it over HTTP, as it would AWS.
// Its servers are played, and become ready when the gate is open.
type cloud struct {
	*localcloud.Cloud
	url string

	mu   sync.Mutex
	up   map[string]bool // instances that answer their health checks
	gate chan struct{}   // closed: open
}

// clouds are those of the stories under way, by their testscript.TestScript.
var clouds sync.Map

func cloudOf(ts *testscript.TestScript) *cloud {
	c, ok := clouds.Load(ts)
	if !ok {
		ts.Fatalf("this story has no cloud yet")
	}
	return c.(*cloud)
}

// openCloud puts up a cloud for the rest of the story.
func openCloud(ts *testscript.TestScript, _ bool, _ []string) {
	c := &cloud{up: map[string]bool{}, gate: make(chan struct{})}
	close(c.gate)
	account, err := localcloud.New(localcloud.Options{Timing: localcloud.RealTime(), Machines: simulated.New(c.guest), Health: c.health})
	ts.Check(err)
	c.Cloud = account
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	ts.Check(err)
	c.url = "http://" + listener.Addr().String()
	c.SetEndpoint(c.url)
	server := &http.Server{Handler: account, ReadHeaderTimeout: time.Minute}
	ctx, end := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // ends when it is closed
	serving.Go(func() { c.drain(ctx) })
	ts.Defer(func() {
		end()
		_ = server.Close()
		serving.Wait()
		if err := c.Close(); err != nil {
			ts.Logf("closing the cloud: %v", err)
		}
	})
	clouds.Store(ts, c)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": c.url, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIAFIRST", "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-story",
	} {
		ts.Setenv(name, value)
	}
}

// drain ends the lifecycle hooks of servers that leave, as their boot agents do.
func (c *cloud) drain(ctx context.Context) {
	api := autoscaling.NewFromConfig(c.config(http.DefaultTransport))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		<-tick.C
		out, err := api.DescribeAutoScalingInstances(ctx, &autoscaling.DescribeAutoScalingInstancesInput{})
		if err != nil {
			return
		}
		for _, i := range out.AutoScalingInstances {
			if aws.ToString(i.LifecycleState) != "Terminating:Wait" {
				continue
			}
			_, _ = api.CompleteLifecycleAction(ctx, &autoscaling.CompleteLifecycleActionInput{ // an error says that it has ended by itself
				AutoScalingGroupName: i.AutoScalingGroupName, LifecycleHookName: aws.String("drain"),
				InstanceId: i.InstanceId, LifecycleActionResult: aws.String("CONTINUE"),
			})
		}
	}
}

// config is how guests and the story itself reach the account.
func (c *cloud) config(transport http.RoundTripper) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &c.url, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("AKIASTORY", "a-secret-of-the-story", ""),
	}
}

// guest is a server: it becomes well when the gate is open, and says so.
func (c *cloud) guest(ctx context.Context, b machine.Boot) {
	u, err := contract.ParseUserData(b.UserData)
	if err != nil { // a server to make an image of
		<-ctx.Done()
		return
	}
	c.mu.Lock()
	gate := c.gate
	c.mu.Unlock()
	select {
	case <-gate:
	case <-ctx.Done():
		return
	}
	c.mu.Lock()
	c.up[b.Instance] = true
	c.mu.Unlock()
	_, err = cloudformation.NewFromConfig(c.config(b.Transport)).SignalResource(ctx, &cloudformation.SignalResourceInput{
		StackName: &u.Stack, LogicalResourceId: &u.Resource, UniqueId: &b.Instance, Status: cfntypes.ResourceSignalStatusSuccess,
	})
	if err != nil {
		fmt.Fprintln(b.Console, err)
	}
	<-ctx.Done()
	c.mu.Lock()
	delete(c.up, b.Instance)
	c.mu.Unlock()
}

func (c *cloud) health(_ context.Context, check localcloud.Check) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.up[check.Instance] {
		return http.StatusOK, nil
	}
	return 0, fmt.Errorf("connection refused")
}

// closeGate lets servers that start from now on wait; openGate lets them go on.
func closeGate(ts *testscript.TestScript, _ bool, _ []string) {
	c := cloudOf(ts)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gate = make(chan struct{})
}

func openGate(ts *testscript.TestScript, _ bool, _ []string) {
	c := cloudOf(ts)
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.gate)
}

// bake puts an image of a commit into the account, with the process types of its Procfile.
func bake(ts *testscript.TestScript, _ bool, args []string) {
	c, commit := cloudOf(ts), args[0]
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	config := c.config(http.DefaultTransport)
	api := ec2.NewFromConfig(config)
	base := c.Parameter("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")
	subnet := c.Parameter(localcloud.SubnetParameter)
	ran, err := api.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: &base, InstanceType: types.InstanceTypeT3Small, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &subnet,
	})
	ts.Check(err)
	id := *ran.Instances[0].InstanceId
	in := func(state string) func() bool {
		return func() bool {
			for _, i := range c.Instances() {
				if i.ID == id {
					return i.State == state
				}
			}
			return false
		}
	}
	until(ts, "the build server runs", in("running"))
	_, err = api.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}})
	ts.Check(err)
	until(ts, "the build server is stopped", in("stopped"))
	name := "shop-" + commit[:12]
	made, err := api.CreateImage(ctx, &ec2.CreateImageInput{InstanceId: &id, Name: &name})
	ts.Check(err)
	until(ts, "the image is there", func() bool {
		for _, img := range c.Images() {
			if img.Name == name {
				return img.State == string(image.Available)
			}
		}
		return false
	})
	_, err = api.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}})
	ts.Check(err)
	index := image.Index{API: s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }), Bucket: c.Bucket()}
	ts.Check(index.WriteCommit(ctx, image.Record{
		Application: "shop", Commit: commit, Image: *made.ImageId, Name: name, Architecture: "x86_64",
		Contract: contract.Version, Processes: args[1:], Created: time.Now(),
	}))
}

// waitCalls waits until the owner of an access key has made so many calls of an action, and
// another one after them: only then the answers are known to have arrived.
func waitCalls(ts *testscript.TestScript, _ bool, args []string) {
	c, action := cloudOf(ts), journal.Of(args[1])
	owner := func(e journal.Entry) bool { return e.AccessKey == args[0] }
	least, err := strconv.Atoi(args[2])
	ts.Check(err)
	until(ts, strings.Join(args, " "), func() bool {
		calls := c.Journal().Entries(owner, action)
		return len(calls) >= least && c.Journal().Count(owner, journal.Since(calls[least-1].N)) > 0
	})
}

// servers counts those that run the image of a commit.
func servers(ts *testscript.TestScript, _ bool, args []string) {
	c, found := cloudOf(ts), 0
	for _, img := range c.Images() {
		for _, i := range c.Instances() {
			if i.Image == img.ID && i.State == "running" && strings.HasSuffix(img.Name, args[0][:12]) {
				found++
			}
		}
	}
	if fmt.Sprint(found) != args[1] {
		ts.Fatalf("%d servers of %s, want %s", found, args[0], args[1])
	}
}

// terminate asks the programs in the background to stop, as Bitbucket does with a step.
func terminate(ts *testscript.TestScript, _ bool, _ []string) {
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	}
}

// patience bounds every wait of these stories; it passes only when they fail.
const patience = 5 * time.Minute

// until waits for something that takes seconds.
func until(ts *testscript.TestScript, what string, happened func() bool) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-limit.C:
			ts.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}
