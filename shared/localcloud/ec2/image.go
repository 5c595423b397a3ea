package ec2

import (
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// image is an AMI; its fields are guarded by the service's lock.
type image struct {
	entity
	name, description string
	owner, alias      string
	architecture      string
	device            string
	size              int // GiB
	disk              Disk
	snapshot          string

	// content names the frozen disk; "" with captured set is an empty base.
	content  string
	captured bool

	// failure is why the image could not be made; due is when its state
	// leaves pending at the earliest.
	failure string
	due     time.Time

	sourceInstance, sourceImage string
}

// The states of an image.
const (
	available = "available"
	failed    = "failed"
)

func (m *image) stateAt(now time.Time) string {
	switch {
	case now.Before(m.due), m.failure == "" && !m.captured:
		return pending
	case m.failure != "":
		return failed
	}
	return available
}

// BaseImage is a public image to start from.
type BaseImage struct {
	Name         string
	Owner, Alias string
	Architecture string
	Device       string // of the root disk
	SizeGiB      int
}

// AddBaseImage publishes an image with an empty disk and gives its id.
func (s *Service) AddBaseImage(b BaseImage) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &image{
		entity: s.register("ami", nil), name: b.Name, owner: b.Owner, alias: b.Alias, architecture: b.Architecture,
		device: b.Device, size: b.SizeGiB, disk: Disk{Type: "gp3"}, captured: true, snapshot: s.world.ID("snap"),
	}
	// Others published it long ago, so it is no news to anybody.
	m.born = m.born.Add(-s.timing.Visible)
	m.reads = s.timing.HiddenReads
	s.images[m.id] = m
	return m.id
}

// launchable finds an image that an instance can start from. The lock is held.
func (s *Service) launchable(id string) (*image, *wire.Error) {
	m, failure := s.existingImage(id)
	if failure != nil {
		return nil, failure
	}
	if state := m.stateAt(time.Now()); state != available {
		return nil, wire.Errorf("InvalidAMIID.Unavailable", "AMI '%s' is %s, and cannot be run", id, state)
	}
	return m, nil
}

// existingImage finds an image that is to be used. The lock is held.
func (s *Service) existingImage(id string) (*image, *wire.Error) {
	m := s.images[id]
	switch {
	case s.gone[id]:
		return nil, wire.Errorf("InvalidAMIID.Unavailable", "The image ID '%s' is no longer available", id)
	case m == nil || s.young(&m.entity):
		return nil, imageNotFound(id)
	}
	return m, nil
}

func imageNotFound(ids string) *wire.Error {
	return wire.Errorf("InvalidAMIID.NotFound", "The image id '[%s]' does not exist", ids)
}

// keep and drop count who needs a frozen disk; nobody means that the driver
// may forget it. The lock is held.
func (s *Service) keep(content string) {
	if content != "" {
		s.contents[content]++
	}
}

func (s *Service) drop(content string) {
	if content == "" {
		return
	}
	if s.contents[content]--; s.contents[content] > 0 {
		return
	}
	delete(s.contents, content)
	if !s.closed {
		s.spawn(func() { s.forget(content) })
	}
}

// forget lets the driver remove a content, unless an equal one was frozen
// since nobody needed it.
func (s *Service) forget(content string) {
	s.disks.Lock()
	defer s.disks.Unlock()
	s.mu.Lock()
	needed := s.contents[content] > 0
	s.mu.Unlock()
	if !needed {
		_ = s.machines.Forget(content) // what stays is only space, until the driver closes
	}
}

// snapshot is the copy of a disk that an image is made of.
type snapshot struct {
	entity
	description string
	volume      string
	size        int
	image       *image
}

// status follows the image's state; one whose image is gone had been complete.
func (n *snapshot) status(now time.Time) (status, progress string) {
	switch n.image.stateAt(now) {
	case pending:
		return pending, "42%"
	case failed:
		return "error", "42%"
	}
	return "completed", "100%"
}

// images of one account are told apart by name. The lock is held.
func (s *Service) ownImageNamed(name string) *image {
	for _, m := range s.images {
		if m.owner == s.world.Account && m.name == name {
			return m
		}
	}
	return nil
}

// snapshotOf makes the snapshot of an image. The lock is held.
func (s *Service) snapshotOf(m *image, i *instance, tags world.Tags) *snapshot {
	n := &snapshot{
		entity:      s.register("snap", tags),
		description: "Created by CreateImage(" + i.id + ") for " + m.id,
		volume:      i.volume.id, size: m.size, image: m,
	}
	s.snapshots[n.id] = n
	s.resources[n.id] = &n.entity
	return n
}
