// Package iam holds the roles and instance profiles of an account. It answers
// no calls: templates make its resources, and instances ask it for the role
// that a profile gives them. What a policy allows is not judged here.
package iam

import (
	"sync"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Service is IAM of one account.
type Service struct {
	world *world.World

	mu       sync.Mutex
	roles    map[string]Role
	profiles map[string]Profile
}

// Role is a role as it was asked for.
type Role struct {
	Name, ID, ARN string

	// Trust is the trust policy; Policies are the inline policies by name.
	// Both are JSON documents as templates have them.
	Trust    any
	Policies map[string]any

	ManagedPolicies []string // ARNs
	Boundary        string   // ARN of the permissions boundary, "" for none
	Tags            world.Tags
}

// Profile is an instance profile: the role that an instance may use.
type Profile struct{ Name, ID, ARN, Role string }

// New makes the service, without roles.
func New(w *world.World) *Service {
	return &Service{world: w, roles: map[string]Role{}, profiles: map[string]Profile{}}
}

// AddProfile makes a role and an instance profile of the same name, such as
// those that account.yml names.
func (s *Service) AddProfile(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.identify(Role{Name: name})
	s.roles[r.Name] = r
	s.addProfile(name, r.Name)
}

// AddServiceRole makes a role that a service of AWS may take, and returns its ARN.
func (s *Service) AddServiceRole(name, service string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.identify(Role{Name: name, Trust: map[string]any{"Statement": []any{map[string]any{
		"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": service},
	}}}})
	s.roles[r.Name] = r
	return r.ARN
}

// Trusts tells whether there is a role of this ARN that lets the service take it.
func (s *Service) Trusts(arn, service string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.roles {
		if r.ARN == arn {
			return r.trusts(service)
		}
	}
	return false
}

// Profile finds an instance profile by name.
func (s *Service) Profile(name string) (Profile, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.profiles[name]
	return p, ok
}

// Role finds a role by name.
func (s *Service) Role(name string) (Role, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.roles[name]
	return r, ok
}

// identify gives a role its id and ARN. The lock is held.
func (s *Service) identify(r Role) Role {
	r.ID, r.ARN = "AROA"+s.world.Key("role id", 17), s.world.ARN("iam", "role/"+r.Name)
	return r
}

// addProfile makes a profile. The lock is held.
func (s *Service) addProfile(name, role string) Profile {
	p := Profile{Name: name, ID: "AIPA" + s.world.Key("profile id", 17), ARN: s.world.ARN("iam", "instance-profile/"+name), Role: role}
	s.profiles[name] = p
	return p
}

// noRole names a role that does not exist.
func noRole(name string) *wire.Error {
	return &wire.Error{Code: "NoSuchEntity", Message: "The role with name " + name + " cannot be found.", Status: 404}
}

// deleteRole refuses as long as an instance profile holds the role. The lock
// is held.
func (s *Service) deleteRole(name string) *wire.Error {
	for _, p := range s.profiles {
		if p.Role == name {
			return &wire.Error{Code: "DeleteConflict", Message: "Cannot delete entity, must remove roles from instance profile first.", Status: 409}
		}
	}
	delete(s.roles, name)
	return nil
}
