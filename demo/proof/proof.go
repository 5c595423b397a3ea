// Package proof shows, in real time and with real processes and sockets, that an image
// goes live with no failed request: ami-bake bakes versions of the sample application,
// deploy-env releases them on the local cloud, and a client counts all the while.
//
// What must hold:
//
//   - No request fails: no answer but the expected one, no connection error, no answer
//     that takes ten seconds. Slowness is no failure; it is shown.
//   - Versions never go back. While a deploy runs, old and new may answer, since both
//     groups of servers are in the target group. A request whose time comes after
//     deploy-env has ended well is answered by the new version only. One whose time comes
//     after a deploy that failed or was cancelled is answered by the old version only; and
//     a version whose servers never became healthy answers at no time.
//   - No job is lost: each that was queued is done at least once. One that is done twice
//     is counted; there are such jobs only where a worker was killed.
//   - There are never two schedulers at work.
//
// The death of a server fails requests, until the health checks of the balancer notice:
// there it is the bound that must hold. And what counts is tested itself: servers that
// are ended wrongly must be noticed.
package proof

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"bitbucket.org/fearless/pipes/shared/localcloud/stage"
)

// application is the name under which everything here is baked and deployed.
const application = "proof"

// mostMachines is enough for four environments that replace all their servers at once.
const mostMachines = 64

// Proof is one account with the images of four versions.
type Proof struct {
	// One and Two are well. Broken does not start: its web process is called wrongly. Bad
	// starts and is healthy; what is bad about it people find out.
	One, Two, Broken, Bad Version

	stage *stage.Stage
	cfn   *cloudformation.Client
	asg   *autoscaling.Client
	ec2   *ec2.Client
	elb   *elb.Client
}

// Open compiles the boot agent and the sample application, puts a cloud up, and bakes.
func Open(ctx context.Context) (p *Proof, err error) {
	root, err := stage.Root(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "fearless-proof-")
	if err != nil {
		return nil, err
	}
	p = &Proof{}
	defer func() {
		if err != nil {
			_ = p.Close()
			_ = os.RemoveAll(dir)
			p = nil
		}
	}()
	if err := stage.Build(ctx, root, dir, nil); err != nil {
		return p, err
	}
	if p.stage, err = stage.Open(ctx, stage.Options{Bin: dir, MaxMachines: mostMachines}); err != nil {
		return p, err
	}
	p.connect()
	return p, p.bakeAll(ctx, filepath.Join(root, "examples", "web"))
}

func (p *Proof) connect() {
	config := aws.Config{
		Region: "us-east-1", BaseEndpoint: &p.stage.URL,
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCALCLOUD000000", "local-cloud-secret", ""),
	}
	p.cfn, p.asg = cloudformation.NewFromConfig(config), autoscaling.NewFromConfig(config)
	p.ec2, p.elb = ec2.NewFromConfig(config), elb.NewFromConfig(config)
}

// Close ends the cloud and all its servers.
func (p *Proof) Close() error {
	if p.stage == nil {
		return nil
	}
	err := p.stage.Close()
	if removed := os.RemoveAll(p.stage.Bin); err == nil {
		err = removed
	}
	return err
}

// patience is how long anything may take that happens by itself. It is long, since
// this computer may be busy; nobody waits longer than it takes.
const patience = 4 * time.Minute

// until waits for something that others do.
func until(ctx context.Context, what string, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s: %s", patience, what))
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := holds(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
