package release

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// tailOfLog is how much of a failing server's log is shown, in lines.
const tailOfLog = 40

// listening is the story's watcher, which also hears out the first server that fails, as
// soon as it says so, and looks after the groups.
func (o *Operator) listening(s *story) stack.Watcher {
	heard, fleet := false, o.fleet(s)
	return func(ctx context.Context, now *stack.Stack, news []stack.Event) error {
		if err := s.watch(ctx, now, news); err != nil {
			return err
		}
		if now.Status == stack.UpdateCompleteCleanup {
			o.cameThrough(ctx, durations(s.events))
		}
		if s.failing != "" && !heard {
			heard = true
			s.words = o.serverWords(ctx, s.failing)
		}
		return fleet.watch(ctx, now, news)
	}
}

// timedOut recognises CloudFormation's account of servers that it has waited for in vain.
var timedOut = regexp.MustCompile(`Failed to receive \d+ resource signal`)

// failure is why an update did not work: the first cause, not its consequences. A server
// that was never launched says nothing, and CloudFormation only that it has waited.
func (s *story) failure(final *stack.Stack, events []stack.Event) (why string, launch *refusal) {
	if cause := stack.Cause(events); cause != nil && timedOut.MatchString(cause.Reason) {
		if r, ok := s.refused[cause.LogicalID]; ok {
			return fmt.Sprintf("role %s: not all servers could be launched: %s", s.who(cause.LogicalID), r.words), &r
		}
	}
	if s.words != "" {
		return s.words, nil
	}
	return Why(final, events), nil
}

// Why is the failure of an operation in one sentence.
func Why(final *stack.Stack, events []stack.Event) string {
	cause := stack.Cause(events)
	if back := takenBack(events); back != "" && (cause == nil || strings.Contains(cause.Reason, "cancelled")) {
		return back
	}
	if cause != nil {
		return fmt.Sprintf("%s: %s", cause.LogicalID, cause.Reason)
	}
	if final.Reason != "" {
		return string(final.Status) + ": " + final.Reason
	}
	return string(final.Status)
}

// takenBack is why CloudFormation turned around, in its own words, when no resource failed:
// a person has cancelled the update, or an alarm went off.
func takenBack(events []stack.Event) string {
	for _, e := range events {
		if !e.Own() || !strings.HasSuffix(e.Status, "ROLLBACK_IN_PROGRESS") {
			continue
		}
		if byAPerson(e) {
			return "somebody cancelled the update (" + e.Reason + ")"
		}
		return e.Reason
	}
	return ""
}

func byAPerson(turn stack.Event) bool {
	return strings.Contains(turn.Reason, "cancelled") || turn.Reason == "User Initiated"
}

// cancelled reports whether somebody stopped the update, before anything else could.
func cancelled(events []stack.Event) bool {
	for _, e := range events {
		if e.Own() && strings.HasSuffix(e.Status, "ROLLBACK_IN_PROGRESS") {
			return byAPerson(e)
		}
	}
	return false
}

// serverWords shows what a server left in the bucket before it said that it failed:
// why, and the end of its log. A server that could not even do that has no words.
func (o *Operator) serverWords(ctx context.Context, server string) string {
	place := contract.Place{Bucket: o.Bucket, Prefix: o.Logs}
	for _, role := range append(o.roleNames(), contract.ReleaseProcess) {
		log, err := o.object(ctx, place.Log(role, server))
		if err != nil || log == "" {
			continue
		}
		lines := strings.Split(strings.TrimRight(log, "\n"), "\n")
		o.Console.Output(role+" "+server, strings.Join(lines[max(0, len(lines)-tailOfLog):], "\n"))
		if state, err := o.object(ctx, place.State(role, server)); err == nil && state != "" {
			if parsed, err := contract.ParseState([]byte(state)); err == nil && parsed.Reason != "" {
				return fmt.Sprintf("server %s: %s", server, parsed.Reason)
			}
		}
		return ""
	}
	return ""
}

func (o *Operator) roleNames() []string {
	var names []string
	for _, r := range o.Roles {
		names = append(names, r.Name)
	}
	return names
}

// object reads a small object; one that is not there is empty.
func (o *Operator) object(ctx context.Context, key string) (string, error) {
	out, err := o.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(o.Bucket), Key: &key})
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(out.Body, 512<<10))
	return string(content), err
}
