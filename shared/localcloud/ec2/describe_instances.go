package ec2

import (
	"context"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// instanceFilters are the filters of DescribeInstances besides those of tags.
var instanceFilters = []string{"client-token", "instance-state-name", "image-id", "instance-id"}

// value is what a filter compares with.
func (i *instance) value(filter string, now time.Time) string {
	switch filter {
	case "client-token":
		return i.launch.Token
	case "instance-state-name":
		return i.stateAt(now)
	case "image-id":
		return i.image.id
	default:
		return i.id
	}
}

// notFound names every id that does not exist, as EC2 does.
func notFound(code, what string, ids []string) *wire.Error {
	if len(ids) == 1 {
		return wire.Errorf(code, "The %s ID '%s' does not exist", what, ids[0])
	}
	return wire.Errorf(code, "The %s IDs '%s' do not exist", what, strings.Join(ids, ", "))
}

// existing finds instances that are to be changed. The lock is held.
func (s *Service) existing(ids []string) ([]*instance, *wire.Error) {
	return s.lookup(ids, func(i *instance) bool { return !s.young(&i.entity) })
}

// lookup finds instances by id, in the order of the ids, as long as visible
// says that they are.
func (s *Service) lookup(ids []string, visible func(*instance) bool) ([]*instance, *wire.Error) {
	var found []*instance
	var missing []string
	for _, id := range ids {
		if !strings.HasPrefix(id, "i-") {
			return nil, wire.Errorf("InvalidInstanceID.Malformed", "Invalid id: \"%s\"", id)
		}
		i := s.instances[id]
		if i == nil || i.forgotten(time.Now()) || !visible(i) {
			missing = append(missing, id)
			continue
		}
		found = append(found, i)
	}
	if len(missing) > 0 {
		return nil, notFound("InvalidInstanceID.NotFound", "instance", missing)
	}
	return found, nil
}

type describeInstancesAnswer struct {
	Reservations []reservationXML `xml:"reservationSet>item"`
	NextToken    string           `xml:"nextToken,omitempty"`
}

func (s *Service) describeInstances(_ context.Context, _ *wire.Call, d describe) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, failure := s.findInstances(d)
	if failure != nil {
		return nil, failure
	}
	page, next, err := wire.Page(found, func(i *instance) int64 { return i.ordinal }, d.limit, d.token)
	if err != nil {
		return nil, err
	}
	out := describeInstancesAnswer{NextToken: next}
	for _, i := range page {
		out.Reservations = append(out.Reservations, s.reservationXML(i))
	}
	return out, nil
}

// findInstances are the instances that an answer holds. An id that is missing
// is an error, a filter that matches nothing is not. The lock is held.
func (s *Service) findInstances(d describe) ([]*instance, *wire.Error) {
	now := time.Now()
	all := byOrdinal(s.instances, func(i *instance) int64 { return i.ordinal })
	if len(d.ids) > 0 {
		var failure *wire.Error
		if all, failure = s.lookup(d.ids, func(i *instance) bool { return s.seen(&i.entity) }); failure != nil {
			return nil, failure
		}
	}
	return slices.DeleteFunc(all, func(i *instance) bool {
		switch {
		case i.forgotten(now), !d.matches(i.tags, func(name string) string { return i.value(name, now) }):
			return true
		case len(d.ids) > 0:
			return false // counted when it was looked up
		}
		return !s.seen(&i.entity)
	}), nil
}
