package rollout

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"bitbucket.org/fearless/pipes/shared/stack"
)

// resources are the physical ids of a stack's resources, by logical id.
func (d *deployer) resources(ctx context.Context, s *stack.Stack) (map[string]string, error) {
	physical := map[string]string{}
	pages := cloudformation.NewListStackResourcesPaginator(d.cfn, &cloudformation.ListStackResourcesInput{StackName: &s.ID})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("the resources of stack %s cannot be listed: %w", s.Name, err)
		}
		for _, r := range page.StackResourceSummaries {
			physical[aws.ToString(r.LogicalResourceId)] = aws.ToString(r.PhysicalResourceId)
		}
	}
	return physical, nil
}

// capacities are the sizes to start the new groups with: those that scaling has reached,
// within what the file allows. A role without a group starts at its minimum.
func (d *deployer) capacities(ctx context.Context, physical map[string]string) (map[string]int, error) {
	sizes := map[string]int{}
	var names []string
	for _, role := range d.file.Roles {
		sizes[role.Name] = role.Min
		if group := physical[role.Group()]; group != "" {
			names = append(names, group)
		}
	}
	if len(names) == 0 {
		return sizes, nil
	}
	out, err := d.asg.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: names})
	if err != nil {
		return nil, fmt.Errorf("the groups of servers cannot be looked up: %w", err)
	}
	live := map[string]int{}
	for _, g := range out.AutoScalingGroups {
		live[aws.ToString(g.AutoScalingGroupName)] = int(aws.ToInt32(g.DesiredCapacity))
	}
	for _, role := range d.file.Roles {
		if desired, ok := live[physical[role.Group()]]; ok {
			sizes[role.Name] = role.Clamp(desired)
		}
	}
	return sizes, nil
}

// settingsDigest names the settings by their versions, not their values: changed settings
// start new servers, and nothing of them can be guessed from a template.
func (d *deployer) settingsDigest(ctx context.Context) (string, error) {
	var parts []string
	for _, path := range d.file.Settings {
		pages := ssm.NewGetParametersByPathPaginator(d.ssm, &ssm.GetParametersByPathInput{Path: &path, WithDecryption: aws.Bool(false)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return "", fmt.Errorf("the settings below %s cannot be read: %w", path, err)
			}
			for _, p := range page.Parameters {
				parts = append(parts, fmt.Sprintf("%s:%d", aws.ToString(p.Name), p.Version))
			}
		}
	}
	if len(parts) == 0 {
		return "none", nil
	}
	slices.Sort(parts)
	return digest(parts...), nil
}
