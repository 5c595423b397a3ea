package agent

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const (
	// leaveBound is the most that a server may take to leave its group: the
	// patience that the lifecycle hook of a template of ours has.
	leaveBound = 5 * time.Minute
	// leaveRest is what is kept of it for the last upload and the hook itself.
	leaveRest = 30 * time.Second
	// leavePoll is how often the metadata service is asked; it is on the
	// server's own host and costs nothing.
	leavePoll = 5 * time.Second
)

const dismissal = "the group ends this server"

// shift is the time that a server of a group is at work.
type shift struct {
	duty context.Context // being, or becoming, ready
	work context.Context // running processes; ends when requests have

	watched   chan struct{}
	dismissed time.Time // when the group let the server go; zero: it did not
}

// begin starts a shift. Where there is no hook, nobody waits for the server to
// leave, and SIGTERM is all it gets.
func (a *agent) begin(ctx context.Context) (s *shift, end func()) {
	work, stop := context.WithCancel(ctx)
	duty, leave := context.WithCancel(work)
	s = &shift{duty: duty, work: work, watched: make(chan struct{})}
	go func() {
		defer close(s.watched)
		if a.userData.Hook == "" || !a.dismissed(work) {
			return
		}
		s.dismissed = time.Now()
		leave()
		a.log.say(dismissal)
		a.unload(work)
		stop()
	}()
	return s, func() { stop(); <-s.watched }
}

// why says how the shift came to its end.
func (s *shift) why() string {
	<-s.watched
	if s.dismissed.IsZero() {
		return "the server was told to stop"
	}
	return dismissal
}

// dismissed waits until the group ends this server; false: the context ended
// first.
func (a *agent) dismissed(ctx context.Context) bool {
	problem := ""
	for {
		state, err := a.lifecycleState(ctx)
		switch {
		case ctx.Err() != nil:
			return false
		case state == "Terminated":
			return true
		case err != nil && problem == "":
			problem = cause(err)
			a.log.say("cannot tell whether the group ends this server: %s", problem)
		case err == nil:
			problem = ""
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(leavePoll):
		}
	}
}

// lifecycleState is where the group wants the server; "" while it has not said.
func (a *agent) lifecycleState(ctx context.Context) (string, error) {
	out, err := a.Metadata.GetMetadata(ctx, &imds.GetMetadataInput{Path: "autoscaling/target-lifecycle-state"})
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusNotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return text(out.Content)
}

// unload waits until no load balancer sends requests any more. Auto Scaling
// waits for that before it calls the hook, so this seldom takes time; but a
// process that is told to end too early fails requests.
func (a *agent) unload(ctx context.Context) {
	if len(a.userData.TargetGroups) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaveBound-a.userData.DrainTime()-leaveRest)
	defer cancel()
	b := &balancer{api: a.cloud.Balancer, instance: a.instance, groups: a.userData.TargetGroups}
	for !b.gone(ctx) {
		select {
		case <-ctx.Done():
			a.log.say("the load balancer still has this server")
			return
		case <-time.After(balancerSoon):
		}
	}
}

// farewell tells the group that it may end the server, once everything here
// has ended, and waits for that: systemd would start boot again.
func (a *agent) farewell(ctx context.Context, dismissed time.Time) {
	bounded, cancel := context.WithDeadline(context.WithoutCancel(ctx), dismissed.Add(leaveBound))
	defer cancel()
	a.reports.flush(bounded)
	for !a.completeHook(bounded) {
		select {
		case <-ctx.Done():
			return
		case <-bounded.Done():
			<-ctx.Done()
			return
		case <-time.After(leavePoll):
		}
	}
	<-ctx.Done()
}

// completeHook reports whether there is nothing left to do about the hook.
func (a *agent) completeHook(ctx context.Context) bool {
	group, err := a.group(ctx)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, callBound)
		defer cancel()
		_, err = a.cloud.Groups.CompleteLifecycleAction(ctx, &autoscaling.CompleteLifecycleActionInput{
			AutoScalingGroupName: aws.String(group.name), LifecycleHookName: aws.String(a.userData.Hook),
			InstanceId: aws.String(a.instance), LifecycleActionResult: aws.String("CONTINUE"),
		})
	}
	if err == nil {
		a.log.say("the group may end this server")
		return true
	}
	a.log.say("cannot complete the lifecycle hook %s: %s", a.userData.Hook, cause(err))
	// It is over already, or was never called.
	var answer smithy.APIError
	return errors.As(err, &answer) && answer.ErrorCode() == "ValidationError"
}
