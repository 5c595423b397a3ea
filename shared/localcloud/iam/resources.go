package iam

import (
	"slices"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Types are the resource types of templates that IAM owns.
func (s *Service) Types() []resource.Type {
	return []resource.Type{s.roleType(), s.profileType()}
}

// generated is a name for a resource that the template does not name. Where it
// would be too long, the stack's and the resource's names are cut.
func (s *Service) generated(r resource.Request) string {
	end := "-" + s.world.Key("resource name", 12)
	name := r.Stack + "-" + r.LogicalID
	return name[:min(len(name), maxName-len(end))] + end
}

func (s *Service) roleType() resource.Type {
	return resource.Type{
		Name:       "AWS::IAM::Role",
		Properties: []string{"AssumeRolePolicyDocument", "Policies", "ManagedPolicyArns", "PermissionsBoundary", "Tags"},
		Attributes: []string{"Arn", "RoleId"},
		Create: func(r resource.Request) (resource.Made, error) {
			role, err := s.decodeRole(r)
			if err != nil {
				return resource.Made{}, err
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			role.Name = s.generated(r)
			return s.keep(s.identify(role))
		},
		Update: func(r resource.Request, _ resource.Properties, physical string) (resource.Made, error) {
			role, err := s.decodeRole(r)
			if err != nil {
				return resource.Made{}, err
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			old, ok := s.roles[physical]
			if !ok {
				return resource.Made{}, noRole(physical)
			}
			role.Name, role.ID, role.ARN = old.Name, old.ID, old.ARN
			return s.keep(role)
		},
		Delete: func(physical string) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if failure := s.deleteRole(physical); failure != nil {
				return failure
			}
			return nil
		},
	}
}

func (s *Service) decodeRole(r resource.Request) (Role, error) {
	p := r.Properties.Reader()
	role := Role{
		Trust: p.Document("AssumeRolePolicyDocument"), Policies: map[string]any{},
		ManagedPolicies: p.Strings("ManagedPolicyArns"), Boundary: p.String("PermissionsBoundary"),
	}
	for _, policy := range p.List("Policies") {
		name := policy.Need("PolicyName")
		if role.Policies[name] != nil {
			p.Fail("Duplicate policy name %s", name)
		}
		role.Policies[name] = policy.Document("PolicyDocument")
	}
	own := world.Tags(p.Tags("Tags"))
	if err := p.Done(); err != nil {
		return role, err
	}
	if err := own.Check(); err != nil {
		return role, invalid("%v", err)
	}
	role.Tags = world.Tags(r.Tags).With(own)
	return role, nil
}

// keep stores a role that is fit. The lock is held.
func (s *Service) keep(r Role) (resource.Made, error) {
	if failure := r.check(s.world.Account); failure != nil {
		return resource.Made{}, failure
	}
	s.roles[r.Name] = r
	return resource.Made{Physical: r.Name, Attributes: map[string]any{"Arn": r.ARN, "RoleId": r.ID}}, nil
}

func (s *Service) profileType() resource.Type {
	made := func(p Profile) resource.Made {
		return resource.Made{Physical: p.Name, Attributes: map[string]any{"Arn": p.ARN}}
	}
	return resource.Type{
		Name: "AWS::IAM::InstanceProfile", Properties: []string{"Roles"}, Attributes: []string{"Arn"},
		Create: func(r resource.Request) (resource.Made, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			role, err := s.decodeProfile(r)
			if err != nil {
				return resource.Made{}, err
			}
			return made(s.addProfile(s.generated(r), role)), nil
		},
		Update: func(r resource.Request, _ resource.Properties, physical string) (resource.Made, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			role, err := s.decodeProfile(r)
			if err != nil {
				return resource.Made{}, err
			}
			p, ok := s.profiles[physical]
			if !ok {
				return resource.Made{}, &wire.Error{Code: "NoSuchEntity", Message: "Instance Profile " + physical + " cannot be found.", Status: 404}
			}
			p.Role = role
			s.profiles[physical] = p
			return made(p), nil
		},
		Delete: func(physical string) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.profiles, physical)
			return nil
		},
	}
}

// decodeProfile finds the one role that a profile has. The lock is held.
func (s *Service) decodeProfile(r resource.Request) (string, error) {
	p := r.Properties.Reader()
	roles := slices.Compact(p.Strings("Roles"))
	if err := p.Done(); err != nil {
		return "", err
	}
	switch len(roles) {
	case 0:
		return "", invalid("Property Roles cannot be empty.")
	case 1:
	default:
		return "", &wire.Error{Code: "LimitExceeded", Message: "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1", Status: 409}
	}
	if _, ok := s.roles[roles[0]]; !ok {
		return "", noRole(roles[0])
	}
	return roles[0], nil
}
