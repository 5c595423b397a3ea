package rollout_test

import (
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
)

const accountARN = "arn:aws:iam::111122223333:"

// checkRoles compares the service roles of both stacks, and the boundary of the servers'.
func (l *place) checkRoles(base, servers, boundary string) {
	l.T.Helper()
	got := map[string]string{}
	for _, name := range []string{"shop-staging-base", "shop-staging"} {
		out, err := l.Reach().CFN.DescribeStacks(l.T.Context(), &cloudformation.DescribeStacksInput{StackName: &name})
		if err != nil {
			l.T.Fatal(err)
		}
		got[name] = aws.ToString(out.Stacks[0].RoleARN)
		for _, p := range out.Stacks[0].Parameters {
			if aws.ToString(p.ParameterKey) == "ServerBoundary" {
				got["boundary"] = aws.ToString(p.ParameterValue)
			}
		}
	}
	if diff := cmp.Diff(map[string]string{"shop-staging-base": base, "shop-staging": servers, "boundary": boundary}, got); diff != "" {
		l.T.Errorf("roles (-want +got):\n%s", diff)
	}
}

// CloudFormation works with the roles of account.yml without anybody naming them.
func TestServiceRoles(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.checkRoles(accountARN+"role/fearless-shop-base", accountARN+"role/fearless-shop-servers", accountARN+"policy/fearless-shop-server")
		// A preview hands over no role, and the stacks keep theirs.
		l.deploy(good2, nil, "ACTION=preview").Expect(t, exit.Passed)
		l.deploy(good2, nil, "SERVERS_SERVICE_ROLE="+accountARN+"role/fearless-shop-base").Expect(t, exit.Passed)
		l.checkRoles(accountARN+"role/fearless-shop-base", accountARN+"role/fearless-shop-base", accountARN+"policy/fearless-shop-server")
	})
}

// Where account.yml made no roles the pipe works with its own rights, and says so.
func TestNoServiceRoles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := furnished(lab.Bare(t, lab.Usual))
		l.deploy(good1, nil).Expect(t, exit.Passed, "account.yml made no service role for the base of shop", "account.yml made no service role for the servers of shop")
		l.checkRoles("", "", "none")
		// Once they are there, the stacks get them with the next change.
		l.Cloud.AddApplication(application)
		l.deploy(good2, nil).Expect(t, exit.Passed, "~ InstanceRole (IAM::Role): PermissionsBoundary")
		l.checkRoles(accountARN+"role/fearless-shop-base", accountARN+"role/fearless-shop-servers", accountARN+"policy/fearless-shop-server")
	})
}

func TestRoleThatCannotBeTaken(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		for _, role := range []string{"role/nobody", "role/fearless-bake-server"} {
			l.deploy(good1, nil, "BASE_SERVICE_ROLE="+accountARN+role).Expect(t, exit.Unable,
				"Role "+accountARN+role+" is invalid or cannot be assumed", "deploy account.yml of this application again")
		}
	})
}
