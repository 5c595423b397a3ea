package testenv

import (
	"context"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/release"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// looksAtState is how often a server's state is looked for, a second apart: it is uploaded
// with the server's word, or soon after.
const looksAtState = 5

// operator follows the stack of an environment, as that of any servers.
func (r *run) operator(name string) *release.Operator {
	return &release.Operator{
		Clients: r.Clients, Console: r.rt.Console, Application: r.s.Application, Environment: kindTest, Build: r.s.BuildNumber,
		Roles: []release.Role{{Name: contract.RoleAll, Group: environment.GroupOfTests, Min: 1, Max: 1}},
		Logs:  environment.TestLogs(r.s.Application, name),
	}
}

// follow follows a creation to its end, and makes sure that somebody can see it.
func (r *run) follow(ctx context.Context, e Environment) (*Result, error) {
	ending, err := r.operator(e.Stack.Name).FollowCreation(ctx, e.Stack)
	if err != nil {
		return nil, err
	}
	final := ending.Stack
	if !ending.Good() {
		return r.stillborn(ctx, e, ending)
	}
	live := environmentOf(final)
	live.Armed = e.Armed
	if err := r.ensure(ctx, &live); err != nil {
		return nil, err
	}
	for _, server := range ending.Ready(environment.GroupOfTests) {
		if why := r.unknowing(ctx, live, server); why != nil {
			return r.unfit(ctx, live, why)
		}
	}
	if why := r.visit(ctx, live.URL+final.Outputs[environment.OutputHealth], final.Outputs[environment.OutputTargets]); why != nil {
		return r.unfit(ctx, live, why)
	}
	r.rt.Console.Success("%s shows commit %.12s %s", live.URL, live.Commit, r.until(live.ends()))
	return r.result(live, OutcomeCreated), nil
}

// inUse recognises that somebody else was a moment earlier with a rule's priority.
var inUse = regexp.MustCompile(`Priority '?\d+'? is currently in use|PriorityInUse`)

// stillborn says why a creation has failed, and sees to it that nothing is left, or that
// it stays to be looked at. No error and no result: another turn may work.
func (r *run) stillborn(ctx context.Context, e Environment, ending *release.Ending) (*Result, error) {
	e.Stack = ending.Stack
	_, armed, err := r.schedule(ctx, e.Stack.Name)
	if err != nil {
		return nil, err
	}
	cause := stack.Cause(ending.Events)
	again := cause != nil && inUse.MatchString(cause.Reason)
	kept := e.kept() && r.s.KeepFailed && !again
	switch {
	case kept:
	case e.Stack.Status == stack.DeleteComplete:
		r.done(ctx, e.Stack.Name, armed)
	default:
		r.removeOrSay(ctx, e)
	}
	switch {
	case again:
		r.rt.Console.Info("Another environment has taken the place among the rules of the balancer: trying another one")
		return nil, nil
	case deleted(ending.Events) && (cause == nil || strings.Contains(cause.Reason, "cancelled")):
		return r.result(e, OutcomeFailed), exit.Refusedf("the environment of commit %.12s was destroyed while it was created", e.Commit)
	}
	why := failure(e, ending, cause)
	if kept {
		return r.result(e, OutcomeKept), why.Hint("it is kept "+r.until(e.ends())+", as KEEP_FAILED asks; stack "+e.Stack.Name,
			"remove it with ACTION: destroy and COMMIT: '"+e.Commit+"'")
	}
	return r.result(e, OutcomeFailed), why.Hint("it was removed; with KEEP_FAILED: 'true' it stays to be looked at")
}

// failure is why an environment was not created. It is the commit's, when its server is
// what failed; else it is ours, or AWS's.
func failure(e Environment, ending *release.Ending, cause *stack.Event) *exit.Error {
	hints, refused := ending.Refused()
	if refused || ending.Failing() == "" && (cause == nil || cause.LogicalID != environment.GroupOfTests) {
		return exit.Unablef("the environment of commit %.12s cannot be created: %s", e.Commit, ending.Why()).Hint(hints...)
	}
	return exit.Refusedf("commit %.12s does not become healthy: %s", e.Commit, ending.Why())
}

// removeOrSay removes what failed. What resists is not ours to insist on: its schedule
// is armed.
func (r *run) removeOrSay(ctx context.Context, e Environment) {
	if err := r.remove(ctx, e); err != nil {
		r.rt.Console.Warn("%v; its schedule or the nightly run removes the rest", err)
	}
}

// deleted reports whether somebody has deleted a stack while it was made.
func deleted(events []stack.Event) bool {
	for _, e := range events {
		if e.Own() && e.Status == string(stack.DeleteInProgress) {
			return true
		}
	}
	return false
}

// unfit ends an environment that is there and is of no use.
func (r *run) unfit(ctx context.Context, e Environment, why *exit.Error) (*Result, error) {
	if r.s.KeepFailed {
		return r.result(e, OutcomeKept), why.Hint("it is kept " + r.until(e.ends()) + ", as KEEP_FAILED asks")
	}
	r.removeOrSay(ctx, e)
	return r.result(e, OutcomeFailed), why.Hint("it was removed; with KEEP_FAILED: 'true' it stays to be looked at")
}

// unknowing finds out whether the boot agent of the image knows what the server was told.
// An older one ignores what came later, and is ready all the same.
func (r *run) unknowing(ctx context.Context, e Environment, server string) *exit.Error {
	file, err := r.file()
	needs := map[string]bool{"seed": r.s.Seed != "" || err == nil && file.Seed != "", "database": err == nil && file.Database != environment.DatabaseNone}
	if server == "" || !needs["seed"] && !needs["database"] {
		return nil
	}
	state, err := r.state(ctx, e.Stack.Name, server)
	for n := 0; err != nil && n < looksAtState; n++ {
		if err := stack.Pause(ctx, time.Second); err != nil {
			return exit.Unablef("%w", err)
		}
		state, err = r.state(ctx, e.Stack.Name, server)
	}
	if err != nil {
		return exit.Unablef("it cannot be told what the boot agent of the server knows: %w", err)
	}
	for _, key := range []string{"database", "seed"} {
		if needs[key] && !slices.Contains(state.Knows, key) {
			return exit.Refusedf("the boot agent of the image is older than %s in environments/test.yml, and has ignored it", key).
				Hint("bake the commit again: pipe fearless/ami-bake with COMMIT: '" + e.Commit + "' and BASE_MAX_AGE: 0d")
		}
	}
	return nil
}

// state is what a server says about itself.
func (r *run) state(ctx context.Context, name, server string) (contract.State, error) {
	place := contract.Place{Bucket: r.Bucket, Prefix: environment.TestLogs(r.s.Application, name)}
	key := place.State(contract.RoleAll, server)
	out, err := r.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &r.Bucket, Key: &key})
	if err != nil {
		return contract.State{}, err
	}
	defer func() { _ = out.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(out.Body, 64<<10))
	if err != nil {
		return contract.State{}, err
	}
	return contract.ParseState(content)
}

// quietly follows without a line for each event.
func (r *run) quietly(_ context.Context, now *stack.Stack, _ []stack.Event) error {
	r.waiting.Update("%s is %s", now.Name, now.Status)
	return nil
}
