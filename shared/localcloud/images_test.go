package localcloud_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud"
)

func TestImageLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.CloudLike())
		source := b.stoppedInstance()
		out, err := b.ec2.CreateImage(t.Context(), &ec2.CreateImageInput{
			InstanceId: &source, Name: aws.String("shop-1234"), Description: aws.String("of commit 1234"),
			TagSpecifications: []types.TagSpecification{
				{ResourceType: "image", Tags: []types.Tag{tagOf("commit", "1234")}},
				{ResourceType: "snapshot", Tags: []types.Tag{tagOf("of", "shop")}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		id, asked := *out.ImageId, time.Now()
		if got := b.imageState(id); got != "pending" {
			t.Errorf("a fresh image is %s", got)
		}
		in := b.input(idle)
		in.ImageId = &id
		_, err = b.ec2.RunInstances(t.Context(), in)
		wantCode(t, err, "InvalidAMIID.Unavailable", id, "pending")

		// What was frozen does not depend on the instance any more.
		if _, err := b.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{source}}); err != nil {
			t.Fatal(err)
		}
		waiter := ec2.NewImageAvailableWaiter(b.ec2)
		if err := waiter.Wait(t.Context(), &ec2.DescribeImagesInput{Owners: []string{"self"}, Filters: []types.Filter{filterOf("tag:commit", "1234")}}, time.Hour); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(asked); took < localcloud.CloudLike().ImagePending {
			t.Errorf("available after %s", took)
		}
		m := b.describedImages(&ec2.DescribeImagesInput{ImageIds: []string{id}})[0]
		disk := m.BlockDeviceMappings[0]
		if *m.Name != "shop-1234" || *m.SourceInstanceId != source || *m.OwnerId != "111122223333" || m.State != "available" ||
			m.Architecture != "x86_64" || *m.RootDeviceName != *disk.DeviceName || *disk.Ebs.VolumeSize != 8 || *m.Public {
			t.Errorf("described as %+v", m)
		}
		instance := b.run(in)
		b.removeImage(id)
		if b.await(instance, "running", time.Minute); b.machines.Frozen() != 0 {
			t.Errorf("%d frozen disks are left", b.machines.Frozen())
		}
		if got := b.cloud.Leftovers(); len(got) != 1 || !strings.Contains(got[0], instance) {
			t.Errorf("left over: %v, want only %s", got, instance)
		}
	})
}

// removeImage deregisters an image with its snapshot and looks at what is
// said about it afterwards.
func (b *bench) removeImage(id string) {
	b.Helper()
	gone, err := b.ec2.DeregisterImage(b.Context(), &ec2.DeregisterImageInput{ImageId: &id, DeleteAssociatedSnapshots: aws.Bool(true)})
	if err != nil {
		b.Fatal(err)
	}
	if got := gone.DeleteSnapshotResults; len(got) != 1 || got[0].ReturnCode != "success" || !strings.HasPrefix(*got[0].SnapshotId, "snap-") {
		b.Errorf("the snapshot's result is %+v", got)
	}
	if left := b.describedImages(&ec2.DescribeImagesInput{ImageIds: []string{id}}); len(left) != 0 {
		b.Errorf("a deregistered image is described: %+v", left)
	}
	_, err = b.ec2.DeregisterImage(b.Context(), &ec2.DeregisterImageInput{ImageId: &id})
	wantCode(b, err, "InvalidAMIID.Unavailable", id)
}

func (b *bench) describedImages(in *ec2.DescribeImagesInput) []types.Image {
	b.Helper()
	out, err := b.ec2.DescribeImages(b.Context(), in)
	if err != nil {
		b.Fatal(err)
	}
	return out.Images
}

func TestImageNamesAreUnique(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.CloudLike())
		source := b.stoppedInstance()
		name := &ec2.CreateImageInput{InstanceId: &source, Name: aws.String("shop (1)")}

		b.cloud.FailNextImage("the snapshot could not be completed")
		var racers sync.WaitGroup
		made := make(chan string, 20)
		for range cap(made) {
			racers.Go(func() {
				out, err := b.ec2.CreateImage(t.Context(), name)
				if err != nil {
					wantCode(t, err, "InvalidAMIName.Duplicate", "AMI name shop (1) is already in use by AMI ami-")
					return
				}
				made <- *out.ImageId
			})
		}
		racers.Wait()
		close(made)
		id, more := <-made, len(made)
		if more != 0 {
			t.Fatalf("%d images of one name", more+1)
		}
		pause(10 * time.Minute)
		if m := b.cloud.Images()[0]; m.State != "failed" || m.Reason != "the snapshot could not be completed" {
			t.Errorf("the image is %s because of %q, want failed", m.State, m.Reason)
		}
		_, err := b.ec2.CreateImage(t.Context(), name)
		wantCode(t, err, "InvalidAMIName.Duplicate", id)
		if _, err := b.ec2.DeregisterImage(t.Context(), &ec2.DeregisterImageInput{ImageId: &id}); err != nil {
			t.Fatal(err)
		}
		again := b.create(source, "shop (1)")
		pause(10 * time.Minute)
		if got := b.imageState(again); got != "available" {
			t.Errorf("the second image is %s", got)
		}
	})
}

func TestFailedImageSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		source := b.stoppedInstance()
		b.cloud.FailNextImage("no room")
		id := b.create(source, "shop")
		synctest.Wait()
		m := b.describedImages(&ec2.DescribeImagesInput{ImageIds: []string{id}})[0]
		if m.State != "failed" || m.StateReason == nil || *m.StateReason.Message != "no room" {
			t.Errorf("described as %s, %+v", m.State, m.StateReason)
		}
	})
}

func TestImageOfARunningInstanceRebootsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.CloudLike())
		source := b.launch("print up\nidle\n")
		_, err := b.ec2.CreateImage(t.Context(), &ec2.CreateImageInput{InstanceId: &source, Name: aws.String("too-early")})
		wantCode(t, err, "InvalidParameterValue", source, "'running' or 'stopped'")

		b.await(source, "running", time.Minute)
		id := b.create(source, "shop")
		pause(time.Minute)
		if i := b.cloud.Instances()[0]; i.State != "running" || i.Console != "up\nup again\n" {
			t.Errorf("after the reboot it is %s and has printed %q", i.State, i.Console)
		}
		second := b.create(source, "shop-2") // and is terminated while it is off
		if _, err := b.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{source}}); err != nil {
			t.Fatal(err)
		}
		b.await(source, "terminated", time.Minute)
		pause(10 * time.Minute)
		for _, image := range []string{id, second} {
			if got := b.imageState(image); got != "available" {
				t.Errorf("image %s is %s", image, got)
			}
		}
		if b.machines.Disks() != 0 || b.machines.Frozen() != 1 {
			t.Errorf("%d disks and %d contents, want none and one: both images hold the same", b.machines.Disks(), b.machines.Frozen())
		}
	})
}

func TestDeregisterAPendingImage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.CloudLike())
		id := b.create(b.stoppedInstance(), "shop")
		b.removeImage(id)
		pause(time.Hour)
		if got := b.cloud.Images(); len(got) != 0 || b.machines.Frozen() != 0 {
			t.Errorf("left: %v and %d contents", got, b.machines.Frozen())
		}
	})
}

func TestSnapshotsOutliveImagesUnlessDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		id := b.create(b.stoppedInstance(), "shop")
		synctest.Wait()
		out, err := b.ec2.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}, Filters: []types.Filter{filterOf("status", "completed")}})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Snapshots) != 1 || !strings.Contains(*out.Snapshots[0].Description, id) {
			t.Fatalf("snapshots: %+v", out.Snapshots)
		}
		remove := &ec2.DeleteSnapshotInput{SnapshotId: out.Snapshots[0].SnapshotId}
		_, err = b.ec2.DeleteSnapshot(t.Context(), remove)
		wantCode(t, err, "InvalidSnapshot.InUse", id)
		if _, err := b.ec2.DeregisterImage(t.Context(), &ec2.DeregisterImageInput{ImageId: &id}); err != nil {
			t.Fatal(err)
		}
		if n := len(b.cloud.Snapshots()); n != 1 {
			t.Fatalf("%d snapshots after the image has gone, want 1", n)
		}
		if _, err := b.ec2.DeleteSnapshot(t.Context(), remove); err != nil {
			t.Fatal(err)
		}
		_, err = b.ec2.DeleteSnapshot(t.Context(), remove)
		wantCode(t, err, "InvalidSnapshot.NotFound", *remove.SnapshotId)
	})
}

func TestBaseImages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.CloudLike())
		const parameter = "/aws/service/canonical/ubuntu/server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id"
		old := b.cloud.Parameter(parameter)
		m := b.describedImages(&ec2.DescribeImagesInput{ImageIds: []string{old}})[0]
		if m.Architecture != "arm64" || *m.RootDeviceName != "/dev/sda1" || *m.OwnerId != "099720109477" || !*m.Public {
			t.Errorf("ubuntu is described as %+v", m)
		}
		if got := b.describedImages(&ec2.DescribeImagesInput{Owners: []string{"self"}}); len(got) != 0 {
			t.Errorf("own images from the start: %v", got)
		}
		if got := b.describedImages(&ec2.DescribeImagesInput{Owners: []string{"amazon"}, Filters: []types.Filter{filterOf("name", "al2023-*")}}); len(got) != 2 {
			t.Errorf("%d images of amazon, want 2", len(got))
		}
		if newer := b.cloud.PublishBase(parameter); newer == old || b.cloud.Parameter(parameter) != newer {
			t.Errorf("published %s after %s, the parameter says %s", newer, old, b.cloud.Parameter(parameter))
		}
		_, err := b.ec2.DeregisterImage(t.Context(), &ec2.DeregisterImageInput{ImageId: &old})
		wantCode(t, err, "AuthFailure", old)
	})
}

func TestEqualDisksHaveEqualContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		var contents []string
		for _, script := range []string{"wait 1s\n", "wait 1s\n", "wait 2s\n"} {
			id := b.launch(script)
			b.await(id, "stopped", time.Minute)
			b.create(id, "image-of-"+id)
			synctest.Wait()
			images := b.cloud.Images()
			contents = append(contents, images[len(images)-1].Content)
		}
		if diff := cmp.Diff(contents[0], contents[1]); diff != "" || contents[1] == contents[2] {
			t.Errorf("contents: %v", contents)
		}
	})
}

// Equal disks share their content, so removing one image must not take away
// what another has just been made of.
func TestRemovingAnImageWhileItsTwinIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		source := b.stoppedInstance()
		old := b.create(source, "shop-0")
		for n := range 50 {
			var both sync.WaitGroup
			both.Go(func() {
				if _, err := b.ec2.DeregisterImage(t.Context(), &ec2.DeregisterImageInput{ImageId: &old}); err != nil {
					t.Error(err)
				}
			})
			next := ""
			both.Go(func() { next = b.create(source, "shop-"+strconv.Itoa(n+1)) })
			both.Wait()
			synctest.Wait()
			in := b.input(idle)
			in.ImageId = &next
			if _, err := b.ec2.RunInstances(t.Context(), in); err != nil {
				t.Fatalf("round %d: %v", n, err)
			}
			old = next
		}
	})
}
