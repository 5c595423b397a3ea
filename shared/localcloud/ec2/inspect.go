package ec2

import (
	"maps"
	"time"
)

// Instance is an instance as a test sees it: what is, not what callers are
// shown.
type Instance struct {
	ID, Image, Type string
	State, Reason   string
	Token           string
	Address, Subnet string
	Zone            string
	Profile         string
	Template        string // the launch template and the number of its
	TemplateVersion string // version, "" when there was none
	Lifecycle       string // what its Auto Scaling group has in mind
	Shutdown        string
	UserData        []byte
	Launched        time.Time
	Metadata        MetadataOptions
	Disk            Disk
	Tags            map[string]string
	VolumeTags      map[string]string
	InterfaceTags   map[string]string
	Console         string
}

// Image is an image as a test sees it.
type Image struct {
	ID, Name, Description string
	Owner                 string
	Architecture          string
	State, Reason         string
	Content               string
	Snapshot              string
	SourceInstance        string
	SourceImage           string
	Created               time.Time
	Tags                  map[string]string
}

// Snapshot is a snapshot as a test sees it.
type Snapshot struct {
	ID, Status string
	Image      string // the image that it was made for, registered or not
	Tags       map[string]string
}

// Instances are all instances in the order of their launch, those included
// that were terminated within the last hour.
func (s *Service) Instances() []Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	var all []Instance
	for _, i := range byOrdinal(s.instances, func(i *instance) int64 { return i.ordinal }) {
		if i.forgotten(now) {
			continue
		}
		all = append(all, i.view(now))
	}
	return all
}

// view is an instance as it is now. The lock is held.
func (i *instance) view(now time.Time) Instance {
	output, _ := i.console.read(true)
	return Instance{
		ID: i.id, Image: i.image.id, Type: i.launch.Type, State: i.stateAt(now), Reason: i.reason.message,
		Token: i.launch.Token, Address: i.address, Subnet: i.subnet.id, Zone: i.subnet.zone, Profile: i.profile.Name,
		Template: i.launch.Template, TemplateVersion: i.launch.TemplateVersion, Lifecycle: i.lifecycle,
		Shutdown: i.launch.Shutdown, UserData: i.launch.UserData, Launched: i.born,
		Metadata: i.launch.Metadata, Disk: i.launch.Disk, Tags: maps.Clone(i.tags),
		VolumeTags: maps.Clone(i.volume.tags), InterfaceTags: maps.Clone(i.nic.tags), Console: string(output),
	}
}

// Images are the account's own images in the order of their creation.
func (s *Service) Images() []Image {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	var all []Image
	for _, m := range byOrdinal(s.images, func(m *image) int64 { return m.ordinal }) {
		if m.owner != s.world.Account {
			continue
		}
		one := Image{
			ID: m.id, Name: m.name, Description: m.description, Owner: m.owner, Architecture: m.architecture,
			State: m.stateAt(now), Content: m.content, Snapshot: m.snapshot, SourceInstance: m.sourceInstance,
			SourceImage: m.sourceImage, Created: m.born, Tags: maps.Clone(m.tags),
		}
		if one.State == failed {
			one.Reason = m.failure
		}
		all = append(all, one)
	}
	return all
}

// Snapshots are the account's own snapshots in the order of their creation.
func (s *Service) Snapshots() []Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	var all []Snapshot
	for _, n := range byOrdinal(s.snapshots, func(n *snapshot) int64 { return n.ordinal }) {
		status, _ := n.status(now)
		all = append(all, Snapshot{ID: n.id, Status: status, Image: n.image.id, Tags: maps.Clone(n.tags)})
	}
	return all
}
