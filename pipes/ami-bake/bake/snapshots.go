package bake

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"bitbucket.org/fearless/pipes/shared/image"
)

// snapshot is one of the application's.
type snapshot struct {
	id      string
	bytes   int64 // in full
	exact   bool  // what EC2 counted, not the size of the disk
	started time.Time
	baked   bool // by this pipe
}

// weigh adds the sizes of snapshots up, and says what was measured.
func weigh(snapshots []snapshot) (bytes int64, text string) {
	measured := "in full, as EC2 counts them; what they share with others is paid for until the last of those goes"
	for _, s := range snapshots {
		bytes += s.bytes
		if !s.exact {
			measured = "by the size of their disks; EC2 stores and bills what was written of that"
		}
	}
	return bytes, fmt.Sprintf("%.1f GiB (%s)", float64(bytes)/(1<<30), measured)
}

// snapshots are all that carry the application's tag.
func (b *baker) snapshots(ctx context.Context) ([]snapshot, error) {
	var found []snapshot
	pages := ec2.NewDescribeSnapshotsPaginator(b.aws.ec2, &ec2.DescribeSnapshotsInput{
		OwnerIds: []string{"self"}, Filters: []types.Filter{{Name: aws.String("tag:" + image.TagApplication), Values: []string{b.s.Application}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("the snapshots of images cannot be looked up: %w", err)
		}
		for _, s := range page.Snapshots {
			n := snapshot{id: aws.ToString(s.SnapshotId), bytes: int64(aws.ToInt32(s.VolumeSize)) << 30, started: aws.ToTime(s.StartTime)}
			if s.FullSnapshotSizeInBytes != nil {
				n.bytes, n.exact = *s.FullSnapshotSizeInBytes, true
			}
			// People who back up the disks of servers may copy the disks' tags. Nobody but
			// this pipe says what went into it.
			n.baked = slices.ContainsFunc(s.Tags, func(t types.Tag) bool { return aws.ToString(t.Key) == image.TagInputs })
			found = append(found, n)
		}
	}
	return found, nil
}

// going are the snapshots of the images that go, and those that an image has left behind
// which is gone; a young one may belong to an image that is not shown yet.
func going(snapshots []snapshot, all, images []image.Image) (going, orphans []snapshot) {
	of := func(images []image.Image, id string) bool {
		return slices.ContainsFunc(images, func(i image.Image) bool { return slices.Contains(i.Snapshots, id) })
	}
	for _, s := range snapshots {
		switch {
		case of(images, s.id):
			going = append(going, s)
		case s.baked && !of(all, s.id) && time.Since(s.started) > youngFailure:
			orphans = append(orphans, s)
		}
	}
	return going, orphans
}

// removeSnapshot removes one whose image is gone; one that is gone too, or that somebody
// has made another image of, is left at that.
func (b *baker) removeSnapshot(ctx context.Context, id string) (removed bool, err error) {
	_, err = b.aws.ec2.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: &id})
	switch errorCode(err) {
	case "InvalidSnapshot.NotFound", "InvalidSnapshot.InUse":
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("snapshot %s cannot be deleted: %w", id, err)
	}
	return true, nil
}
