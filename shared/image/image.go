// Package image knows the machine images of an application: their names, their tags,
// and the index in the bucket by which they are found.
//
// The index, not the tags, says which image belongs to a commit: S3 reads what was
// written last, while a search by tag may miss an image for a while after it was made.
package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
)

// Tags on images, snapshots and build servers. Fifty are allowed on a resource, with
// values of at most 256 characters.
const (
	TagApplication = "fearless:application"
	TagCommit      = "fearless:commit"     // the commit the image was baked from
	TagInputs      = "fearless:inputs"     // digest of all that went into it
	TagBaseImage   = "fearless:base-image" // the image it was baked on
	TagContract    = "fearless:contract"   // version of the contract its boot agent speaks
	TagProcesses   = "fearless:processes"  // process types of its Procfile, separated by spaces
	TagRun         = "fearless:run"        // the run that made it
	TagBake        = "fearless:bake"       // build servers: the bake they serve
	TagExpires     = "fearless:expires"    // temporary things: when they may be swept, RFC 3339
	TagPipeline    = "fearless:pipeline"   // link to the pipeline
	TagDeployed    = "fearless:deployed:"  // and the name of an environment: when it was last live there, RFC 3339
)

// State is what EC2 says of an image, reduced to what can be done about it.
type State string

// The states.
const (
	Pending   State = "pending"
	Available State = "available"
	Failed    State = "failed" // failed, error, invalid, disabled: it will not become available
)

// Image is one machine image.
type Image struct {
	ID           string
	Name         string
	Owner        string // account
	State        State
	Reason       string // of a failed one
	Architecture string // x86_64 or arm64
	RootDevice   string // such as /dev/xvda
	RootSnapshot string
	Snapshots    []string // of all its disks
	Created      time.Time
	Tags         map[string]string
}

// finder is what looking for images takes.
type finder interface {
	DescribeImages(context.Context, *ec2.DescribeImagesInput, ...func(*ec2.Options)) (*ec2.DescribeImagesOutput, error)
}

// ByID describes one image. An image that does not exist, or not any more, gives nil
// without an error, as does one that EC2 does not show yet.
func ByID(ctx context.Context, api finder, id string) (*Image, error) {
	out, err := api.DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{id}})
	var apiErr smithy.APIError
	if errors.As(err, &apiErr) {
		switch apiErr.ErrorCode() {
		case "InvalidAMIID.NotFound", "InvalidAMIID.Unavailable":
			return nil, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("image %s cannot be looked up: %w", id, err)
	}
	for _, img := range fromAPI(out.Images) {
		if img.ID == id {
			return &img, nil
		}
	}
	return nil, nil
}

// Named lists the account's own images whose names match a pattern (* and ?), the
// newest first.
func Named(ctx context.Context, api finder, pattern string) ([]Image, error) {
	var found []Image
	pages := ec2.NewDescribeImagesPaginator(api, &ec2.DescribeImagesInput{
		Owners:  []string{"self"},
		Filters: []types.Filter{{Name: aws.String("name"), Values: []string{pattern}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("images named %s cannot be looked up: %w", pattern, err)
		}
		found = append(found, fromAPI(page.Images)...)
	}
	slices.SortFunc(found, func(a, b Image) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return found, nil
}

// fromAPI converts images; deregistered ones, which may still be listed for a while,
// are left out.
func fromAPI(list []types.Image) []Image {
	var images []Image
	for _, i := range list {
		if i.State == types.ImageStateDeregistered {
			continue
		}
		img := Image{
			ID: aws.ToString(i.ImageId), Name: aws.ToString(i.Name), Owner: aws.ToString(i.OwnerId),
			State: state(i.State), Architecture: string(i.Architecture),
			RootDevice: aws.ToString(i.RootDeviceName), Tags: map[string]string{},
		}
		if i.StateReason != nil {
			img.Reason = aws.ToString(i.StateReason.Message)
		}
		// An image without a readable date counts as very old: it is never reused.
		img.Created, _ = time.Parse(time.RFC3339, aws.ToString(i.CreationDate))
		for _, device := range i.BlockDeviceMappings {
			if device.Ebs == nil || aws.ToString(device.Ebs.SnapshotId) == "" {
				continue
			}
			img.Snapshots = append(img.Snapshots, *device.Ebs.SnapshotId)
			if aws.ToString(device.DeviceName) == img.RootDevice {
				img.RootSnapshot = *device.Ebs.SnapshotId
			}
		}
		for _, tag := range i.Tags {
			img.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
		images = append(images, img)
	}
	return images
}

func state(s types.ImageState) State {
	switch s {
	case types.ImageStateAvailable:
		return Available
	case types.ImageStatePending, types.ImageStateTransient:
		return Pending
	}
	return Failed
}

// LongestTag is the longest value that EC2 takes, in characters.
const LongestTag = 256

// Tags turns a map into the SDK's form, sorted by key so that requests repeat exactly.
// Empty values are left out, longer ones than EC2 takes are cut.
func Tags(values map[string]string) []types.Tag {
	var tags []types.Tag
	for key, value := range values {
		if value == "" {
			continue
		}
		if r := []rune(value); len(r) > LongestTag {
			value = string(r[:LongestTag])
		}
		tags = append(tags, types.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	slices.SortFunc(tags, func(a, b types.Tag) int { return cmp.Compare(*a.Key, *b.Key) })
	return tags
}
