package iam_test

import (
	"errors"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/localcloud/iam"
	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

type props = resource.Properties

func newIAM() (s *iam.Service, role, profile resource.Type) {
	s = iam.New(world.New("111122223333", "eu-west-1", world.Timing{}, 1))
	types := s.Types()
	return s, types[0], types[1]
}

func request(p props) resource.Request {
	return resource.Request{Stack: strings.Repeat("long-", 20), LogicalID: "InstanceRole", Properties: p}
}

func document(about string) map[string]any {
	return map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Action": "sts:AssumeRole", about: "*"}}}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var failure *wire.Error
	if !errors.As(err, &failure) || failure.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestRoleOfAnInstanceProfile(t *testing.T) {
	t.Parallel()
	s, roles, profiles := newIAM()
	p := props{"AssumeRolePolicyDocument": document("Principal"), "ManagedPolicyArns": []any{"arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"},
		"PermissionsBoundary": "arn:aws:iam::111122223333:policy/fearless-boundary", "Tags": []any{map[string]any{"Key": "a", "Value": "b"}},
		"Policies": []any{map[string]any{"PolicyName": "settings", "PolicyDocument": document("Resource")}}}
	role, err := roles.Create(request(p))
	if err != nil {
		t.Fatal(err)
	}
	if len(role.Physical) != 64 || role.Attributes["Arn"] != "arn:aws:iam::111122223333:role/"+role.Physical {
		t.Errorf("the role is %+v", role)
	}
	profile, err := profiles.Create(request(props{"Roles": []any{role.Physical}}))
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := s.Profile(profile.Physical); !ok || got.Role != role.Physical || got.ARN != profile.Attributes["Arn"] {
		t.Errorf("the profile is %+v", got)
	}
	wantCode(t, roles.Delete(role.Physical), "DeleteConflict")
	delete(p, "Policies")
	again, err := roles.Update(request(p), nil, role.Physical)
	if got, _ := s.Role(role.Physical); err != nil || again.Attributes["RoleId"] != role.Attributes["RoleId"] || len(got.Policies) != 0 || got.Tags["a"] != "b" {
		t.Errorf("updated to %+v, %v", got, err)
	}
	for range 2 {
		if err := errors.Join(profiles.Delete(profile.Physical), roles.Delete(role.Physical)); err != nil {
			t.Error(err)
		}
	}
	_, err = profiles.Update(request(props{"Roles": []any{role.Physical}}), nil, profile.Physical)
	wantCode(t, err, "NoSuchEntity")
}

func TestRefusedRoles(t *testing.T) {
	t.Parallel()
	long := document("Resource")
	long["Statement"] = append(long["Statement"].([]any), map[string]any{"Effect": "Deny", "NotAction": strings.Repeat("x", 10_240), "NotResource": "*"})
	policies := func(name string, document any) props {
		return props{"Policies": []any{map[string]any{"PolicyName": name, "PolicyDocument": document}}}
	}
	for name, test := range map[string]struct {
		change props
		code   string
	}{
		"no trust":        {props{"AssumeRolePolicyDocument": nil}, "MalformedPolicyDocument"},
		"trust in no one": {props{"AssumeRolePolicyDocument": document("Resource")}, "MalformedPolicyDocument"},
		"text":            {policies("p", "{}"), "MalformedPolicyDocument"},
		"no statement":    {policies("p", map[string]any{"Statement": []any{}}), "MalformedPolicyDocument"},
		"no effect":       {policies("p", map[string]any{"Statement": map[string]any{"Action": "*", "Resource": "*"}}), "MalformedPolicyDocument"},
		"no resource":     {policies("p", document("Principal")), "MalformedPolicyDocument"},
		"policy name":     {policies("my policy", document("Resource")), "ValidationError"},
		"too long":        {policies("p", long), "LimitExceeded"},
		"no ARN":          {props{"ManagedPolicyArns": []any{"AdministratorAccess"}}, "ValidationError"},
		"another account": {props{"PermissionsBoundary": "arn:aws:iam::444455556666:policy/x"}, "NoSuchEntity"},
		"reserved tag":    {props{"Tags": []any{map[string]any{"Key": "aws:x", "Value": "b"}}}, "ValidationError"},
	} {
		_, roles, _ := newIAM()
		p := props{"AssumeRolePolicyDocument": document("Principal")}
		for key, value := range test.change {
			p[key] = value
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := roles.Create(request(p))
			wantCode(t, err, test.code)
		})
	}
	_, _, profiles := newIAM()
	for code, names := range map[string][]any{"NoSuchEntity": {"x"}, "LimitExceeded": {"x", "y"}, "ValidationError": {}} {
		_, err := profiles.Create(request(props{"Roles": names}))
		wantCode(t, err, code)
	}
}

func TestProfileOfTheAccount(t *testing.T) {
	t.Parallel()
	s, _, _ := newIAM()
	s.AddProfile("fearless-bake-server")
	p, ok := s.Profile("fearless-bake-server")
	if _, role := s.Role(p.Role); !ok || !role || p.Role != "fearless-bake-server" {
		t.Errorf("the profile is %+v", p)
	}
}
