package release

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// signal recognises the event in which CloudFormation tells of a server's word.
var signal = regexp.MustCompile(`Received (SUCCESS|FAILURE) signal with UniqueId (\S+)`)

// story tells an update as it happens: an event is worth a line when it is about
// something people know by name; servers are counted.
type story struct {
	log      *console.Console
	roles    []Role
	progress *console.Progress
	soak     time.Duration

	wanted map[string]int // servers of a group, by its logical id
	ready  map[string]map[string]bool
	open   map[string]bool // resources that CloudFormation is at
	done   map[string]bool // groups that are complete
	begun  map[string]bool // groups whose update has begun

	failing string // the first server that said it failed
	words   string // what it left in the bucket, read at once: it goes on writing while it ends
	refused map[string]refusal

	events []stack.Event // of the update, the oldest first

	back  bool      // CloudFormation takes the update back
	told  bool      // and that was said
	began time.Time // when the update did, by the clock of CloudFormation
	moved time.Time // when there was news the last time, by ours
}

func newStory(log *console.Console, roles []Role, wanted map[string]int, soak time.Duration) *story {
	return &story{
		log: log, roles: roles, progress: log.Progress("CloudFormation"), soak: soak, wanted: wanted,
		ready: map[string]map[string]bool{}, open: map[string]bool{}, done: map[string]bool{}, begun: map[string]bool{}, refused: map[string]refusal{},
	}
}

// catchUp takes in what has happened before we came, and says where the update stands.
func (s *story) catchUp(events []stack.Event) {
	for _, e := range events {
		s.note(e)
		if m := signal.FindStringSubmatch(e.Reason); m != nil {
			s.count(e.LogicalID, m[1], m[2])
		}
	}
	for _, role := range s.roles {
		switch group := role.Group; {
		case s.done[group]:
			s.log.Info("%s: all servers ready", role.Name)
		case len(s.ready[group]) > 0:
			s.log.Info("%s: %s so far", role.Name, s.readiness(group))
		}
	}
}

// watch is a stack.Watcher.
func (s *story) watch(_ context.Context, now *stack.Stack, news []stack.Event) error {
	for _, e := range news {
		s.event(e)
	}
	if !s.told && strings.Contains(string(now.Status), "ROLLBACK") {
		s.told = true
		s.log.Warn("CloudFormation takes the update back; %s", s.kept())
	}
	switch {
	case s.soaking(now):
		s.progress.Update("%s: old and new servers both answer while the release is watched, for %s", now.Status, console.Duration(s.soak))
	case now.Status.Busy():
		s.progress.Update("%s", now.Status)
	}
	return nil
}

// between is the longest time that CloudFormation takes from the end of one resource to
// the beginning of the next.
const between = 10 * time.Second

// kept says what an update that is taken back leaves alone. All groups are made anew but
// those of which there must never be two: their one server goes before the new one comes.
func (s *story) kept() string {
	var roles []string
	for _, r := range s.roles {
		if r.Singleton && s.begun[r.Group] {
			roles = append(roles, r.Name)
		}
	}
	if len(roles) == 0 {
		return "the servers from before were not touched"
	}
	return "the servers from before were not touched, but for " + strings.Join(roles, ", ") +
		", of which there are never two: that one is started again from the old image"
}

// soaking reports whether all is released and only being watched. CloudFormation has no
// word for it: it is at nothing, and says nothing, but is not done.
func (s *story) soaking(now *stack.Stack) bool {
	return now.Status == stack.UpdateInProgress && s.soak > 0 && len(s.done) > 0 && len(s.open) == 0 && time.Since(s.moved) >= between
}

func (s *story) event(e stack.Event) {
	s.note(e)
	if m := signal.FindStringSubmatch(e.Reason); m != nil {
		s.signalled(e.LogicalID, m[1], m[2])
		return
	}
	switch {
	case e.Failed():
		s.log.Warn("%s %s: %s", e.LogicalID, strings.ToLower(e.Status), e.Reason)
	case e.Own():
		s.log.Debug("stack: %s %s", e.Status, e.Reason)
	default:
		s.log.Debug("%s (%s): %s %s", e.LogicalID, e.Type, e.Status, e.Reason)
	}
	if !s.back && completes(e) {
		s.completed(e)
	}
}

// note keeps track of what CloudFormation is at.
func (s *story) note(e stack.Event) {
	s.moved = time.Now()
	s.events = append(s.events, e)
	if s.began.IsZero() {
		s.began = e.Time
	}
	switch {
	case e.Own():
		// From a rollback on, what completes is the way back.
		s.back = s.back || strings.Contains(e.Status, "ROLLBACK")
	case strings.HasSuffix(e.Status, "_IN_PROGRESS"):
		s.open[e.LogicalID] = true
		s.begun[e.LogicalID] = s.begun[e.LogicalID] || !s.back
	default:
		delete(s.open, e.LogicalID)
	}
	if !s.back && completes(e) && s.isGroup(e.LogicalID) {
		s.done[e.LogicalID] = true
	}
}

func completes(e stack.Event) bool {
	return e.Status == "UPDATE_COMPLETE" || e.Status == "CREATE_COMPLETE"
}

// count notes a server's word.
func (s *story) count(resource, word, server string) {
	if word == "FAILURE" {
		if s.failing == "" {
			s.failing = server
		}
		return
	}
	if s.ready[resource] == nil {
		s.ready[resource] = map[string]bool{}
	}
	s.ready[resource][server] = true
}

// signalled tells a server's word.
func (s *story) signalled(resource, word, server string) {
	s.count(resource, word, server)
	if word == "FAILURE" {
		s.log.Warn("%s: server %s says that it failed", s.who(resource), server)
		return
	}
	s.log.Info("%s: %s (%s)", s.who(resource), s.readiness(resource), server)
}

// readiness is how many servers are ready, of how many. There may be more than were
// wanted when scaling goes on meanwhile.
func (s *story) readiness(resource string) string {
	ready := len(s.ready[resource])
	return fmt.Sprintf("%d of %d servers ready", ready, max(s.wanted[resource], ready))
}

// completed tells of groups and of the release process.
func (s *story) completed(e stack.Event) {
	switch {
	case e.LogicalID == releaseID:
		s.log.Info("The release process is done")
	case s.isGroup(e.LogicalID):
		s.log.Info("%s: all servers ready", s.who(e.LogicalID))
	}
}

func (s *story) isGroup(resource string) bool {
	return slices.ContainsFunc(s.roles, func(r Role) bool { return r.Group == resource })
}

// who is the role of a resource, for people.
func (s *story) who(resource string) string {
	for _, r := range s.roles {
		if r.Group == resource {
			return r.Name
		}
	}
	if resource == releaseID {
		return "release"
	}
	return resource
}

// releaseID is the logical id of the server that runs the release process.
const releaseID = "Release"
