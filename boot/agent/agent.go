// Package agent makes a server play its role: it reads who the server is,
// starts the processes of that role, keeps them running, says when the server
// is ready, and ends them in an orderly way.
//
// The world comes in through Server: with a Starter that plays processes, an
// in-process metadata service and clients on a transport of the same process,
// all of it runs in simulated time.
package agent

import (
	"context"
	"io"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/boot/parameters"
	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/procfile"
)

// Server is what the agent needs of the world.
type Server struct {
	Root     string   // the disk: "/", or the directory that MACHINE_ROOT names
	Environ  []string // boot's own environment
	User     string   // who runs the processes; "": whoever runs boot
	Home     string   // that user's home directory
	Out      io.Writer
	Metadata Metadata
	Cloud    func(region string) Cloud
	Start    Starter
	HTTP     http.RoundTripper // for health checks
	PowerOff func()
}

// Metadata is the instance metadata service, in the SDK's own signatures.
type Metadata interface {
	GetUserData(context.Context, *imds.GetUserDataInput, ...func(*imds.Options)) (*imds.GetUserDataOutput, error)
	GetMetadata(context.Context, *imds.GetMetadataInput, ...func(*imds.Options)) (*imds.GetMetadataOutput, error)
}

// Cloud are the clients of one region.
type Cloud struct {
	Parameters parameters.API
	Objects    Objects
	Stacks     Stacks
	Groups     Groups
	Balancer   Balancer
	Instances  Instances
}

// Objects is the part of S3 that is used.
type Objects interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

// agent is one server at work.
type agent struct {
	Server
	identity
	cloud   Cloud
	log     *journal
	reports *reports
	ballot  *ballot
	own     *database // nil: there is none on this server
}

// Run plays the server's role until the context ends. An error means that it
// could not begin; it is in the log, and in the bucket as far as possible.
func Run(ctx context.Context, s Server) error {
	a := &agent{Server: s, log: newJournal(s.Out)}
	if err := a.identify(ctx); err != nil {
		a.log.say("cannot start: %s", err)
		return err
	}
	a.cloud = a.Cloud(a.userData.Region)
	a.reports = newReports(a.cloud.Objects, a.place, a.log)
	a.reports.role, a.reports.instance = a.userData.Role, a.instance
	finish := a.reports.start(ctx)
	defer finish()
	var err error
	if a.ballot, err = newBallot(a); err == nil {
		err = a.play(ctx)
	}
	if ctx.Err() != nil {
		return nil // told to stop; there is nothing to start again
	}
	if err != nil {
		a.log.say("cannot start: %s", err)
		a.reports.set(false, err.Error(), nil)
		a.ballot.refuse(ctx, err)
	}
	return err
}

// play runs what the user data asks for. Whatever must happen before the first
// process starts belongs here.
func (a *agent) play(ctx context.Context) error {
	if err := a.fits(); err != nil {
		return err
	}
	a.log.say("%s is %s in %s of %s, commit %s", a.instance, a.userData.Role, a.userData.Environment, a.userData.Application, a.commit())
	types, err := a.types()
	if err != nil {
		return err
	}
	base, err := portBase(a.Environ)
	if err != nil {
		return err
	}
	settings, err := a.settings(ctx)
	if err != nil {
		return passing{err}
	}
	if a.own, err = a.ownDatabase(base); err != nil {
		return err
	}
	calls := a.calls(types, settings, base)
	if a.userData.Release {
		return a.serveRelease(ctx, calls)
	}
	return a.stay(ctx, types, calls)
}

// stay is the life of a server that works until it is told to stop, or until
// its group lets it go.
func (a *agent) stay(ctx context.Context, types []string, calls map[string]Call) error {
	shift, end := a.begin(ctx)
	defer end()
	if a.userData.Singleton {
		if err := a.alone(shift.duty); err != nil {
			a.reports.set(false, shift.why(), nil)
			return a.depart(ctx, shift)
		}
	}
	if a.own != nil {
		stop, err := a.keepDatabase(shift.work, a.own, calls[types[0]])
		if err != nil {
			a.idle(shift.duty, err)
			return a.depart(ctx, shift)
		}
		defer stop()
	}
	if err := a.prepare(shift.work, types, calls); err != nil {
		a.idle(shift.duty, err)
		return a.depart(ctx, shift)
	}
	a.serve(shift, types, calls)
	return a.depart(ctx, shift)
}

// prepare runs what must have run before the processes of the role start, once.
func (a *agent) prepare(ctx context.Context, types []string, calls map[string]Call) error {
	seed := calls[types[0]]
	if slices.Contains(types, contract.ReleaseProcess) {
		if err := a.once(ctx, release, calls[contract.ReleaseProcess]); err != nil {
			return err
		}
		delete(calls, contract.ReleaseProcess)
	}
	if a.userData.Seed == "" {
		return nil
	}
	seed.Shell, seed.Out = procfile.Process{Command: a.userData.Seed}.Shell(), a.log.process(seeding.name)
	return a.once(ctx, seeding, seed)
}

// serve keeps the processes running and watches whether the server is ready.
func (a *agent) serve(shift *shift, types []string, calls map[string]Call) {
	staff := newStaff(a.Start, a.log, a.userData.DrainTime())
	for _, t := range types {
		if call, ok := calls[t]; ok {
			staff.hire(t, call)
		}
	}
	watch := &watch{staff: staff, reports: a.reports, ballot: a.ballot, conditions: a.conditions(staff, calls)}
	watched := make(chan struct{})
	go func() { defer close(watched); watch.run(shift.duty) }()
	staff.work(shift)
	<-watched
	a.reports.set(false, shift.why(), staff.states())
	a.log.say("everything has ended")
}

// depart ends a shift when nothing runs any more.
func (a *agent) depart(ctx context.Context, shift *shift) error {
	<-shift.watched
	if !shift.dismissed.IsZero() {
		a.farewell(ctx, shift.dismissed)
	}
	return nil
}
