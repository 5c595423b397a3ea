package proof

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"bitbucket.org/fearless/pipes/pipes/deploy-env/rollout"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

// deployed is how a run of deploy-env ended.
type deployed struct {
	code exit.Code
	log  string
}

// deploy runs the pipe deploy-env.
func (e *Environment) deploy(ctx context.Context, v Version, soak time.Duration) deployed {
	var log bytes.Buffer
	code := pipe.Pipe[rollout.Settings]{Name: rollout.Name, Run: rollout.Run}.Main(pipe.World{
		Environ: e.proof.stage.Environ(map[string]string{
			"APPLICATION": application, "ENVIRONMENT": e.Name, "COMMIT": v.Commit, "SOAK": fmt.Sprintf("%dm", int(soak.Minutes())),
			"BITBUCKET_PIPELINE_UUID": "{proof}",
		}),
		Dir: e.dir, Out: &log, Interrupt: ctx.Done(),
	})
	return deployed{exit.Code(code), log.String()}
}

// Release replaces the live version, under load.
func (e *Environment) Release(ctx context.Context, v Version) error {
	during, after := "release", "after the release"
	if err := e.next(ctx, during, e.Live, v); err != nil {
		return err
	}
	d := e.deploy(ctx, v, 0)
	if d.code != exit.Passed {
		return fmt.Errorf("deploy-env ended with %d:\n%s", d.code, d.log)
	}
	e.Live = v
	if err := e.next(ctx, after, v); err != nil {
		return err
	}
	return e.well(during, after)
}

// ReleaseBroken deploys a version that does not start, so that the deploy fails.
func (e *Environment) ReleaseBroken(ctx context.Context) error {
	during, after := "failed deploy", "after the failed deploy"
	if err := e.next(ctx, during, e.Live); err != nil {
		return err
	}
	if err := e.refused(e.deploy(ctx, e.proof.Broken, 0)); err != nil {
		return err
	}
	if err := e.next(ctx, after, e.Live); err != nil {
		return err
	}
	return e.well(during, after)
}

// refused wants a deploy that was taken back.
func (e *Environment) refused(d deployed) error {
	if status := e.stack("").Status; d.code != exit.Refused || status != "UPDATE_ROLLBACK_COMPLETE" {
		return fmt.Errorf("deploy-env ended with %d and the stack is %s, want %d and UPDATE_ROLLBACK_COMPLETE:\n%s", d.code, status, exit.Refused, d.log)
	}
	return nil
}

// CancelEarly cancels a deploy when new web servers have been launched, and none answers.
func (e *Environment) CancelEarly(ctx context.Context, v Version) error {
	return e.cancel(ctx, v, "cancelled early", e.launched(v))
}

// minuteOfSoak is the shortest there is.
const minuteOfSoak = time.Minute

// launched is the moment when new web servers of a version have been launched.
func (e *Environment) launched(v Version) func(events int) bool {
	return func(int) bool {
		for _, i := range e.proof.stage.Cloud.Instances() {
			if e.is(i.Tags, "web") && i.Tags[environment.TagCommit] == v.Commit && (i.State == "pending" || i.State == "running") {
				return true
			}
		}
		return false
	}
}

// CancelSoak cancels a deploy when everything has been replaced, and old and new servers
// both answer while the release is watched.
func (e *Environment) CancelSoak(ctx context.Context, v Version) error {
	const phase = "cancelled in the soak"
	err := e.cancel(ctx, v, phase, e.soaked(v, phase))
	if counted := e.Last(phase); err == nil && (counted.Versions[v.Answer] == 0 || counted.Versions[e.Live.Answer] == 0) {
		return fmt.Errorf("%s: both versions should have answered, seen: %s", phase, counted.Seen())
	}
	return err
}

// soaked is the moment in a phase when everything has been replaced by a version, which has
// answered already.
func (e *Environment) soaked(v Version, phase string) func(events int) bool {
	return func(events int) bool {
		for _, event := range e.proof.stage.Cloud.StackEvents(application + "-" + e.Name)[events:] {
			if event.Logical == "SchedulerGroup" && event.Status == "UPDATE_COMPLETE" {
				return e.Last(phase).Versions[v.Answer] > 0
			}
		}
		return false
	}
}

// cancel begins a deploy and cancels it at a moment, which may look at the events of
// the stack from an index on.
func (e *Environment) cancel(ctx context.Context, v Version, phase string, moment func(events int) bool) error {
	if err := e.next(ctx, phase, e.Live, v); err != nil {
		return err
	}
	name := application + "-" + e.Name
	events := len(e.proof.stage.Cloud.StackEvents(name))
	ended := make(chan deployed, 1)
	go func() { ended <- e.deploy(ctx, v, minuteOfSoak) }()
	early := error(nil)
	err := until(ctx, "the moment to cancel", func() (bool, error) {
		select {
		case d := <-ended:
			ended <- d
			early = fmt.Errorf("deploy-env ended with %d before it could be cancelled:\n%s", d.code, d.log)
			return true, nil
		default:
			return moment(events), nil
		}
	})
	if err == nil {
		err = early
	}
	if err == nil {
		_, err = e.proof.cfn.CancelUpdateStack(ctx, &cloudformation.CancelUpdateStackInput{StackName: aws.String(name)})
	}
	d := <-ended
	if err != nil {
		return err
	}
	if err := e.refused(d); err != nil {
		return err
	}
	after := "after it was " + phase
	if err := e.next(ctx, after, e.Live); err != nil {
		return err
	}
	return e.well(phase, after)
}

// is reports whether tags are those of a server of this environment in a role.
func (e *Environment) is(tags map[string]string, role string) bool {
	return tags[environment.TagEnvironment] == e.Name && tags[environment.TagRole] == role
}

// servers are the ids of the running servers in a role, in order.
func (e *Environment) servers(role string) []string {
	var ids []string
	for _, i := range e.proof.stage.Cloud.Instances() {
		if e.is(i.Tags, role) && i.State == "running" {
			ids = append(ids, i.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
