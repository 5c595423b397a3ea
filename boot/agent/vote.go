package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// Stacks is the part of CloudFormation that is used.
type Stacks interface {
	SignalResource(context.Context, *cloudformation.SignalResourceInput, ...func(*cloudformation.Options)) (*cloudformation.SignalResourceOutput, error)
}

const (
	// voteFile remembers the vote: a server has one, however often boot starts.
	voteFile = "/var/lib/fearless/signal.json"
	// voteAgain is the pause after a vote that did not arrive.
	voteAgain = 5 * time.Second
	// voteLast is what a vote may take once the server was told to stop.
	voteLast = 10 * time.Second
	// voteEarly is how long before CloudFormation's patience ends a server
	// says that it failed; at most a quarter of that patience. Afterwards
	// nobody would be told which server it was.
	voteEarly = 30 * time.Second
	// settingsPatience is how long the rights of a new instance role may take
	// to reach Parameter Store, generously.
	settingsPatience = 2 * time.Minute
)

// voteMark is the content of voteFile.
type voteMark struct {
	Instance string    `json:"instance"`
	First    time.Time `json:"first"` // when boot first ran on this server
	Signal   string    `json:"signal"`
}

// ballot is the one vote that a server has on whether its deploy succeeds.
//
// CloudFormation counts signals by the logical id of the group, and while it
// replaces a group the old one has the same: a server that the old group
// launches at that moment would vote for a version that it does not run. So a
// server votes only while CloudFormation can be waiting for its own group.
type ballot struct {
	agent *agent
	file  string
	mark  voteMark

	over    bool      // voted, or not asked
	until   time.Time // when CloudFormation's patience ends; zero: not known yet
	next    time.Time // not before
	late    bool      // said that time runs out
	problem string    // said already
}

// newBallot reads whether the server has voted.
func newBallot(a *agent) (*ballot, error) {
	b := &ballot{agent: a, file: a.path(voteFile), over: !a.userData.Signal}
	if b.over {
		return b, nil
	}
	var err error
	if b.mark, err = readMark[voteMark](b.file); err == nil && b.mark.Instance != a.instance {
		b.mark = voteMark{Instance: a.instance, First: time.Now().UTC()}
		err = writeMark(b.file, b.mark)
	}
	if err != nil {
		return b, fmt.Errorf("cannot tell whether this server has signalled: %w", err)
	}
	b.over = b.mark.Signal != ""
	return b, nil
}

// turn votes when it is time to: for success once the server is ready, for
// failure when there is no hope, or hardly any time, that it ever will be.
// Whatever goes wrong is tried again in a later turn.
func (b *ballot) turn(ctx context.Context, ready bool, hopeless string) {
	if b.over || time.Now().Before(b.next) {
		return
	}
	if !ready && hopeless == "" && !b.pressing(ctx) {
		return
	}
	// What was true when the server started may not be any more.
	if !b.learn(ctx) {
		return
	}
	signal := types.ResourceSignalStatusFailure
	if ready {
		signal = types.ResourceSignalStatusSuccess
	}
	b.cast(ctx, signal)
}

// pressing reports that a server which is not ready must say so now.
func (b *ballot) pressing(ctx context.Context) bool {
	if b.until.IsZero() && !b.learn(ctx) {
		return false
	}
	patience := b.agent.userData.ReadyTime()
	early := min(voteEarly, patience/4)
	// A server that started when the time was nearly over proves nothing.
	if b.until.Sub(b.mark.First) < 2*early || time.Now().Before(b.until.Add(-early)) {
		return false
	}
	if !b.late {
		b.late = true
		b.agent.log.say("not ready in time: CloudFormation waits for %s", patience)
	}
	return true
}

// refuse votes for failure because the server cannot even start. systemd starts
// boot again; what may pass by itself has settingsPatience to do so, the rest
// is a refusal that no other start would change.
func (b *ballot) refuse(ctx context.Context, err error) {
	var maybe passing
	if errors.As(err, &maybe) && time.Since(b.mark.First) < settingsPatience {
		b.turn(ctx, false, "")
		return
	}
	b.insist(ctx, false, time.Minute)
}

// passing is an error that another start of boot may not meet.
type passing struct{ error }

func (p passing) Unwrap() error { return p.error }

// insist votes for those who have nothing else to do. Being told to stop leaves
// it voteLast.
func (b *ballot) insist(ctx context.Context, ready bool, within time.Duration) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(voteLast, cancel) })()
	for {
		b.turn(bounded, ready, "nothing more will be tried")
		if b.over {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-bounded.Done():
			return
		case <-time.After(voteAgain):
		}
	}
}

// learn finds out whether CloudFormation can be waiting for this server, and
// until when. It reports whether there is something to vote on.
func (b *ballot) learn(ctx context.Context) bool {
	until, refusal, err := b.right(ctx)
	if err != nil {
		// A group is older than its servers: nobody waits for ever.
		if until = b.own(); time.Now().Before(until) {
			b.later(ctx, "no signal yet: "+cause(err))
			return false
		}
	}
	b.until = until
	if refusal == "" && !time.Now().Before(until) {
		refusal = fmt.Sprintf("nobody waits for this server any more, CloudFormation did so for %s until %s",
			b.agent.userData.ReadyTime(), until.UTC().Format(time.DateTime))
	}
	if refusal != "" {
		b.over = true
		b.agent.log.say("no signal: %s", refusal)
		return false
	}
	return true
}

// right says until when the server may vote, or why it may not. The age that
// counts is that of whatever CloudFormation creates and waits for: a group
// that is replaced; or the server itself, where it stands alone (release) or
// where its group stays and is emptied and filled again (singleton). In the
// last case the versions of the launch template tell old servers from new.
func (b *ballot) right(ctx context.Context) (until time.Time, refusal string, err error) {
	u := b.agent.userData
	if u.Release {
		return b.own(), "", nil
	}
	group, err := b.agent.group(ctx)
	switch {
	case err != nil:
		return time.Time{}, "", err
	case group.newer != "":
		return b.own(), fmt.Sprintf("this server belongs to the old group %s, the new one is %s", group.name, group.newer), nil
	case !u.Singleton:
		return group.created.Add(u.ReadyTime()), "", nil
	case group.mine != "" && group.wanted != "" && group.mine != group.wanted:
		return b.own(), fmt.Sprintf("this server was started from version %s of the launch template, its group starts version %s now", group.mine, group.wanted), nil
	}
	return b.own(), "", nil
}

// own is when the patience for a server ends that is judged by its own age.
func (b *ballot) own() time.Time { return b.mark.First.Add(b.agent.userData.ReadyTime()) }

// cast sends the signal, after everything that people will look for then.
func (b *ballot) cast(ctx context.Context, signal types.ResourceSignalStatus) {
	a := b.agent
	a.reports.flush(ctx)
	ctx, cancel := context.WithTimeout(ctx, callBound)
	defer cancel()
	_, err := a.cloud.Stacks.SignalResource(ctx, &cloudformation.SignalResourceInput{
		StackName: aws.String(a.userData.Stack), LogicalResourceId: aws.String(a.userData.Resource),
		UniqueId: aws.String(a.instance), Status: signal,
	})
	if err != nil {
		b.later(ctx, fmt.Sprintf("cannot signal %s: %s", signal, cause(err)))
		return
	}
	b.over = true
	a.log.say("signalled %s to %s of the stack %s", signal, a.userData.Resource, a.userData.Stack)
	b.mark.Signal = string(signal)
	if err := writeMark(b.file, b.mark); err != nil {
		a.log.say("cannot note the signal: %s", err)
	}
}

// later gives the vote another chance, and says what went wrong once.
func (b *ballot) later(ctx context.Context, problem string) {
	b.next = time.Now().Add(voteAgain)
	if problem != b.problem && ctx.Err() == nil {
		b.problem = problem
		b.agent.log.say("%s", problem)
	}
}
