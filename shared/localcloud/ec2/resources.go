package ec2

import (
	"slices"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Types are the resource types of templates that EC2 owns.
func (s *Service) Types() []resource.Type {
	return slices.Concat(s.networkTypes(), s.routingTypes(), s.serverTypes())
}

// order is what a template asks for: to make a resource, or to change the one
// with the physical id.
type order[T any] struct {
	resource.Request
	in       T
	tags     world.Tags
	physical string
}

// creating makes the Create of a type from a decoder and a performer. Nothing
// is made unless every property was read and none was wrong.
func creating[T any](s *Service, decode func(*resource.Reader) T, perform func(order[T]) (resource.Made, *wire.Error)) func(resource.Request) (resource.Made, error) {
	return func(r resource.Request) (resource.Made, error) {
		return carryOut(s, r, "", decode, perform)
	}
}

// updating makes the Update of a type. What the properties were does not
// matter here: the resource itself says what is to be changed.
func updating[T any](s *Service, decode func(*resource.Reader) T, perform func(order[T]) (resource.Made, *wire.Error)) func(resource.Request, resource.Properties, string) (resource.Made, error) {
	return func(r resource.Request, _ resource.Properties, physical string) (resource.Made, error) {
		return carryOut(s, r, physical, decode, perform)
	}
}

func carryOut[T any](s *Service, r resource.Request, physical string, decode func(*resource.Reader) T, perform func(order[T]) (resource.Made, *wire.Error)) (resource.Made, error) {
	p := r.Properties.Reader()
	o := order[T]{Request: r, in: decode(p), physical: physical}
	own := world.Tags(p.Tags("Tags"))
	if err := p.Done(); err != nil {
		return resource.Made{}, err
	}
	if failure := tagError(own.Check()); failure != nil {
		return resource.Made{}, failure
	}
	if o.tags = world.Tags(r.Tags).With(own); o.tags.Own() > world.MaxTags {
		return resource.Made{}, tagError(world.ErrTooManyTags)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	made, failure := perform(o)
	if failure != nil {
		return resource.Made{}, failure
	}
	return made, nil
}

// deleting makes the Delete of a type.
func deleting(s *Service, perform func(id string) *wire.Error) func(string) error {
	return func(physical string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if failure := perform(physical); failure != nil {
			return failure
		}
		return nil
	}
}

// stable makes the Stable of a type.
func stable(s *Service, perform func(id string) (bool, *wire.Error)) func(string) (bool, error) {
	return func(physical string) (bool, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		done, failure := perform(physical)
		if failure != nil {
			return false, failure
		}
		return done, nil
	}
}

// lost is the refusal to change a resource that somebody has deleted.
func lost(kind, id string) *wire.Error {
	return wire.Errorf("NotFound", "The %s %s does not exist", kind, id)
}

// generated is a name for a resource that the template does not name.
func (s *Service) generated(r resource.Request) string {
	return r.Stack + "-" + r.LogicalID + "-" + s.world.Key("resource name", 12)
}
