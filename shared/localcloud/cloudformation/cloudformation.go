package cloudformation

import (
	"strings"
	"sync"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Surroundings are what the engine knows of the rest of the account. What is
// nil does not exist.
type Surroundings struct {
	// Parameter reads Parameter Store; a name may end in :VERSION.
	Parameter func(name string) (value string, ok bool)

	// Secret reads the text of a secret by name or ARN.
	Secret func(id string) (value string, ok bool)

	// Object reads an object of S3, for templates that are too long to send.
	Object func(bucket, key string) (content []byte, ok bool)

	// Takes tells whether CloudFormation can take the role of an ARN.
	Takes func(role string) bool

	// Endpoint is the URL of this cloud, where its own S3 is found.
	Endpoint func() string

	// Zones are the availability zones, for Fn::GetAZs.
	Zones []string

	// Groups are Auto Scaling's, for rolling updates.
	Groups Groups
}

// Service is CloudFormation for one account.
type Service struct {
	world  *world.World
	around Surroundings
	types  map[string]resource.Type

	closing chan struct{}
	running sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	stacks   []*stack // in the order of creation, deleted ones too
	exports  map[string]export
	alarms   map[string]string
	refusals map[string]*refusal // by verb and logical id
	tokens   map[string]string
	counter  int64 // of events and change sets, by which lists are paged
}

// export is an output that other stacks import.
type export struct {
	value string
	stack *stack
}

// New makes the service with the resource types that it can make. Nothing
// runs before a change set is executed.
func New(w *world.World, around Surroundings, types ...resource.Type) *Service {
	s := &Service{
		world: w, around: around.complete(), types: map[string]resource.Type{}, closing: make(chan struct{}),
		exports: map[string]export{}, alarms: map[string]string{}, refusals: map[string]*refusal{}, tokens: map[string]string{},
	}
	for _, t := range types {
		s.types[t.Name] = t
	}
	return s
}

// complete makes what is missing empty, so that nobody asks for nil.
func (a Surroundings) complete() Surroundings {
	if a.Parameter == nil {
		a.Parameter = func(string) (string, bool) { return "", false }
	}
	if a.Secret == nil {
		a.Secret = func(string) (string, bool) { return "", false }
	}
	if a.Object == nil {
		a.Object = func(string, string) ([]byte, bool) { return nil, false }
	}
	if a.Endpoint == nil {
		a.Endpoint = func() string { return "" }
	}
	return a
}

// Wire is the service as the router takes it.
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "cloudformation",
		Protocol:  operation.Query,
		Version:   "2010-05-15",
		Namespace: "http://cloudformation.amazonaws.com/doc/2010-05-15/",
		Actions: map[string]wire.Action{
			"CreateChangeSet":             wire.Query(decodeCreateChangeSet, s.createChangeSet),
			"DescribeChangeSet":           wire.Query(decodeDescribeChangeSet, s.describeChangeSet),
			"ExecuteChangeSet":            wire.Query(decodeExecute, s.executeChangeSet),
			"DeleteChangeSet":             wire.Query(decodeChangeSet, s.deleteChangeSet),
			"ListChangeSets":              wire.Query(decodeListChangeSets, s.listChangeSets),
			"CreateStack":                 wire.Query(decodeCreateStack, s.createStack),
			"DescribeStacks":              wire.Query(decodeDescribeStacks, s.describeStacks),
			"DescribeStackEvents":         wire.Query(decodeStackPage, s.describeStackEvents),
			"DescribeStackResources":      wire.Query(decodeStackResources, s.describeStackResources),
			"ListStackResources":          wire.Query(decodeStackPage, s.listStackResources),
			"GetTemplate":                 wire.Query(decodeGetTemplate, s.getTemplate),
			"DeleteStack":                 wire.Query(decodeDelete, s.deleteStack),
			"CancelUpdateStack":           wire.Query(decodeCancel, s.cancelUpdateStack),
			"ContinueUpdateRollback":      wire.Query(decodeContinue, s.continueUpdateRollback),
			"SignalResource":              wire.Query(decodeSignal, s.signalResource),
			"UpdateTerminationProtection": wire.Query(decodeProtection, s.updateTerminationProtection),
		},
	}
}

// SetAlarm makes a CloudWatch alarm, or changes its state: OK, ALARM or
// INSUFFICIENT_DATA. An empty state removes it.
func (s *Service) SetAlarm(arn, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == "" {
		delete(s.alarms, arn)
		return
	}
	s.alarms[arn] = state
	for _, st := range s.stacks {
		st.nudge()
	}
}

// Close ends all operations where they stand and waits until they have ended.
func (s *Service) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	s.running.Wait()
}

// start runs a stack's operation unless the service is closed. The lock is held.
func (s *Service) start(run func()) {
	if !s.closed {
		s.running.Go(run)
	}
}

// poll is how often an operation looks at what it waits for: each second,
// more often in a cloud whose servers start within one.
func (s *Service) poll() time.Duration {
	if pending := s.world.Timing.Pending; pending > 0 && pending < time.Second {
		return pending
	}
	return time.Second
}

// planning is how long a change set takes to be made.
func (s *Service) planning() time.Duration { return s.world.Timing.Pending / 4 }

// next numbers events and change sets. The lock is held.
func (s *Service) next() int64 {
	s.counter++
	return s.counter
}

// find is the stack with a name, or the one with an id, be it deleted. The
// lock is held.
func (s *Service) find(nameOrID string) *stack {
	byID := strings.HasPrefix(nameOrID, "arn:")
	for _, st := range s.stacks {
		if byID && st.id == nameOrID || !byID && st.name == nameOrID && st.status != deleteComplete {
			return st
		}
	}
	return nil
}

// need is the stack, or the error that there is none. The lock is held.
func (s *Service) need(nameOrID string) (*stack, error) {
	if st := s.find(nameOrID); st != nil {
		return st, nil
	}
	return nil, invalid("Stack [%s] does not exist", nameOrID)
}
