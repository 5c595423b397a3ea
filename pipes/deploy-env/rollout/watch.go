package rollout

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// signal recognises the event in which CloudFormation tells of a server's word.
var signal = regexp.MustCompile(`Received (SUCCESS|FAILURE) signal with UniqueId (\S+)`)

// story tells an update as it happens: an event is worth a line when it is about
// something people know by name; servers are counted.
type story struct {
	log      *console.Console
	file     *environment.File
	wanted   map[string]int // servers of a group, by its logical id
	ready    map[string]map[string]bool
	failing  string // the first server that said it failed
	words    string // what it left in the bucket, read at once: it goes on writing while it ends
	back     bool   // CloudFormation takes the update back
	told     bool   // and that was said
	soak     time.Duration
	progress *console.Progress
	soaking  bool
}

func newStory(log *console.Console, file *environment.File, wanted map[string]int, soak time.Duration) *story {
	return &story{log: log, file: file, wanted: wanted, ready: map[string]map[string]bool{}, soak: soak, progress: log.Progress("CloudFormation")}
}

// watch is a stack.Watcher.
func (s *story) watch(_ context.Context, now *stack.Stack, news []stack.Event) error {
	for _, e := range news {
		s.event(e)
	}
	if !s.told && strings.Contains(string(now.Status), "ROLLBACK") {
		s.told = true
		s.log.Warn("CloudFormation takes the update back; the servers from before were not touched")
	}
	switch {
	case s.soaking && now.Status.Busy():
		s.progress.Update("%s: old and new servers both answer while the release is watched, for %s", now.Status, console.Duration(s.soak))
	case now.Status.Busy():
		s.progress.Update("%s", now.Status)
	}
	return nil
}

func (s *story) event(e stack.Event) {
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
	if e.Own() && strings.Contains(e.Status, "ROLLBACK") {
		s.back = true // from here on what completes is the way back
	}
	if !s.back && (e.Status == "UPDATE_COMPLETE" || e.Status == "CREATE_COMPLETE") {
		s.completed(e)
	}
}

// signalled counts a server's word.
func (s *story) signalled(resource, word, server string) {
	who := s.who(resource)
	if word == "FAILURE" {
		if s.failing == "" {
			s.failing = server
		}
		s.log.Warn("%s: server %s says that it failed", who, server)
		return
	}
	if s.ready[resource] == nil {
		s.ready[resource] = map[string]bool{}
	}
	s.ready[resource][server] = true
	s.log.Info("%s: %d of %d servers ready (%s)", who, len(s.ready[resource]), max(s.wanted[resource], len(s.ready[resource])), server)
}

// completed tells of groups and of the release process, and notes when nothing is left
// to be changed: then the soak begins.
func (s *story) completed(e stack.Event) {
	switch {
	case e.LogicalID == releaseID:
		s.log.Info("The release process is done")
	case s.isGroup(e.LogicalID):
		s.log.Info("%s: all servers ready", s.who(e.LogicalID))
		delete(s.wanted, e.LogicalID)
		s.soaking = len(s.wanted) == 0 && s.soak > 0
	}
}

func (s *story) isGroup(resource string) bool {
	return slices.ContainsFunc(s.file.Roles, func(r environment.Role) bool { return r.Group() == resource })
}

// who is the role of a resource, for people.
func (s *story) who(resource string) string {
	for _, r := range s.file.Roles {
		if r.Group() == resource {
			return r.Name
		}
	}
	if resource == releaseID {
		return "release"
	}
	return resource
}

// outcome is the failure in one sentence: the first cause, not its consequences.
func outcome(final *stack.Stack, events []stack.Event) string {
	if cause := stack.Cause(events); cause != nil {
		return fmt.Sprintf("%s: %s", cause.LogicalID, cause.Reason)
	}
	if final.Reason != "" {
		return string(final.Status) + ": " + final.Reason
	}
	return string(final.Status)
}

// releaseID is the logical id of the server that runs the release process.
const releaseID = "Release"
