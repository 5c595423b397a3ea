package release

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Made asks for what account.yml has made, in one call: it leaves the names in Parameter
// Store, below a folder such as /fearless/deploy/shop/. What it has not made is missing.
func (c Clients) Made(ctx context.Context, folder string, names ...string) (map[string]string, error) {
	var full []string
	for _, name := range names {
		full = append(full, folder+name)
	}
	out, err := c.SSM.GetParameters(ctx, &ssm.GetParametersInput{Names: full})
	if err != nil {
		return nil, exit.Unablef("what account.yml has made cannot be looked up: %w", err).
			Hint("the pipe's role needs ssm:GetParameters on parameter" + folder + "*, as account.yml gives it")
	}
	made := map[string]string{}
	for _, p := range out.Parameters {
		made[path.Base(aws.ToString(p.Name))] = aws.ToString(p.Value)
	}
	return made, nil
}

// RoleProblem says what to do when CloudFormation refuses a service role. The settings are
// those in which another one can be named, the pipe's role is the one of account.yml that
// may hand it over.
func RoleProblem(err error, role, settings, pipeRole string) error {
	if err == nil || role == "" {
		return unable(err)
	}
	switch text := err.Error(); {
	case strings.Contains(text, "invalid or cannot be assumed"):
		return exit.Unablef("%w", err).Hint(
			"the role must be there and trust cloudformation.amazonaws.com: deploy account.yml of this application again,",
			"or name another one in "+settings)
	case strings.Contains(text, "iam:PassRole"):
		return exit.Unablef("%w", err).Hint(fmt.Sprintf(
			"the pipe's own role may not hand over %s; the role %s of account.yml may", role, pipeRole))
	}
	return unable(err)
}
