package localcloud

import (
	"net/http"
	"sync"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/ec2"
	"bitbucket.org/fearless/pipes/shared/localcloud/metadata"
	"bitbucket.org/fearless/pipes/shared/localcloud/sts"
)

// Lifetime of the keys of an instance's role, and how long before their end
// the metadata service hands out new ones.
const (
	roleKeys    = 6 * time.Hour
	roleOverlap = 5 * time.Minute
)

// metadata makes the instance metadata service of an instance.
func (c *Cloud) metadata(g ec2.Guest) http.Handler {
	f := g.Facts()
	v := metadata.View{
		InstanceID: f.ID, ImageID: f.Image, InstanceType: f.Type, Architecture: f.Architecture,
		LocalIPv4: f.Address, PublicIPv4: f.PublicAddress, AvailabilityZone: f.Zone,
		Region: c.world.Region, AccountID: c.world.Account, RoleName: f.Role,
		Launched: f.Launched, UserData: f.UserData, SecurityGroups: f.Groups,
	}
	if f.Role != "" {
		v.Credentials = (&roleSession{service: c.sts, role: f.Role, instance: f.ID}).current
	}
	v.LifecycleState = g.LifecycleState
	if f.TagsEnabled {
		v.Tags = g.Tags
	}
	return metadata.Handler(v)
}

// roleSession keeps the keys of one instance's role until they get old.
type roleSession struct {
	service        *sts.Service
	role, instance string

	mu     sync.Mutex
	issued time.Time
	keys   sts.Credentials
}

func (r *roleSession) current() (metadata.Credentials, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Until(r.keys.Expires) < roleOverlap {
		r.issued = time.Now()
		r.keys = r.service.Issue(r.role, r.instance, roleKeys)
	}
	return metadata.Credentials{
		AccessKeyID: r.keys.AccessKey, SecretAccessKey: r.keys.SecretKey, SessionToken: r.keys.SessionToken,
		Updated: r.issued, Expires: r.keys.Expires,
	}, true
}
