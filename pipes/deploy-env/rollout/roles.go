package rollout

import (
	"cmp"
	"context"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/release"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// made is what account.yml has made for an application, by ARN.
type made struct {
	base, servers string // roles with which CloudFormation works; empty: none
	boundary      string // of the roles of servers, or environment.NoBoundary
}

// role is the role of account.yml that this run takes when it is told an account only:
// one that can change nothing, where nothing is to be changed.
func (d *deployer) role() string {
	if d.s.Action == ActionPreview || d.s.Action == ActionHistory {
		return "plan"
	}
	return Name
}

// lookUpRoles asks for what account.yml made, in one call: it has left the names in
// Parameter Store. Roles that the settings name go first.
func (d *deployer) lookUpRoles(ctx context.Context) error {
	found, err := d.op.Made(ctx, "/fearless/deploy/"+d.s.Application+"/", "base-role", "servers-role", "server-boundary")
	if err != nil {
		return err
	}
	d.made = made{
		base: cmp.Or(d.s.BaseRole, found["base-role"]), servers: cmp.Or(d.s.ServersRole, found["servers-role"]),
		boundary: cmp.Or(found["server-boundary"], environment.NoBoundary),
	}
	for _, role := range []struct{ stacks, arn string }{{"the base", d.made.base}, {"the servers", d.made.servers}} {
		if role.arn == "" {
			d.rt.Console.Info("account.yml made no service role for %s of %s: CloudFormation works with the rights of this pipe's own role", role.stacks, d.s.Application)
		}
	}
	return nil
}

// serviceRole is the role that is handed over for a stack. A preview hands over none:
// what it makes is never executed.
func (d *deployer) serviceRole(stackName string) string {
	switch {
	case d.s.Action == ActionPreview:
		return ""
	case stackName == d.file.BaseStack():
		return d.made.base
	}
	return d.made.servers
}

// roleProblem says what to do when CloudFormation refuses a service role.
func (d *deployer) roleProblem(role string, err error) error {
	return release.RoleProblem(err, role, "BASE_SERVICE_ROLE or SERVERS_SERVICE_ROLE", "fearless-"+d.s.Application+"-"+Name)
}

// ownAll refuses stacks of others before anything is touched.
func (d *deployer) ownAll(ctx context.Context) error {
	for _, name := range []string{d.file.BaseStack(), d.file.ServersStack()} {
		s, err := stack.Describe(ctx, d.op.CFN, name)
		if err != nil {
			return unable(err)
		}
		if s == nil {
			continue
		}
		if err := d.op.Own(s); err != nil {
			return err
		}
	}
	return nil
}
