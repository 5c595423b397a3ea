package ec2

import (
	"context"
	"errors"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// tagError gives a problem with tags EC2's code.
func tagError(err error) *wire.Error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, world.ErrTooManyTags):
		return wire.Errorf("TagLimitExceeded", "%s", sentence(err))
	}
	return wire.Errorf("InvalidParameterValue", "%s", sentence(err))
}

// sentence begins with a capital letter, as AWS's messages do.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

type createTagsInput struct {
	ids  []string
	tags world.Tags
}

func decodeCreateTags(p *wire.Params) createTagsInput {
	in := createTagsInput{ids: p.Strings("ResourceId"), tags: decodeTags(p)}
	if len(in.ids) == 0 {
		p.Fail(wire.Errorf("MissingParameter", "The request must contain the parameter resourceIdSet"))
	}
	if len(in.tags) == 0 {
		p.Fail(wire.Errorf("MissingParameter", "The request must contain the parameter tagSet"))
	}
	return in
}

// createTags sets tags on all the resources or on none.
func (s *Service) createTags(_ context.Context, _ *wire.Call, in createTagsInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range in.ids {
		r := s.resources[id]
		if r == nil || s.young(r) {
			return nil, s.noResource(id)
		}
		if r.tags.With(in.tags).Own() > world.MaxTags {
			return nil, tagError(world.ErrTooManyTags)
		}
	}
	for _, id := range in.ids {
		r := s.resources[id]
		r.tags = r.tags.With(in.tags)
	}
	return returnAnswer{true}, nil
}

// noResource names a missing resource with the code of its kind.
func (s *Service) noResource(id string) *wire.Error {
	kind, _, _ := strings.Cut(id, "-")
	switch {
	case kind == "i":
		return notFound("InvalidInstanceID.NotFound", "instance", []string{id})
	case kind == "ami" && s.images[id] != nil && s.images[id].owner != s.world.Account:
		return wire.Errorf("AuthFailure", "Not authorized for image:%s", id)
	case kind == "ami":
		return imageNotFound(id)
	case kind == "snap":
		return snapshotNotFound(id)
	case kind == "vol":
		return notFound("InvalidVolume.NotFound", "volume", []string{id})
	case kind == "eni":
		return notFound("InvalidNetworkInterfaceID.NotFound", "networkInterface", []string{id})
	}
	return wire.Errorf("InvalidID", "The ID '%s' is not valid", id)
}
