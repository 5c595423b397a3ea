package ec2

import (
	"context"
	"slices"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

func decodeInstanceIDs(p *wire.Params) []string {
	ids := p.Strings("InstanceId")
	if len(ids) == 0 {
		p.Fail(wire.Errorf("MissingParameter", "The request must contain the parameter InstanceId"))
	}
	return ids
}

// changeXML has both states of the moment of the call; the end of the way
// comes later.
type changeXML struct {
	ID       string   `xml:"instanceId"`
	Current  stateXML `xml:"currentState"`
	Previous stateXML `xml:"previousState"`
}

type changesAnswer struct {
	Instances []changeXML `xml:"instancesSet>item"`
}

// terminateInstances ends instances in any state; one that has ended already
// is no error.
func (s *Service) terminateInstances(_ context.Context, _ *wire.Call, ids []string) (any, error) {
	return s.change(ids, nil, func(i *instance, state string) {
		if state != terminated && state != shuttingDown {
			s.shutDown(i, shuttingDown)
		}
	})
}

// stopInstances stops instances that run or are stopped already.
func (s *Service) stopInstances(_ context.Context, _ *wire.Call, ids []string) (any, error) {
	return s.change(ids, []string{running, stopping, stopped}, func(i *instance, state string) {
		if state == running {
			s.shutDown(i, stopping)
		}
	})
}

// change does something to instances, all or none of which must be in one of
// the states.
func (s *Service) change(ids, states []string, do func(*instance, string)) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, failure := s.existing(ids)
	if failure != nil {
		return nil, failure
	}
	now := time.Now()
	for _, i := range found {
		if states != nil && !slices.Contains(states, i.stateAt(now)) {
			return nil, wire.Errorf("IncorrectInstanceState", "This instance '%s' is not in a state from which it can be stopped.", i.id)
		}
	}
	var out changesAnswer
	for _, i := range found {
		before := i.stateAt(now)
		do(i, before)
		after := i.stateAt(now)
		out.Instances = append(out.Instances, changeXML{i.id, stateXML{stateCodes[after], after}, stateXML{stateCodes[before], before}})
	}
	return out, nil
}
