// Package scheduler plays Amazon EventBridge Scheduler: schedules that call an
// operation of AWS once. The one that our pipes schedule is CloudFormation's
// DeleteStack.
package scheduler

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// defaultGroup is the group that every account has.
const defaultGroup = "default"

// Surroundings are what schedules reach of the rest of the account.
type Surroundings struct {
	// Takes tells whether the service can take the role of an ARN.
	Takes func(role string) bool

	// Delete calls DeleteStack with the rights of a role.
	Delete func(role string, what Deletion) error
}

// Deletion is the request that a schedule makes, in the words of its target.
type Deletion struct {
	StackName          string
	RoleARN            string
	ClientRequestToken string
}

// Service is EventBridge Scheduler of one account.
type Service struct {
	world  *world.World
	around Surroundings

	open    context.Context //nolint:containedctx // ends with the service: schedules outlive the calls that make them
	shut    context.CancelFunc
	running sync.WaitGroup

	mu        sync.Mutex
	groups    map[string]bool
	schedules map[string]*schedule // by group and name
	removed   map[string]string    // group and name by the token of the delete
	counter   int64                // by which lists are ordered and paged
	failing   failing
}

// schedule is one schedule as it was asked for last.
type schedule struct {
	definition

	key, arn         string
	token            string // of the create
	created, changed time.Time
	ordinal          int64

	attempts int
	failure  string // of the last attempt
	done     bool   // its time has passed and its target was called, or given up
	disarm   context.CancelFunc
}

// New makes the service with the group that every account has.
func New(w *world.World, around Surroundings) *Service {
	s := &Service{
		world: w, around: around, groups: map[string]bool{defaultGroup: true},
		schedules: map[string]*schedule{}, removed: map[string]string{},
	}
	s.open, s.shut = context.WithCancel(context.Background())
	return s
}

// Wire is the service as the router takes it.
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:     "scheduler",
		Protocol: operation.RESTJSON,
		Actions: map[string]wire.Action{
			"CreateSchedule": wire.RESTJSON(s.create),
			"GetSchedule":    wire.RESTJSON(s.get),
			"UpdateSchedule": wire.RESTJSON(s.update),
			"DeleteSchedule": wire.RESTJSON(s.delete),
			"ListSchedules":  wire.RESTJSON(s.list),
		},
	}
}

// AddGroup makes a group of schedules.
func (s *Service) AddGroup(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups[name] = true
}

// Close ends all schedules without calling their targets.
func (s *Service) Close() {
	s.mu.Lock()
	s.shut()
	s.mu.Unlock()
	s.running.Wait()
}

// Schedule is a schedule as tests see it.
type Schedule struct {
	Group, Name string
	At          time.Time
	Role        string // ARN of the role that calls the target
	Deletes     Deletion

	Attempts int    // calls of the target until now
	Failure  string // of the last one, "" when it went well
	Done     bool   // no more calls will follow
}

// Schedules are all schedules in the order of creation.
func (s *Service) Schedules() []Schedule {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Schedule
	for _, x := range s.ordered() {
		all = append(all, Schedule{
			Group: x.GroupName, Name: x.Name, At: x.at, Role: x.Target.RoleArn, Deletes: x.deletes,
			Attempts: x.attempts, Failure: x.failure, Done: x.done,
		})
	}
	return all
}

// ordered are all schedules, the oldest first. The lock is held.
func (s *Service) ordered() []*schedule {
	all := make([]*schedule, 0, len(s.schedules))
	for _, x := range s.schedules {
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b *schedule) int { return int(a.ordinal - b.ordinal) })
	return all
}

func invalid(format string, args ...any) *wire.Error {
	return wire.Errorf("ValidationException", format, args...)
}

func missing(what, name string) *wire.Error {
	e := wire.Errorf("ResourceNotFoundException", "%s %s does not exist.", what, name)
	e.Status = http.StatusNotFound
	return e
}

func conflict(format string, args ...any) *wire.Error {
	e := wire.Errorf("ConflictException", format, args...)
	e.Status = http.StatusConflict
	return e
}
