package testenv

import (
	"cmp"
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"bitbucket.org/fearless/pipes/shared/account"
	"bitbucket.org/fearless/pipes/shared/bitbucket"
	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/release"
)

// run is one run of the pipe.
type run struct {
	rt       *pipe.Runtime
	s        *Settings
	index    image.Index
	waiting  *console.Progress
	visitor  *http.Client // asks environments whether they answer
	reporter *bitbucket.Reporter

	serviceRole, scheduleRole string // ARNs

	release.Clients
	scheduler *scheduler.Client
}

// Run does what the settings ask for.
func Run(ctx context.Context, rt *pipe.Runtime, s Settings) (pipe.Result, error) {
	r := &run{rt: rt, s: &s, waiting: rt.Console.Progress("CloudFormation")}
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	switch s.Action {
	case ActionList:
		return r.list(ctx)
	case ActionDestroy:
		return r.destroy(ctx)
	case ActionReap:
		return r.reap(ctx)
	case ActionExtend:
		return r.extend(ctx)
	}
	return r.create(ctx)
}

// open starts the session and says whose account it is.
func (r *run) open(ctx context.Context) error {
	session, err := account.Open(ctx, r.s.AWS, account.Options{
		Pipe: Name, Application: r.s.Application, Duration: r.s.Timeout.Std() + account.Margin, Transport: r.rt.World.Transport,
	})
	if err != nil {
		return err
	}
	for _, note := range session.Notes {
		r.rt.Console.Warn("%s", note)
	}
	r.rt.Console.Info("AWS %s", session)
	r.Clients, r.scheduler = release.Connect(session, r.s.Bucket), scheduler.NewFromConfig(session.Config)
	r.index = image.Index{API: r.S3, Bucket: r.Bucket}
	r.visitor = visitor(r.rt.World.Transport)
	return r.lookUpRoles(ctx)
}

// lookUpRoles asks for what account.yml made, in one call: it has left the names in
// Parameter Store. Roles that the settings name go first.
func (r *run) lookUpRoles(ctx context.Context) error {
	r.serviceRole, r.scheduleRole = r.s.ServiceRole, r.s.ScheduleRole
	if r.serviceRole != "" && r.scheduleRole != "" {
		return nil
	}
	made, err := r.Made(ctx, "/fearless/test/"+r.s.Application+"/", "service-role", "schedule-role")
	if err != nil {
		return err
	}
	r.serviceRole, r.scheduleRole = cmp.Or(r.serviceRole, made["service-role"]), cmp.Or(r.scheduleRole, made["schedule-role"])
	return nil
}

// checkRoles refuses to create what nothing would end. CloudFormation deletes with the
// role that it was given; without one the schedule's role would need every right itself.
func (r *run) checkRoles() error {
	if r.serviceRole != "" && r.scheduleRole != "" {
		return nil
	}
	return exit.Invalidf("there are no roles with which CloudFormation and EventBridge Scheduler could end a test environment of %s", r.s.Application).Hint(
		"deploy account.yml of this application again: it makes both, and the pipe finds them",
		"or name roles of yours in TEST_SERVICE_ROLE and SCHEDULE_ROLE")
}

// unable gives an error the exit code of what could not be done, unless it has its own.
func unable(err error) error {
	if err == nil || exit.CodeOf(err) != exit.Unable {
		return err
	}
	return exit.Unablef("%w", err)
}
