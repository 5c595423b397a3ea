package cloudformation

import (
	"maps"
	"time"
)

// Stack is a stack as tests look at it.
type Stack struct {
	ID, Name   string
	Status     string
	Reason     string
	Parameters map[string]string
	Outputs    map[string]string
	Resources  map[string]Resource // by logical id
}

// Resource is what a logical id means.
type Resource struct {
	Physical, Type, Status, Reason string
}

// Event is one line of a stack's history.
type Event struct {
	At                      time.Time
	Logical, Physical, Type string
	Status, Reason, Token   string
}

// Stacks are all stacks, deleted ones included, in the order of creation.
func (s *Service) Stacks() []Stack {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Stack
	for _, st := range s.stacks {
		x := Stack{
			ID: st.id, Name: st.name, Status: st.status, Reason: st.reason,
			Parameters: map[string]string{}, Outputs: map[string]string{}, Resources: map[string]Resource{},
		}
		if st.live != nil {
			maps.Copy(x.Parameters, st.live.plan.texts)
			for _, o := range st.live.outputs {
				x.Outputs[o.key] = o.value
			}
		}
		for name, w := range st.rows {
			x.Resources[name] = Resource{w.physical, w.typeName, w.status, w.reason}
		}
		all = append(all, x)
	}
	return all
}

// Events are the events of a stack, the oldest first.
func (s *Service) Events(nameOrID string) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(nameOrID)
	if st == nil {
		return nil
	}
	var all []Event
	for _, e := range st.events {
		all = append(all, Event{e.at, e.logical, e.physical, e.typeName, e.status, e.reason, e.token})
	}
	return all
}
