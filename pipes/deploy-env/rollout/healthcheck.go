package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/release"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// checked are the properties of a target group that say how its members are checked.
// They change in place and at once, before there are any new servers.
var checked = []string{"HealthCheckPath", "HealthCheckPort", "HealthCheckProtocol", "Matcher"}

// checkHealthChecks refuses a change of a target group that takes the servers which run
// now out of service: the balancer would ask them something that they may not answer, or
// would send requests to another port, where nobody listens until new servers are ready.
// What the servers of today answer cannot be seen from here, so somebody has to say it.
func (d *deployer) checkHealthChecks(ctx context.Context, live *release.Live, changed *stack.ChangeSet) error {
	var against, targets, hints []string
	for _, role := range d.file.Roles {
		why, hint := unanswered(role, changed.Changes)
		if why == "" || slices.Contains(d.s.AllowInterrupt, role.Targets()) {
			continue
		}
		serving, err := d.serving(ctx, live.Physical[role.Targets()])
		if err != nil {
			return unable(err)
		}
		if serving > 0 {
			against = append(against, fmt.Sprintf("role %s: %s", role.Name, why))
			targets = append(targets, role.Targets())
			hints = append(hints, hint)
		}
	}
	if len(against) == 0 {
		return nil
	}
	if err := d.discard(ctx, changed); err != nil {
		return err
	}
	hints = append(slices.Compact(hints), "when that is so, or an interruption does not matter: ALLOW_INTERRUPT: '"+strings.Join(targets, ",")+"'")
	return exit.Refusedf("%s would take the servers that run now out of service before there are new ones:\n  %s",
		d.file.Path, strings.Join(against, "\n  ")).Hint(hints...)
}

// unanswered says what the servers of a role might not answer after the changes, and
// what to do about it. Empty: nothing.
func unanswered(role environment.Role, changes []stack.Change) (why, hint string) {
	for _, c := range changes {
		switch {
		case role.HTTP == nil || c.LogicalID != role.Targets() || c.Action != "Modify":
		case c.Replaces():
			return fmt.Sprintf("another target group (%s changes) has no servers at first, and the requests go there at once", strings.Join(c.Properties, ", ")),
				"keep the port: the process listens where PORT says"
		case slices.ContainsFunc(c.Properties, func(p string) bool { return slices.Contains(checked, p) }):
			return "the balancer would check them at " + role.HTTP.Health + ", where they may not answer, and replace those that do not",
				"make two releases of it: at first a commit whose servers answer 200 at the old and at the new path, with the file as it was; then change the path in the file"
		}
	}
	return "", ""
}

// serving counts the members of a target group.
func (d *deployer) serving(ctx context.Context, targets string) (int, error) {
	if targets == "" {
		return 0, nil
	}
	out, err := d.op.ELB.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &targets})
	if err != nil {
		return 0, fmt.Errorf("the servers behind the balancer cannot be looked up: %w", err)
	}
	serving := 0
	for _, t := range out.TargetHealthDescriptions {
		if t.TargetHealth != nil && t.TargetHealth.State != types.TargetHealthStateEnumDraining {
			serving++
		}
	}
	return serving, nil
}
