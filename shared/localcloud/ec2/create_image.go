package ec2

import (
	"context"
	"regexp"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// imageNames are the characters of an image's name.
var imageNames = regexp.MustCompile(`^[A-Za-z0-9()\[\] ./'@_-]{3,128}$`)

// createImageInput has no token: the unique name is the only protection
// against making an image twice.
type createImageInput struct {
	instance, name, description string
	noReboot                    bool
	tags                        map[string]world.Tags
}

func decodeCreateImage(p *wire.Params) createImageInput {
	in := createImageInput{
		instance:    p.Need("InstanceId"),
		name:        p.Need("Name"),
		description: p.String("Description"),
		noReboot:    p.Bool("NoReboot", false),
		tags:        decodeTagSpecifications(p, "image", "snapshot"),
	}
	if !imageNames.MatchString(in.name) {
		p.Fail(wire.Errorf("InvalidAMIName.Malformed", "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'"))
	}
	if len(in.description) > 255 {
		p.Fail(wire.Errorf("InvalidParameterValue", "Character count for description must be at most 255"))
	}
	return in
}

type createImageAnswer struct {
	ImageID string `xml:"imageId"`
}

// createImage answers at once with a pending image. Name check and creation
// happen under one lock, so of several racers exactly one wins.
func (s *Service) createImage(_ context.Context, _ *wire.Call, in createImageInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, failure := s.existing([]string{in.instance})
	if failure != nil {
		return nil, failure
	}
	i := found[0]
	state := i.stateAt(time.Now())
	switch {
	case state != running && state != stopped, i.starting:
		return nil, wire.Errorf("InvalidParameterValue", "Invalid value '%s' for instanceId. Instance is not in state 'running' or 'stopped'", i.id)
	case state == running && in.noReboot:
		return nil, wire.Unsupported("NoReboot=true of CreateImage for an instance that runs")
	}
	if other := s.ownImageNamed(in.name); other != nil {
		return nil, wire.Errorf("InvalidAMIName.Duplicate", "AMI name %s is already in use by AMI %s", in.name, other.id)
	}
	m := s.newImage(in, i)
	s.capture(m, i)
	return createImageAnswer{m.id}, nil
}

// newImage keeps of the instance what its launches will need. The lock is held.
func (s *Service) newImage(in createImageInput, i *instance) *image {
	m := &image{
		entity: s.register("ami", in.tags["image"]), name: in.name, description: in.description,
		owner: s.world.Account, architecture: i.kind.architecture, device: i.image.device,
		size: max(i.image.size, i.launch.Disk.Size), disk: i.launch.Disk,
		due: time.Now().Add(s.timing.ImagePending), sourceInstance: i.id, sourceImage: i.image.id,
	}
	if m.disk.Type == "" {
		m.disk.Type = i.image.disk.Type
	}
	m.disk.Encrypted = m.disk.Encrypted || i.image.disk.Encrypted
	if len(s.imageFaults) > 0 {
		m.failure, s.imageFaults = s.imageFaults[0], s.imageFaults[1:]
	}
	m.snapshot = s.snapshotOf(m, i, in.tags["snapshot"]).id
	s.images[m.id] = m
	s.resources[m.id] = &m.entity
	return m
}

// FailNextImage lets the next CreateImage end in the state failed.
func (s *Service) FailNextImage(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.imageFaults = append(s.imageFaults, reason)
}

// capture freezes the disk of an instance, which is switched off for it if it
// runs. The lock is held until the work goes on without it.
func (s *Service) capture(m *image, i *instance) {
	i.captures++
	off := i.machine
	if off != nil {
		i.rebooting = true
	}
	s.spawn(func() {
		if off != nil {
			off.Stop()
			<-off.Done()
		}
		s.disks.RLock()
		defer s.disks.RUnlock()
		content, err := s.machines.Freeze(i.id)
		s.captured(m, i, content, err)
	})
}

// captured notes what became of an image, and lets the instance go on: up
// again after a reboot, or down the way that somebody has ordered meanwhile.
func (s *Service) captured(m *image, i *instance, content string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && m.failure == "" {
		m.failure = err.Error()
	}
	if err == nil {
		m.content, m.captured = content, true
		s.keep(content)
		if s.gone[m.id] { // deregistered before it was ready
			s.drop(content)
		}
	}
	i.captures--
	if i.rebooting {
		i.machine = nil // capture has waited for that
	}
	if i.rebooting && i.captures == 0 {
		i.rebooting = false
		if i.state == running && !s.closed {
			s.powerOn(i)
			return
		}
	}
	if i.machine == nil && !i.starting && !i.rebooting && i.state != running {
		s.off(i)
	}
}
