package rollout

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
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
	prefix := "/fearless/deploy/" + d.s.Application + "/"
	out, err := d.ssm.GetParameters(ctx, &ssm.GetParametersInput{
		Names: []string{prefix + "base-role", prefix + "servers-role", prefix + "server-boundary"},
	})
	if err != nil {
		return exit.Unablef("the service roles of %s cannot be looked up: %w", d.s.Application, err).
			Hint("the pipe's role needs ssm:GetParameters on parameter" + prefix + "*, as account.yml gives it")
	}
	d.made = made{base: d.s.BaseRole, servers: d.s.ServersRole, boundary: environment.NoBoundary}
	for _, p := range out.Parameters {
		value := aws.ToString(p.Value)
		switch path.Base(aws.ToString(p.Name)) {
		case "base-role":
			d.made.base = cmp.Or(d.made.base, value)
		case "servers-role":
			d.made.servers = cmp.Or(d.made.servers, value)
		case "server-boundary":
			d.made.boundary = value
		}
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
	if err == nil || role == "" {
		return unable(err)
	}
	switch text := err.Error(); {
	case strings.Contains(text, "invalid or cannot be assumed"):
		return exit.Unablef("%w", err).Hint(
			"the role must be there and trust cloudformation.amazonaws.com: deploy account.yml of this application again,",
			"or name another one in BASE_SERVICE_ROLE or SERVERS_SERVICE_ROLE")
	case strings.Contains(text, "iam:PassRole"):
		return exit.Unablef("%w", err).Hint(fmt.Sprintf(
			"the pipe's own role may not hand over %s; the role fearless-%s-deploy-env of account.yml may", role, d.s.Application))
	}
	return unable(err)
}
