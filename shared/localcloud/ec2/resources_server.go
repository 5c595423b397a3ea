package ec2

import (
	"net/url"
	"strconv"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

func (s *Service) serverTypes() []resource.Type {
	return []resource.Type{s.templateType(), s.instanceType()}
}

// templateOf is the data of a template, or what is wrong with them.
type templateOf struct {
	form    url.Values
	failure *wire.Error
}

func decodeTemplate(p *resource.Reader) templateOf {
	form, failure := templateForm(p.Document("LaunchTemplateData"))
	return templateOf{form, failure}
}

func (s *Service) templateType() resource.Type {
	made := func(t *template) resource.Made {
		return resource.Made{Physical: t.id, Attributes: map[string]any{
			"LaunchTemplateId": t.id, "LatestVersionNumber": strconv.Itoa(t.latest().number), "DefaultVersionNumber": strconv.Itoa(defaultVersion)}}
	}
	return resource.Type{
		Name: "AWS::EC2::LaunchTemplate", Properties: []string{"LaunchTemplateData"},
		Attributes: []string{"LaunchTemplateId", "LatestVersionNumber", "DefaultVersionNumber"},
		Create: creating(s, decodeTemplate, func(o order[templateOf]) (resource.Made, *wire.Error) {
			if o.in.failure != nil {
				return resource.Made{}, o.in.failure
			}
			return made(s.makeTemplate(o.LogicalID+"_"+s.world.Key("launch template name", 12), o.in.form, o.tags)), nil
		}),
		Update: updating(s, decodeTemplate, func(o order[templateOf]) (resource.Made, *wire.Error) {
			t, failure := s.template(o.physical)
			switch {
			case failure != nil:
				return resource.Made{}, failure
			case o.in.failure != nil:
				return resource.Made{}, o.in.failure
			case len(t.versions) >= maxVersions:
				return resource.Made{}, wire.Errorf("VersionLimitExceeded", "You have reached the limit of %d versions for launch template %s.", maxVersions, t.id)
			}
			t.tags = o.tags
			t.add(o.in.form)
			return made(t), nil
		}),
		// A group that uses the template does not keep it: its next launch fails.
		Delete: deleting(s, func(id string) *wire.Error {
			delete(s.templates, id)
			delete(s.resources, id)
			return nil
		}),
	}
}

// instanceOf is the one kind of instance that our templates have.
type instanceOf struct{ subnet, template, version string }

func decodeInstance(p *resource.Reader) instanceOf {
	from := p.Map("LaunchTemplate")
	return instanceOf{p.Need("SubnetId"), from.Need("LaunchTemplateId"), from.Need("Version")}
}

// instanceType launches without the lock that other types hold, as making the
// disk takes its time.
func (s *Service) instanceType() resource.Type {
	return resource.Type{
		Name: "AWS::EC2::Instance", Properties: []string{"SubnetId", "LaunchTemplate", "Tags"},
		Immutable: []string{"SubnetId", "LaunchTemplate"}, Attributes: []string{"PrivateIp", "AvailabilityZone", "InstanceId"},
		Create: func(r resource.Request) (resource.Made, error) {
			p := r.Properties.Reader()
			in, own := decodeInstance(p), world.Tags(p.Tags("Tags"))
			if err := p.Done(); err != nil {
				return resource.Made{}, err
			}
			if failure := tagError(own.Check()); failure != nil {
				return resource.Made{}, failure
			}
			id, err := s.Launch(FromTemplate{Template: in.template, Version: in.version, Subnet: in.subnet, Tags: world.Tags(r.Tags).With(own)})
			if err != nil {
				return resource.Made{}, err
			}
			return s.instanceMade(id)
		},
		Update: func(r resource.Request, _ resource.Properties, physical string) (resource.Made, error) {
			retag := updating(s, decodeInstance, func(o order[instanceOf]) (resource.Made, *wire.Error) {
				i, failure := s.known(physical)
				if failure == nil {
					i.retag(o.tags)
				}
				return resource.Made{}, failure
			})
			if _, err := retag(r, nil, physical); err != nil {
				return resource.Made{}, err
			}
			return s.instanceMade(physical)
		},
		Delete: deleting(s, s.abandon),
		Stable: stable(s, s.instanceStable),
	}
}

func (s *Service) instanceMade(id string) (resource.Made, error) {
	i, err := s.Get(id)
	return resource.Made{Physical: id, Attributes: map[string]any{"InstanceId": id, "PrivateIp": i.Address, "AvailabilityZone": i.Zone}}, err
}

// retag sets tags and keeps those that tell where the instance comes from.
func (i *instance) retag(tags world.Tags) {
	kept := world.Tags{}
	for _, key := range []string{templateTag, versionTag, groupTag} {
		if value, ok := i.tags[key]; ok {
			kept[key] = value
		}
	}
	i.tags = tags.With(kept)
}

// abandon terminates an instance that its template does not want any more.
// The lock is held.
func (s *Service) abandon(id string) *wire.Error {
	i, failure := s.known(id)
	if failure != nil {
		return nil // gone
	}
	i.abandoned = true
	if state := i.stateAt(time.Now()); state != terminated && state != shuttingDown {
		s.shutDown(i, shuttingDown)
	}
	return nil
}

// instanceStable reports whether an instance has come up, or has gone if that
// is what was asked for. One that came up and has switched itself off since
// is as good as one that runs: what it was for is said by signals. The lock
// is held.
func (s *Service) instanceStable(id string) (bool, *wire.Error) {
	i, failure := s.known(id)
	if failure != nil {
		return true, nil
	}
	state := i.stateAt(time.Now())
	switch {
	case i.abandoned:
		return state == terminated, nil
	case i.ran || state == running:
		return true, nil
	case state == shuttingDown || state == terminated:
		return false, wire.Errorf("NotStabilized", "Instance %s did not come up: %s", id, i.reason.message)
	}
	return false, nil
}
