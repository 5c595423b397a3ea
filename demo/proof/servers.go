package proof

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"bitbucket.org/fearless/pipes/shared/localcloud"
)

// Replace lets the group end one web server and start another. Ended in order it fails
// no request; when the cloud does it wrongly, requests must be seen to fail.
func (e *Environment) Replace(ctx context.Context, phase string, how localcloud.Ending) error {
	if err := e.next(ctx, phase, e.Live); err != nil {
		return err
	}
	if how != localcloud.EndInOrder {
		e.wrong[phase] = true
	}
	group := e.resource("WebGroup")
	if err := e.proof.stage.Cloud.SetEnding(group, how); err != nil {
		return err
	}
	victim := e.servers("web")[0]
	if _, err := e.proof.asg.TerminateInstanceInAutoScalingGroup(ctx, &autoscaling.TerminateInstanceInAutoScalingGroupInput{
		InstanceId: &victim, ShouldDecrementDesiredCapacity: aws.Bool(false),
	}); err != nil {
		return err
	}
	var err error
	if how == localcloud.EndUndrained {
		// What it works on is lost now: a busy computer may end its processes so late that
		// they are through with it.
		err = e.proof.stage.Kill(victim)
	}
	err = errors.Join(err, e.replaced(ctx, victim))
	if err := errors.Join(err, e.proof.stage.Cloud.SetEnding(group, localcloud.EndInOrder)); err != nil {
		return err
	}
	if err := e.next(ctx, "after "+phase, e.Live); err != nil {
		return err
	}
	if how == localcloud.EndInOrder {
		return e.well(phase, "after "+phase)
	}
	if counted := e.Last(phase); counted.Failed == 0 {
		return fmt.Errorf("%s: none of %d requests failed: what counts here would not notice either when it happens in a release", phase, counted.Sent)
	}
	return e.well("after " + phase)
}

// replaced waits until a server is gone, also from the balancer, and two others are
// healthy.
func (e *Environment) replaced(ctx context.Context, victim string) error {
	return until(ctx, "server "+victim+" is replaced", func() (bool, error) {
		for _, i := range e.proof.stage.Cloud.Instances() {
			if i.ID == victim && i.State != "terminated" {
				return false, nil
			}
		}
		healthy := 0
		for _, t := range e.proof.stage.Cloud.Targets(e.resource("WebTargets")) {
			switch {
			case t.Instance == victim && t.State != "draining":
				return false, nil
			case t.State == "healthy":
				healthy++
			}
		}
		return healthy == 2, nil
	})
}

// Kill kills a web server with everything that runs on it. Requests fail until the
// balancer's health checks notice, and not longer; it returns that bound, and what it
// was.
func (e *Environment) Kill(ctx context.Context) (bound, took time.Duration, err error) {
	const phase, after = "death of a server", "after the death"
	if bound, err = e.bound(ctx); err != nil {
		return 0, 0, err
	}
	if err := e.next(ctx, phase, e.Live); err != nil {
		return 0, 0, err
	}
	e.wrong[phase] = true
	victim, died := e.servers("web")[0], time.Now()
	if err := e.proof.stage.Kill(victim); err != nil {
		return 0, 0, err
	}
	if err := until(ctx, "health checks notice", func() (bool, error) { return time.Since(died) > bound, nil }); err != nil {
		return 0, 0, err
	}
	if err := e.next(ctx, after, e.Live); err != nil {
		return 0, 0, err
	}
	counted := e.Last(phase)
	took = counted.LastFailure.Sub(died)
	switch {
	case counted.Failed == 0:
		return bound, took, fmt.Errorf("%s: none of %d requests failed: what counts here does not notice", phase, counted.Sent)
	case took > bound:
		return bound, took, fmt.Errorf("%s: a request failed %s after it, and health checks must notice within %s", phase, took, bound)
	case counted.Strange > 0:
		return bound, took, errors.New(counted.Trouble())
	}
	// The group leaves a server alone that EC2 believes to run and that is young; an
	// operator would not.
	if err := e.remove(ctx, victim); err != nil {
		return bound, took, err
	}
	return bound, took, errors.Join(e.replaced(ctx, victim), e.well(after))
}

// bound is how long a balancer may need to notice: as many checks in a row as must
// fail, each an interval after the one before, and the last may run into its timeout.
func (e *Environment) bound(ctx context.Context) (time.Duration, error) {
	out, err := e.proof.elb.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{e.resource("WebTargets")}})
	if err != nil {
		return 0, err
	}
	g := out.TargetGroups[0]
	interval := localcloud.RealTime().CheckEvery // here checks come faster than AWS lets them
	return interval*time.Duration(aws.ToInt32(g.UnhealthyThresholdCount)) + time.Duration(aws.ToInt32(g.HealthCheckTimeoutSeconds))*time.Second, nil
}

// remove switches a server off, whatever its group thinks of it.
func (e *Environment) remove(ctx context.Context, server string) error {
	_, err := e.proof.ec2.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{server}})
	return err
}

// KillWorker kills the worker in the middle of its work, and waits for another one.
func (e *Environment) KillWorker(ctx context.Context) error {
	const phase = "death of a worker"
	if err := e.next(ctx, phase, e.Live); err != nil {
		return err
	}
	victim := e.servers("worker")[0]
	if err := e.proof.stage.Kill(victim); err != nil {
		return err
	}
	if err := e.remove(ctx, victim); err != nil {
		return err
	}
	if err := until(ctx, "another worker", func() (bool, error) {
		now := e.servers("worker")
		return len(now) == 1 && now[0] != victim, nil
	}); err != nil {
		return err
	}
	return e.well(phase)
}
