package recall

import (
	"cmp"
	"context"
	"time"

	"bitbucket.org/fearless/pipes/shared/account"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/release"
)

// recaller is one run of the pipe.
type recaller struct {
	rt    *pipe.Runtime
	s     *Settings
	op    *release.Operator
	proof *ledger.Ledger // of PROVEN_IN; that of the operator where it is the same

	commit string // that is brought back, once it is known; others may do much meanwhile
	told   bool   // what will happen
	result *Result
}

// Run does what the settings ask for.
func Run(ctx context.Context, rt *pipe.Runtime, s Settings) (pipe.Result, error) {
	r := &recaller{rt: rt, s: &s, result: &Result{Application: s.Application, Environment: s.Environment, Reason: s.Reason}}
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	if s.Action == ActionLiftHold {
		return r.lift(ctx)
	}
	return release.GivingWay(ctx, r.op, func() (*Result, error) { return r.recall(ctx) })
}

// open starts the session and says whose account it is.
func (r *recaller) open(ctx context.Context) error {
	role := Name
	if r.s.Action == ActionPlan {
		role = "plan"
	}
	session, err := account.Open(ctx, r.s.AWS, account.Options{
		Pipe: Name, Role: role, Application: r.s.Application, Duration: r.s.Timeout.Std() + account.Margin, Transport: r.rt.World.Transport,
	})
	if err != nil {
		return err
	}
	for _, note := range session.Notes {
		r.rt.Console.Warn("%s", note)
	}
	r.rt.Console.Info("AWS %s", session)
	r.op = &release.Operator{
		Clients: release.Connect(session, r.s.Bucket), Console: r.rt.Console, Application: r.s.Application, Environment: r.s.Environment, Build: r.s.BuildNumber,
		Look: r.s.Action == ActionPlan, Logs: "logs/" + r.s.Application + "/" + r.s.Environment,
		By: release.By(Name, r.rt.World.Version, r.s.Settings),
	}
	r.op.Ledger = r.book(r.s.Environment)
	r.proof = r.op.Ledger
	if r.s.ProvenIn != r.s.Environment {
		r.proof = r.book(r.s.ProvenIn)
	}
	return nil
}

// book is the ledger of an environment.
func (r *recaller) book(environment string) *ledger.Ledger {
	return &ledger.Ledger{API: r.op.S3, Bucket: r.op.Bucket, Application: r.s.Application, Environment: environment}
}

// stackName is that of the servers.
func (r *recaller) stackName() string { return r.s.Application + "-" + r.s.Environment }

// recall looks, decides and takes one step, until the environment runs the target.
func (r *recaller) recall(ctx context.Context) (*Result, error) {
	for {
		f, err := r.look(ctx)
		if err != nil {
			return nil, err
		}
		t, next, err := r.decide(ctx, f)
		if err != nil {
			return nil, err
		}
		r.tell(f, t, next)
		if r.s.Action == ActionPlan {
			r.rt.Console.Success("This is a plan: nothing was changed")
			return r.conclude(OutcomePlanned), nil
		}
		began := time.Now()
		switch next {
		case stepNone:
			return r.arrived(ctx, f, t)
		case stepFollow:
			return r.follow(ctx, f, t)
		case stepUpdate:
			return r.update(ctx, f, t)
		case stepCancel:
			err = r.cancel(ctx, f, t)
		case stepMend:
			err = r.op.Mend(ctx, f.servers)
		case stepWait:
			err = r.op.Wait(ctx, f.servers)
		}
		r.waited(began)
		if err != nil {
			return nil, err
		}
	}
}

// waited counts the time since a moment as that of others.
func (r *recaller) waited(since time.Time) { r.result.World += time.Since(since).Seconds() }

// conclude fills the result with how it ended.
func (r *recaller) conclude(outcome string) *Result {
	took := time.Since(r.rt.Started).Seconds()
	r.result.Outcome, r.result.Seconds = outcome, took
	if r.result.World > 0 {
		r.result.Ours = took - r.result.World
	}
	return r.result
}

// serviceRole is the role with which CloudFormation is to work: the one that the settings
// name, or that account.yml made.
func (r *recaller) serviceRole(ctx context.Context) (string, error) {
	if r.s.ServersRole != "" {
		return r.s.ServersRole, nil
	}
	const name = "servers-role"
	made, err := r.op.Made(ctx, "/fearless/deploy/"+r.s.Application+"/", name)
	if err == nil && made[name] == "" {
		r.rt.Console.Info("account.yml made no service role for the servers of %s: CloudFormation works with the rights of this pipe's own role", r.s.Application)
	}
	return made[name], err
}

// unable gives an error the exit code of what could not be done, unless it has its own.
func unable(err error) error {
	if err == nil || exit.CodeOf(err) != exit.Unable {
		return err
	}
	return exit.Unablef("%w", err)
}

// why is the reason as it stands in the ledger's words about others.
func (r *recaller) why() string { return cmp.Or(r.s.Reason, "no reason was given") }
