package release

import (
	"context"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// FollowCreation goes along with the creation of a stack, from its beginning, whoever began
// it: servers that become ready, launches that are refused, the words of the first server
// that fails. How the creation is undone when it fails is the stack's own business.
func (o *Operator) FollowCreation(ctx context.Context, now *stack.Stack) (*Ending, error) {
	// All of it: where a failed creation deletes the stack, that is an operation of its own,
	// and it may have begun already.
	earlier, err := stack.Events(ctx, o.CFN, now.ID, "")
	if err != nil {
		return nil, unable(err)
	}
	after := ""
	if len(earlier) > 0 {
		after = earlier[len(earlier)-1].ID
	}
	wanted := map[string]int{}
	for _, role := range o.Roles {
		wanted[role.Group] = role.Min
	}
	story := newStory(o.Console, o.Roles, wanted, 0)
	story.catchUp(earlier)
	final, events, err := stack.Follow(ctx, o.CFN, now.ID, after, o.listening(story))
	if err != nil {
		return nil, exit.Unablef("%w; the creation goes on in CloudFormation", err).Hint("run the pipe again to follow it")
	}
	return &Ending{Stack: final, Events: append(earlier, events...), story: story}, nil
}

// Refused reports whether it failed because AWS did not launch a server, and what to do.
func (e *Ending) Refused() (hints []string, refused bool) {
	_, launch := e.story.failure(e.Stack, e.Events)
	if launch == nil {
		return nil, false
	}
	return launch.hints(), true
}

// Failing is the first server that said it failed; blank: none did.
func (e *Ending) Failing() string { return e.story.failing }

// Ready are the servers of a group that said they are ready.
func (e *Ending) Ready(group string) []string {
	var servers []string
	for server := range e.story.ready[group] {
		servers = append(servers, server)
	}
	return servers
}
