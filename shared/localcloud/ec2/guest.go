package ec2

import (
	"maps"
	"time"
)

// Guest is what an instance may know about itself, for its metadata service.
type Guest struct {
	service  *Service
	instance *instance
}

// Facts are what never changes while an instance is on.
type Facts struct {
	ID, Image, Type, Architecture string
	Address, PublicAddress        string
	Zone                          string
	Role                          string // "" without an instance profile
	Groups                        []string
	UserData                      []byte
	Launched                      time.Time
	TagsEnabled                   bool
}

// Facts reads the facts.
func (g Guest) Facts() Facts {
	g.service.mu.Lock()
	defer g.service.mu.Unlock()
	i := g.instance
	f := Facts{
		ID: i.id, Image: i.image.id, Type: i.launch.Type, Architecture: i.kind.architecture,
		Address: i.address, PublicAddress: i.publicAddress(running), Zone: i.subnet.zone,
		Role: i.profile.Role, UserData: i.launch.UserData,
		Launched: i.born, TagsEnabled: i.launch.Metadata.Tags,
	}
	for _, group := range i.groups {
		f.Groups = append(f.Groups, group.name)
	}
	return f
}

// Tags are the instance's tags as they are now.
func (g Guest) Tags() map[string]string {
	g.service.mu.Lock()
	defer g.service.mu.Unlock()
	return maps.Clone(g.instance.tags)
}

// LifecycleState is what the instance's Auto Scaling group has in mind for
// it, "" when it belongs to none.
func (g Guest) LifecycleState() string {
	g.service.mu.Lock()
	defer g.service.mu.Unlock()
	return g.instance.lifecycle
}
