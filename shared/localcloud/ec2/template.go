package ec2

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// template is a launch template. Its versions are numbered from 1 and never
// change; none is ever removed before the template itself.
type template struct {
	entity
	name     string
	versions []templateVersion
}

// templateVersion holds the parameters of RunInstances that a launch from it
// starts with.
type templateVersion struct {
	number int
	form   url.Values
	born   time.Time
}

// defaultVersion is the version that $Default means. Nothing that we know can
// set another.
const defaultVersion = 1

func (t *template) latest() templateVersion { return t.versions[len(t.versions)-1] }

// makeTemplate makes a template with its first version. The lock is held.
func (s *Service) makeTemplate(name string, form url.Values, tags world.Tags) *template {
	t := &template{entity: s.register("lt", tags), name: name}
	t.add(form)
	s.templates[t.id] = t
	s.resources[t.id] = &t.entity
	return t
}

// add makes a version, unless it would equal the newest.
func (t *template) add(form url.Values) {
	if len(t.versions) > 0 && t.latest().form.Encode() == form.Encode() {
		return
	}
	t.versions = append(t.versions, templateVersion{len(t.versions) + 1, form, time.Now()})
}

// template finds a launch template. The lock is held.
func (s *Service) template(id string) (*template, *wire.Error) {
	switch t := s.templates[id]; {
	case t != nil:
		return t, nil
	case !strings.HasPrefix(id, "lt-"):
		return nil, wire.Errorf("InvalidLaunchTemplateId.Malformed", "The launch template ID '%s' is malformed", id)
	}
	return nil, wire.Errorf("InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID %s, does not exist.", id)
}

// version finds the version that a number, $Latest or $Default means.
func (t *template) version(wanted string) (templateVersion, *wire.Error) {
	switch wanted {
	case "$Latest":
		return t.latest(), nil
	case "", "$Default":
		return t.versions[defaultVersion-1], nil
	}
	n, err := strconv.Atoi(wanted)
	switch {
	case err != nil || n < 1:
		return templateVersion{}, wire.Errorf("InvalidLaunchTemplateId.VersionMalformed", "The launch template version '%s' is malformed", wanted)
	case n > len(t.versions):
		return templateVersion{}, wire.Errorf("InvalidLaunchTemplateId.VersionNotFound",
			"Could not find the specified version %s for the launch template with ID %s.", wanted, t.id)
	}
	return t.versions[n-1], nil
}

// Template is a version of a launch template as Auto Scaling looks at it.
type Template struct {
	ID, Name string
	Version  string // its number, never $Latest
	Image    string
	Type     string
}

// Template finds a version of a launch template: a number, $Latest or
// $Default.
func (s *Service) Template(id, version string) (Template, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, v, failure := s.templateVersion(id, version)
	if failure != nil {
		return Template{}, failure
	}
	return Template{ID: t.id, Name: t.name, Version: strconv.Itoa(v.number), Image: v.form.Get("ImageId"), Type: v.form.Get("InstanceType")}, nil
}

func (s *Service) templateVersion(id, version string) (*template, templateVersion, *wire.Error) {
	t, failure := s.template(id)
	if failure != nil {
		return nil, templateVersion{}, failure
	}
	v, failure := t.version(version)
	return t, v, failure
}

// selected are the versions that a describe call asks for by name, all of
// them when it names none.
func (t *template) selected(names []string) ([]templateVersion, *wire.Error) {
	if len(names) == 0 {
		return slices.Clone(t.versions), nil
	}
	var found []templateVersion
	for _, name := range names {
		v, failure := t.version(name)
		if failure != nil {
			return nil, failure
		}
		if !slices.ContainsFunc(found, func(other templateVersion) bool { return other.number == v.number }) {
			found = append(found, v)
		}
	}
	return found, nil
}
