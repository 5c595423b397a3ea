package scheduler

import (
	"cmp"
	"context"
	"reflect"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// written is a create or an update.
type written struct {
	definition

	ClientToken string
}

type arnAnswer struct {
	ARN string `json:"ScheduleArn"`
}

// create makes a schedule once: the same request with the same token is
// answered as before.
func (s *Service) create(_ context.Context, _ *wire.Call, in written) (any, error) {
	if failure := in.check(s.around.Takes); failure != nil {
		return nil, failure
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.groups[in.GroupName] {
		return nil, missing("Schedule group", in.GroupName)
	}
	key := keyOf(in.GroupName, in.Name)
	if x := s.schedules[key]; x != nil {
		if in.ClientToken != "" && x.token == in.ClientToken && reflect.DeepEqual(x.definition, in.definition) {
			return arnAnswer{x.arn}, nil
		}
		return nil, conflict("Schedule %s already exists.", in.Name)
	}
	s.counter++
	x := &schedule{
		definition: in.definition, key: key, arn: s.world.ARN("scheduler", "schedule/"+key), token: in.ClientToken,
		created: time.Now(), changed: time.Now(), ordinal: s.counter,
	}
	s.schedules[key] = x
	s.arm(x)
	return arnAnswer{x.arn}, nil
}

func (w *written) check(takes func(role string) bool) *wire.Error {
	if len(w.ClientToken) > maxToken {
		return invalid("ClientToken must have length less than or equal to %d", maxToken)
	}
	return w.complete(takes)
}

// update replaces the whole definition: nothing of the old one is kept.
func (s *Service) update(_ context.Context, _ *wire.Call, in written) (any, error) {
	if failure := in.check(s.around.Takes); failure != nil {
		return nil, failure
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x, failure := s.find(in.GroupName, in.Name)
	if failure != nil {
		return nil, failure
	}
	x.disarm()
	x.definition, x.changed = in.definition, time.Now()
	x.attempts, x.failure, x.done = 0, "", false
	s.arm(x)
	return arnAnswer{x.arn}, nil
}

// named is the address of one schedule.
type named struct{ Name, GroupName string }

func keyOf(group, name string) string { return cmp.Or(group, defaultGroup) + "/" + name }

// find finds a schedule. The lock is held.
func (s *Service) find(group, name string) (*schedule, *wire.Error) {
	if x := s.schedules[keyOf(group, name)]; x != nil {
		return x, nil
	}
	return nil, missing("Schedule", name)
}

type scheduleAnswer struct {
	ActionAfterCompletion string            `json:"ActionAfterCompletion"`
	ARN                   string            `json:"Arn"`
	Created               float64           `json:"CreationDate"`
	Description           string            `json:"Description,omitempty"`
	FlexibleTimeWindow    map[string]string `json:"FlexibleTimeWindow"`
	GroupName             string            `json:"GroupName"`
	Changed               float64           `json:"LastModificationDate"`
	Name                  string            `json:"Name"`
	Expression            string            `json:"ScheduleExpression"`
	Timezone              string            `json:"ScheduleExpressionTimezone"`
	State                 string            `json:"State"`
	Target                target            `json:"Target"`
}

func (s *Service) get(_ context.Context, _ *wire.Call, in named) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, failure := s.find(in.GroupName, in.Name)
	if failure != nil {
		return nil, failure
	}
	return scheduleAnswer{
		ActionAfterCompletion: x.ActionAfterCompletion, ARN: x.arn, Created: wire.Epoch(x.created), Description: x.Description,
		FlexibleTimeWindow: map[string]string{"Mode": x.FlexibleTimeWindow.Mode}, GroupName: x.GroupName, Changed: wire.Epoch(x.changed),
		Name: x.Name, Expression: x.ScheduleExpression, Timezone: x.ScheduleExpressionTimezone, State: x.State, Target: x.Target,
	}, nil
}

type deletion struct{ Name, GroupName, ClientToken string }

// delete takes a schedule away. Repeated with its token it does nothing more.
func (s *Service) delete(_ context.Context, _ *wire.Call, in deletion) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, failure := s.find(in.GroupName, in.Name)
	if failure != nil {
		if in.ClientToken != "" && s.removed[in.ClientToken] == keyOf(in.GroupName, in.Name) {
			return struct{}{}, nil
		}
		return nil, failure
	}
	x.disarm()
	delete(s.schedules, x.key)
	if in.ClientToken != "" {
		s.removed[in.ClientToken] = x.key
	}
	return struct{}{}, nil
}
