package testenv

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// looksAtState is how often a server's state is looked for, a second apart: it is uploaded
// with the server's word, or soon after.
const looksAtState = 5

// tailOfLog is how much of a failing server's log is shown, in lines.
const tailOfLog = 40

// signal recognises the event in which CloudFormation tells of a server's word.
var signal = regexp.MustCompile(`Received (SUCCESS|FAILURE) signal with UniqueId (\S+)`)

// birth is what is seen of a creation.
type birth struct {
	r      *run
	server string // that gave its word
	failed bool
	words  string // what it left in the bucket when it failed, read at once
}

// watch is a stack.Watcher.
func (b *birth) watch(ctx context.Context, now *stack.Stack, news []stack.Event) error {
	for _, e := range news {
		if m := signal.FindStringSubmatch(e.Reason); m != nil {
			b.signalled(ctx, m[1], m[2], now.Name)
			continue
		}
		switch {
		case e.Failed():
			b.r.rt.Console.Warn("%s %s: %s", e.LogicalID, strings.ToLower(e.Status), e.Reason)
		case e.Own():
			b.r.rt.Console.Debug("stack: %s %s", e.Status, e.Reason)
		default:
			b.r.rt.Console.Debug("%s (%s): %s %s", e.LogicalID, e.Type, e.Status, e.Reason)
		}
	}
	if now.Status.Busy() {
		b.r.waiting.Update("%s is %s", now.Name, now.Status)
	}
	return nil
}

func (b *birth) signalled(ctx context.Context, word, server, name string) {
	b.server = server
	if word != "FAILURE" {
		b.r.rt.Console.Info("Server %s is ready", server)
		return
	}
	b.failed = true
	b.r.rt.Console.Warn("Server %s says that it failed", server)
	b.words = b.r.serverWords(ctx, name, server)
}

// follow follows a creation to its end, and makes sure that somebody can see it.
func (r *run) follow(ctx context.Context, e Environment, after string, earlier []stack.Event) (*Result, error) {
	b := &birth{r: r}
	if err := b.watch(ctx, e.Stack, earlier); err != nil {
		return nil, err
	}
	final, events, err := stack.Follow(ctx, r.cfn, e.Stack.ID, after, b.watch)
	if err != nil {
		return nil, exit.Unablef("%w; the creation goes on in CloudFormation", err).
			Hint("run the pipe again to follow it; it ends " + r.at(e.ends()) + " in any case")
	}
	if !final.Status.Good() {
		return r.stillborn(ctx, e, final, append(earlier, events...), b)
	}
	live := environmentOf(final)
	live.Armed = e.Armed
	if why := r.unknowing(ctx, live, b.server); why != nil {
		return r.unfit(ctx, live, why)
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
func (r *run) stillborn(ctx context.Context, e Environment, final *stack.Stack, events []stack.Event, b *birth) (*Result, error) {
	e.Stack = final
	cause := stack.Cause(events)
	again := cause != nil && inUse.MatchString(cause.Reason)
	kept := final.Status == stack.CreateFailed && r.s.KeepFailed && !again
	switch {
	case kept:
	case final.Status == stack.DeleteComplete:
		r.done(ctx, final.Name)
	default:
		r.removeOrSay(ctx, e)
	}
	switch {
	case again:
		r.rt.Console.Info("Another environment has taken the place among the rules of the balancer: trying another one")
		return nil, nil
	case cause == nil && deleted(events):
		return r.result(e, OutcomeFailed), exit.Refusedf("the environment of commit %.12s was destroyed while it was created", e.Commit)
	}
	err := b.failure(e, final, cause)
	if kept {
		return r.result(e, OutcomeKept), err.Hint("it is kept "+r.until(e.ends())+", as KEEP_FAILED asks; stack "+final.Name,
			"remove it with ACTION: destroy and COMMIT: '"+e.Commit+"'")
	}
	return r.result(e, OutcomeFailed), err.Hint("it was removed; with KEEP_FAILED: 'true' it stays to be looked at")
}

// failure is why an environment was not created. It is the commit's, when its server is
// what failed; else it is ours to mend.
func (b *birth) failure(e Environment, final *stack.Stack, cause *stack.Event) *exit.Error {
	why := b.words
	switch {
	case why != "":
	case cause != nil:
		why = cause.LogicalID + ": " + cause.Reason
	default:
		why = string(final.Status) + " " + final.Reason
	}
	if !b.failed && (cause == nil || cause.LogicalID != environment.GroupOfTests) {
		return exit.Unablef("the environment of commit %.12s cannot be created: %s", e.Commit, why)
	}
	return exit.Refusedf("commit %.12s does not become healthy: %s", e.Commit, why)
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

// serverWords shows what a server left in the bucket before it said that it failed: why,
// and the end of its log.
func (r *run) serverWords(ctx context.Context, name, server string) string {
	place := r.place(name)
	if log, err := r.object(ctx, place.Log(contract.RoleAll, server)); err == nil && log != "" {
		lines := strings.Split(strings.TrimRight(log, "\n"), "\n")
		r.rt.Console.Output(server, strings.Join(lines[max(0, len(lines)-tailOfLog):], "\n"))
	}
	if state, err := r.state(ctx, name, server); err == nil && state.Reason != "" {
		return fmt.Sprintf("server %s: %s", server, state.Reason)
	}
	return ""
}

func (r *run) place(name string) contract.Place {
	return contract.Place{Bucket: r.bucket, Prefix: environment.TestLogs(r.s.Application, name)}
}

func (r *run) state(ctx context.Context, name, server string) (contract.State, error) {
	text, err := r.object(ctx, r.place(name).State(contract.RoleAll, server))
	if err != nil {
		return contract.State{}, err
	}
	return contract.ParseState([]byte(text))
}

// object reads a small object.
func (r *run) object(ctx context.Context, key string) (string, error) {
	out, err := r.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &r.bucket, Key: &key})
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(out.Body, 512<<10))
	return string(content), err
}

// quietly follows without a line for each event.
func (r *run) quietly(_ context.Context, now *stack.Stack, _ []stack.Event) error {
	r.waiting.Update("%s is %s", now.Name, now.Status)
	return nil
}
