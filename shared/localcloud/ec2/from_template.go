package ec2

import (
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// FromTemplate is a launch that another service asks for.
type FromTemplate struct {
	// Group is the Auto Scaling group that launches, "" when it is none. A
	// group may put its subnet into the template's network interface; anybody
	// else who names a subnet may not have a template with one.
	Group string

	Template string // id of the launch template
	Version  string // a number, $Latest or $Default
	Subnet   string

	// Tags are tags of the instance over those of the template. Keys that
	// start with aws: are the asking service's own.
	Tags world.Tags
}

// Tags that instances carry when they are launched so.
const (
	templateTag = "aws:ec2launchtemplate:id"
	versionTag  = "aws:ec2launchtemplate:version"
	groupTag    = "aws:autoscaling:groupName"
)

// Launch starts an instance from a launch template, by the rules of
// RunInstances. The error is EC2's, a *wire.Error.
func (s *Service) Launch(from FromTemplate) (id string, err error) {
	s.mu.Lock()
	t, v, failure := s.templateVersion(from.Template, from.Version)
	s.mu.Unlock()
	if failure != nil {
		return "", failure
	}
	l, failure := wire.Read(from.form(v), decodeRun)
	if failure != nil {
		return "", failure
	}
	if l.Tags["instance"], failure = from.tags(l.Tags["instance"], v.number); failure != nil {
		return "", failure
	}
	l.Template, l.TemplateVersion = t.id, strconv.Itoa(v.number)
	i, err := s.create(l)
	if err != nil {
		return "", err
	}
	return i.id, nil
}

// form is the request that RunInstances would get.
func (from FromTemplate) form(v templateVersion) url.Values {
	form := maps.Clone(v.form)
	form.Set("MinCount", "1")
	form.Set("MaxCount", "1")
	where := "SubnetId"
	if from.Group != "" && form.Has("NetworkInterface.1.DeviceIndex") {
		where = "NetworkInterface.1.SubnetId"
	}
	if from.Subnet != "" {
		form.Set(where, from.Subnet)
	}
	return form
}

// tags are all tags of the instance.
func (from FromTemplate) tags(base world.Tags, version int) (world.Tags, *wire.Error) {
	own := maps.Clone(from.Tags)
	maps.DeleteFunc(own, func(key, _ string) bool { return strings.HasPrefix(key, "aws:") })
	if failure := tagError(own.Check()); failure != nil {
		return nil, failure
	}
	all := base.With(from.Tags)
	if all.Own() > world.MaxTags {
		return nil, tagError(world.ErrTooManyTags)
	}
	all[templateTag], all[versionTag] = from.Template, strconv.Itoa(version)
	if from.Group != "" {
		all[groupTag] = from.Group
	}
	return all, nil
}

// Terminate ends an instance in whatever state it is.
func (s *Service) Terminate(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, failure := s.known(id)
	if failure != nil {
		return failure
	}
	if state := i.stateAt(time.Now()); state != terminated && state != shuttingDown {
		s.shutDown(i, shuttingDown)
	}
	return nil
}

// Get finds an instance, also for an hour after its end.
func (s *Service) Get(id string) (Instance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, failure := s.known(id)
	if failure != nil {
		return Instance{}, failure
	}
	return i.view(time.Now()), nil
}

// SetLifecycleState lets the instance see what its Auto Scaling group has in
// mind for it, such as InService or Terminated; "" for none.
func (s *Service) SetLifecycleState(id, state string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, failure := s.known(id)
	if failure != nil {
		return failure
	}
	i.lifecycle = state
	return nil
}

// known finds an instance for another service, from which nothing is hidden.
// The lock is held.
func (s *Service) known(id string) (*instance, *wire.Error) {
	if i := s.instances[id]; i != nil && !i.forgotten(time.Now()) {
		return i, nil
	}
	return nil, notFound("InvalidInstanceID.NotFound", "instance", []string{id})
}

// readable says whether the metadata service can show tags: their keys become
// paths.
func readable(tags world.Tags) *wire.Error {
	for _, key := range tags.Keys() {
		if strings.Trim(key, tagPaths) != "" || key == "." || key == ".." || key == "_index" {
			return wire.Errorf("InvalidParameterValue", "'%s' is not a valid tag key. Tag keys must match pattern "+
				`([0-9a-zA-Z\-_+=,.@:]{1,255}), and must not be a reserved name ('.', '..', '_index')`, key)
		}
	}
	return nil
}

// tagPaths are the characters of tag keys that the metadata service can show.
const tagPaths = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_+=,.@:"
