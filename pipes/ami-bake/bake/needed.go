package bake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	scaling "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
)

// reasons say why images are needed, by id.
type reasons map[string]string

// add keeps the first reason.
func (r reasons) add(id, why string) {
	if r[id] == "" {
		r[id] = why
	}
}

// needed finds all reasons to keep images. What cannot be read is an error.
func (b *baker) needed(ctx context.Context, images []image.Image) (reasons, error) {
	r := reasons{}
	for _, i := range images {
		switch {
		case i.State == image.Pending:
			r.add(i.ID, "it is being made")
		case time.Since(i.Created) < b.s.BaseMaxAge.Std():
			r.add(i.ID, "it is younger than "+b.s.BaseMaxAge.String())
		}
	}
	if err := b.releases(ctx, images, r); err != nil {
		return nil, err
	}
	if err := b.running(ctx, images, r); err != nil {
		return nil, err
	}
	return r, b.launching(ctx, r)
}

// releases asks the ledgers of all environments. When an image says that it was live where
// there is no ledger, this is not the bucket that deploys write to. Who deploys by other means
// has no ledger at all: then the newest images stay.
func (b *baker) releases(ctx context.Context, images []image.Image, r reasons) error {
	l := &ledger.Ledger{API: b.aws.s3, Bucket: b.aws.bucket, Application: b.s.Application}
	environments, err := l.Environments(ctx)
	if err != nil {
		return err
	}
	for _, i := range images {
		for tag := range i.Tags {
			where, deployed := strings.CutPrefix(tag, image.TagDeployed)
			if deployed && !slices.Contains(environments, where) {
				return exit.Unablef("image %s was live in %s, as its tag says, but the ledger s3://%s/ledger/%s/ knows nothing of %s",
					i.ID, where, b.aws.bucket, b.s.Application, where).
					Hint("is BUCKET the one that deploy-env has?")
			}
		}
	}
	if len(environments) == 0 {
		for _, i := range images[:min(b.s.Keep, len(images))] { // the newest first
			r.add(i.ID, fmt.Sprintf("there is no ledger, and it is one of the newest %d", b.s.Keep))
		}
	}
	for _, name := range environments {
		l := &ledger.Ledger{API: b.aws.s3, Bucket: b.aws.bucket, Application: b.s.Application, Environment: name}
		kept, err := l.Keep(ctx, b.s.Keep)
		if err != nil {
			return err
		}
		for _, k := range kept {
			r.add(k.Image, k.Why)
		}
	}
	return nil
}

// running asks for servers in any state in which they can start again.
func (b *baker) running(ctx context.Context, images []image.Image, r reasons) error {
	const mostValues = 200 // of a filter
	var ids []string
	for _, i := range images {
		if r[i.ID] == "" {
			ids = append(ids, i.ID)
		}
	}
	for some := range slices.Chunk(ids, mostValues) {
		pages := ec2.NewDescribeInstancesPaginator(b.aws.ec2, &ec2.DescribeInstancesInput{Filters: []types.Filter{
			{Name: aws.String("image-id"), Values: some},
			{Name: aws.String("instance-state-name"), Values: []string{"pending", "running", "stopping", "stopped"}},
		}})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return fmt.Errorf("which servers run old images cannot be looked up: %w", err)
			}
			for _, reservation := range page.Reservations {
				for _, i := range reservation.Instances {
					r.add(aws.ToString(i.ImageId), "server "+aws.ToString(i.InstanceId)+" runs it")
				}
			}
		}
	}
	return nil
}

// launching asks what the Auto Scaling groups of the account would start servers from,
// whoever made them: the versions of launch templates that they name.
func (b *baker) launching(ctx context.Context, r reasons) error {
	versions := map[string][]string{} // of a launch template
	pages := autoscaling.NewDescribeAutoScalingGroupsPaginator(b.aws.asg, &autoscaling.DescribeAutoScalingGroupsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("the groups of servers cannot be looked up: %w", err)
		}
		for _, g := range page.AutoScalingGroups {
			for _, t := range templatesOf(g) {
				id, version := aws.ToString(t.LaunchTemplateId), aws.ToString(t.Version)
				if version == "" {
					version = "$Default"
				}
				if !slices.Contains(versions[id], version) {
					versions[id] = append(versions[id], version)
				}
			}
		}
	}
	for id, wanted := range versions {
		if err := b.launchedBy(ctx, id, wanted, r); err != nil {
			return err
		}
	}
	return nil
}

// templatesOf are the launch templates of a group, which can have several.
func templatesOf(g scaling.AutoScalingGroup) []scaling.LaunchTemplateSpecification {
	var all []scaling.LaunchTemplateSpecification
	if g.LaunchTemplate != nil {
		all = append(all, *g.LaunchTemplate)
	}
	if g.MixedInstancesPolicy == nil || g.MixedInstancesPolicy.LaunchTemplate == nil {
		return all
	}
	mixed := g.MixedInstancesPolicy.LaunchTemplate
	if mixed.LaunchTemplateSpecification != nil {
		all = append(all, *mixed.LaunchTemplateSpecification)
	}
	for _, other := range mixed.Overrides {
		if other.LaunchTemplateSpecification != nil {
			all = append(all, *other.LaunchTemplateSpecification)
		}
	}
	return all
}

// launchedBy adds the images of versions of one launch template. A template or version that
// is not there any more starts no servers.
func (b *baker) launchedBy(ctx context.Context, template string, versions []string, r reasons) error {
	pages := ec2.NewDescribeLaunchTemplateVersionsPaginator(b.aws.ec2, &ec2.DescribeLaunchTemplateVersionsInput{
		LaunchTemplateId: &template, Versions: versions,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		switch code := errorCode(err); {
		case strings.HasPrefix(code, "InvalidLaunchTemplateId.") && len(versions) == 1:
			return nil
		case strings.HasPrefix(code, "InvalidLaunchTemplateId."):
			return b.oneByOne(ctx, template, versions, r)
		case err != nil:
			return fmt.Errorf("what launch template %s starts servers from cannot be looked up: %w", template, err)
		}
		for _, v := range page.LaunchTemplateVersions {
			if v.LaunchTemplateData != nil {
				r.add(aws.ToString(v.LaunchTemplateData.ImageId),
					fmt.Sprintf("a group starts servers from it, by version %d of launch template %s", aws.ToInt64(v.VersionNumber), template))
			}
		}
	}
	return nil
}

// oneByOne asks for versions of which one is not there: all of them would be an error.
func (b *baker) oneByOne(ctx context.Context, template string, versions []string, r reasons) error {
	for _, v := range versions {
		if err := b.launchedBy(ctx, template, []string{v}, r); err != nil {
			return err
		}
	}
	return nil
}
