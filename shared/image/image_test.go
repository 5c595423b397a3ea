package image_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/image"
)

// answers is EC2 with prepared answers, one a page.
type answers struct {
	pages []ec2.DescribeImagesOutput
	err   error
	asked []*ec2.DescribeImagesInput
}

func (a *answers) DescribeImages(_ context.Context, in *ec2.DescribeImagesInput, _ ...func(*ec2.Options)) (*ec2.DescribeImagesOutput, error) {
	a.asked = append(a.asked, in)
	if a.err != nil {
		return nil, a.err
	}
	page := a.pages[0]
	a.pages = a.pages[1:]
	return &page, nil
}

func ami(id, name, created string, state types.ImageState) types.Image {
	return types.Image{
		ImageId: &id, Name: &name, CreationDate: &created, State: state, OwnerId: aws.String("111122223333"),
		Architecture: types.ArchitectureValuesArm64, RootDeviceName: aws.String("/dev/xvda"),
		BlockDeviceMappings: []types.BlockDeviceMapping{
			{DeviceName: aws.String("/dev/sdb"), Ebs: &types.EbsBlockDevice{SnapshotId: aws.String("snap-data")}},
			{DeviceName: aws.String("/dev/xvda"), Ebs: &types.EbsBlockDevice{SnapshotId: aws.String("snap-root")}},
		},
		Tags:        []types.Tag{{Key: aws.String(image.TagInputs), Value: aws.String("abc")}},
		StateReason: &types.StateReason{Message: aws.String("why")},
	}
}

func TestNamedReadsAllPagesNewestFirst(t *testing.T) {
	t.Parallel()
	api := &answers{pages: []ec2.DescribeImagesOutput{
		{NextToken: aws.String("more"), Images: []types.Image{
			ami("ami-1", "shop-a", "2026-01-01T00:00:00.000Z", types.ImageStateAvailable),
			ami("ami-gone", "shop-a", "2026-03-01T00:00:00.000Z", types.ImageStateDeregistered),
		}},
		{Images: []types.Image{
			ami("ami-2", "shop-b", "2026-02-01T00:00:00.000Z", types.ImageStatePending),
			ami("ami-0", "shop-c", "no date", types.ImageStateError),
		}},
	}}
	found, err := image.Named(t.Context(), api, "shop-*")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, img := range found {
		got = append(got, img.ID+" "+string(img.State))
	}
	if diff := cmp.Diff([]string{"ami-2 pending", "ami-1 available", "ami-0 failed"}, got); diff != "" {
		t.Error(diff)
	}
	want := image.Image{
		ID: "ami-1", Name: "shop-a", Owner: "111122223333", State: image.Available, Reason: "why", Architecture: "arm64",
		RootDevice: "/dev/xvda", RootSnapshot: "snap-root", Snapshots: []string{"snap-data", "snap-root"}, Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Tags: map[string]string{image.TagInputs: "abc"},
	}
	if diff := cmp.Diff(want, found[1]); diff != "" {
		t.Error(diff)
	}
	if owners := api.asked[0].Owners; len(owners) != 1 || owners[0] != "self" {
		t.Errorf("images of %v were asked for: somebody else's could carry our name", owners)
	}
}

func TestByID(t *testing.T) {
	t.Parallel()
	api := &answers{pages: []ec2.DescribeImagesOutput{{Images: []types.Image{ami("ami-1", "a", "2026-01-01T00:00:00.000Z", types.ImageStateAvailable)}}}}
	if img, err := image.ByID(t.Context(), api, "ami-1"); err != nil || img == nil || img.Name != "a" {
		t.Errorf("%+v, %v", img, err)
	}
	for name, api := range map[string]*answers{
		"not found":    {err: &smithy.GenericAPIError{Code: "InvalidAMIID.NotFound"}},
		"unavailable":  {err: &smithy.GenericAPIError{Code: "InvalidAMIID.Unavailable"}},
		"empty answer": {pages: []ec2.DescribeImagesOutput{{}}},
		"deregistered": {pages: []ec2.DescribeImagesOutput{{Images: []types.Image{ami("ami-1", "a", "", types.ImageStateDeregistered)}}}},
	} {
		if img, err := image.ByID(t.Context(), api, "ami-1"); err != nil || img != nil {
			t.Errorf("%s: %+v, %v", name, img, err)
		}
	}
	refused := errors.New("not allowed")
	if _, err := image.ByID(t.Context(), &answers{err: refused}, "ami-1"); !errors.Is(err, refused) {
		t.Errorf("an error was taken for an image that is gone: %v", err)
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	tags := image.Tags(map[string]string{"b": "2", "a": strings.Repeat("ä", 300), "empty": ""})
	if len(tags) != 2 || *tags[0].Key != "a" || *tags[1].Value != "2" || len([]rune(*tags[0].Value)) != 256 {
		t.Errorf("%d tags, the first with %d characters", len(tags), len([]rune(*tags[0].Value)))
	}
}
