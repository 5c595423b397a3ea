package ec2

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Launch is what one instance shall be like.
type Launch struct {
	Image, Type, Token string
	UserData           []byte

	Subnet        string
	Groups        []string
	PublicAddress *bool // nil: as the subnet says

	ProfileName, ProfileARN string

	// Shutdown is what a power-off from inside leads to: stop or terminate.
	Shutdown string

	Metadata MetadataOptions

	// Tags by kind of resource: instance, volume, network-interface.
	Tags map[string]world.Tags

	Disk Disk

	// Template and TemplateVersion are where the launch comes from, if it
	// comes from a launch template.
	Template, TemplateVersion string

	fingerprint string
}

// MetadataOptions are the options of the instance metadata service.
type MetadataOptions struct {
	TokensRequired bool
	HopLimit       int
	Tags           bool
}

// Disk is what a launch changes of the image's root disk; zero values keep
// what the image says.
type Disk struct {
	Device       string
	Size         int // GiB
	Type         string
	Encrypted    bool
	KeepsOnDeath bool // DeleteOnTermination: false
}

// refusal is a launch error that was ordered with RefuseLaunch.
type refusal struct {
	err   *wire.Error
	times int
}

// RefuseLaunch lets the next launches fail with an error of EC2, such as
// InsufficientInstanceCapacity.
func (s *Service) RefuseLaunch(code, message string, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals = append(s.refusals, refusal{&wire.Error{Code: code, Message: message, Status: statusOf(code)}, times})
}

// statusOf tells errors of the server, which the SDK retries, from others.
func statusOf(code string) int {
	switch {
	case code == "InternalError", strings.HasPrefix(code, "Insufficient") && strings.HasSuffix(code, "Capacity"):
		return http.StatusInternalServerError
	case code == "Unavailable", code == "ServiceUnavailable":
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// refuse is the next ordered error. The lock is held.
func (s *Service) refuse() *wire.Error {
	for len(s.refusals) > 0 {
		next := &s.refusals[0]
		if next.times > 0 {
			next.times--
			return next.err
		}
		s.refusals = s.refusals[1:]
	}
	return nil
}

// create makes the instance of a launch. The disk is made without the lock,
// since a real one is copied.
func (s *Service) create(l Launch) (*instance, error) {
	i, failure := s.plan(l)
	if failure != nil {
		return nil, failure
	}
	content := i.image.content
	address, err := s.machines.Create(i.id, content)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(content)
	if err != nil {
		delete(s.network.interfaces, i.nic.id)
		return nil, err
	}
	i.address = address
	s.instances[i.id] = i
	i.nic.instance = i
	for _, r := range []*entity{&i.entity, i.volume, &i.nic.entity} {
		s.resources[r.id] = r
	}
	if !s.closed {
		s.schedule(i)
	}
	return i, nil
}

// plan checks a launch against what exists and fixes everything but the
// address. It keeps the image's content from being forgotten.
func (s *Service) plan(l Launch) (*instance, *wire.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if failure := s.refuse(); failure != nil {
		return nil, failure
	}
	kind, failure := parseType(l.Type)
	if failure != nil {
		return nil, failure
	}
	img, failure := s.launchable(l.Image)
	if failure != nil {
		return nil, failure
	}
	if img.architecture != kind.architecture {
		return nil, wire.Errorf("InvalidParameterValue", "The architecture '%s' of the specified instance type does not match the architecture '%s' of the specified AMI. "+
			"Specify an instance type and an AMI that have matching architectures, and try again.", kind.architecture, img.architecture)
	}
	subnet, groups, failure := s.network.place(l.Subnet, l.Groups)
	if failure != nil {
		return nil, failure
	}
	profile, failure := s.profile(l.ProfileName, l.ProfileARN)
	if failure != nil {
		return nil, failure
	}
	if failure := l.Disk.fit(img); failure != nil {
		return nil, failure
	}
	if l.Metadata.Tags {
		if failure := readable(l.Tags["instance"]); failure != nil {
			return nil, failure
		}
	}
	nic, failure := s.connect(subnet, groups, l.Tags["network-interface"])
	if failure != nil {
		return nil, failure
	}
	s.keep(img.content)
	volume := s.register("vol", l.Tags["volume"])
	return &instance{
		entity: s.register("i", l.Tags["instance"]), reservation: s.world.ID("r"),
		launch: l, kind: kind, image: img, subnet: subnet, groups: groups, profile: profile,
		volume: &volume, nic: nic, state: pending,
	}, nil
}

// fit checks a disk against the image's.
func (d *Disk) fit(img *image) *wire.Error {
	if d.Device != "" && d.Device != img.device {
		return wire.Unsupported("a second disk: BlockDeviceMapping names %s, the image's root is %s", d.Device, img.device)
	}
	if d.Size != 0 && d.Size < img.size {
		return wire.Errorf("InvalidBlockDeviceMapping", "Volume of size %dGB is smaller than snapshot '%s', expect size >= %dGB", d.Size, img.snapshot, img.size)
	}
	return nil
}

// runInstances answers a repeated token with the instance as it is now, which
// may be running or even shutting down.
func (s *Service) runInstances(ctx context.Context, _ *wire.Call, l Launch) (any, error) {
	i, err := s.once(ctx, l)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reservationXML(i), nil
}

// maxUserData is the limit before base64.
const maxUserData = 16 << 10

// decodeUserData keeps the bytes: whether they are a script is the guest's
// business.
func decodeUserData(p *wire.Params) []byte {
	data, err := base64.StdEncoding.DecodeString(p.String("UserData"))
	switch {
	case err != nil:
		p.Fail(wire.Errorf("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."))
	case len(data) > maxUserData:
		p.Fail(wire.Errorf("InvalidParameterValue", "User data is limited to %d bytes", maxUserData))
	}
	return data
}
