package scheduler

import (
	"context"
	"strconv"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// pageSize is how many schedules a page has at most. AWS gives 100; pages are
// meant to be met in tests.
const pageSize = 20

// listed is a page as it was asked for, all of it in the query.
type listed struct{ ScheduleGroup, NamePrefix, MaxResults, NextToken string }

type listAnswer struct {
	Schedules []summary `json:"Schedules"`
	NextToken string    `json:"NextToken,omitempty"`
}

type summary struct {
	ARN       string            `json:"Arn"`
	Created   float64           `json:"CreationDate"`
	GroupName string            `json:"GroupName"`
	Changed   float64           `json:"LastModificationDate"`
	Name      string            `json:"Name"`
	State     string            `json:"State"`
	Target    map[string]string `json:"Target"`
}

func (s *Service) list(_ context.Context, _ *wire.Call, in listed) (any, error) {
	limit := pageSize
	if in.MaxResults != "" {
		n, err := strconv.Atoi(in.MaxResults)
		if err != nil || n < 1 || n > 100 {
			return nil, invalid("MaxResults must be between 1 and 100: %s", in.MaxResults)
		}
		limit = min(limit, n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.ScheduleGroup != "" && !s.groups[in.ScheduleGroup] {
		return nil, missing("Schedule group", in.ScheduleGroup)
	}
	var found []*schedule
	for _, x := range s.ordered() {
		if (in.ScheduleGroup == "" || x.GroupName == in.ScheduleGroup) && strings.HasPrefix(x.Name, in.NamePrefix) {
			found = append(found, x)
		}
	}
	page, next, err := wire.Page(found, func(x *schedule) int64 { return x.ordinal }, limit, in.NextToken)
	if err != nil {
		return nil, invalid("The NextToken is not valid.")
	}
	a := listAnswer{Schedules: []summary{}, NextToken: next}
	for _, x := range page {
		a.Schedules = append(a.Schedules, summary{
			ARN: x.arn, Created: wire.Epoch(x.created), GroupName: x.GroupName, Changed: wire.Epoch(x.changed),
			Name: x.Name, State: x.State, Target: map[string]string{"Arn": x.Target.Arn},
		})
	}
	return a, nil
}
