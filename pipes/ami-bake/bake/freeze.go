package bake

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
)

// freeze makes the image of a stopped build server. The name is unique in the account,
// and CreateImage has no client token: that the name is taken is how a second request,
// ours or another run's, finds out that it is not needed.
func (b *baker) freeze(ctx context.Context, s *Server) error {
	if !b.freezing {
		b.freezing = true
		b.attempt.forgets = append(b.attempt.forgets, b.rt.Undo.OnFailure("remove the unfinished image", b.removeUnfinished))
	}
	tags := image.Tags(b.tags(map[string]string{
		"Name":             b.name,
		image.TagBaseImage: b.base,
		image.TagContract:  strconv.Itoa(contract.Version),
		image.TagProcesses: strings.Join(b.material.Processes, " "),
	}))
	out, err := b.aws.ec2.CreateImage(ctx, &ec2.CreateImageInput{
		InstanceId: &s.ID, Name: &b.name,
		Description: aws.String(fmt.Sprintf("%s, commit %s", b.s.Application, b.material.Commit.Short())),
		TagSpecifications: []types.TagSpecification{
			{ResourceType: types.ResourceTypeImage, Tags: tags},
			{ResourceType: types.ResourceTypeSnapshot, Tags: tags},
		},
	})
	switch code := errorCode(err); {
	case code == "InvalidAMIName.Duplicate":
		b.rt.Console.Debug("The image's name is taken: somebody asked for it already")
		return nil
	case code == "InvalidInstanceID.NotFound", code == "IncorrectInstanceState",
		code == "InvalidParameterValue" && strings.Contains(err.Error(), "is not in state"):
		b.rt.Console.Debug("The build server is not what it was a moment ago: %v", err)
		return nil
	}
	if err != nil {
		return exit.Unablef("image %s cannot be made: %w", b.name, err)
	}
	b.created = aws.ToString(out.ImageId)
	b.rt.Console.Info("Image %s (%s) is being made", b.created, b.name)
	return nil
}

// deregister removes an image with its snapshots; one that is gone is fine.
func (b *baker) deregister(ctx context.Context, id string) error {
	return deregister(ctx, b.aws, id)
}

func deregister(ctx context.Context, c *cloud, id string) error {
	out, err := c.ec2.DeregisterImage(ctx, &ec2.DeregisterImageInput{ImageId: &id, DeleteAssociatedSnapshots: aws.Bool(true)})
	switch errorCode(err) {
	case "InvalidAMIID.NotFound", "InvalidAMIID.Unavailable":
		return nil
	}
	if err != nil {
		return fmt.Errorf("image %s cannot be deregistered: %w", id, err)
	}
	for _, r := range out.DeleteSnapshotResults {
		if r.ReturnCode != types.SnapshotReturnCodesSuccess && r.ReturnCode != types.SnapshotReturnCodesWarnSkipped {
			return fmt.Errorf("snapshot %s of image %s cannot be deleted: %s", aws.ToString(r.SnapshotId), id, r.ReturnCode)
		}
	}
	return nil
}

// removeUnfinished undoes freeze. An image that has become available in the meantime
// is whole and tagged: another run may be using it, and the next one will.
func (b *baker) removeUnfinished(ctx context.Context) error {
	const looks = 5
	for look := range looks {
		images, err := b.images(ctx)
		if err != nil {
			return err
		}
		img, found := named(images, b.name)
		switch {
		case found && (img.State == image.Available || img.Tags[image.TagRun] != b.run):
			return nil
		case found:
			return b.deregister(ctx, img.ID)
		case look == looks-1 && b.created != "":
			return b.deregister(ctx, b.created)
		}
		if err := pause(ctx, 3*time.Second); err != nil {
			return err
		}
	}
	return nil
}
