package localcloud_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/simulated"
)

// broken is a driver with something that does not work.
type broken struct {
	*simulated.Driver
	create, start, freeze error
}

func (b *broken) Create(instance, content string) (string, error) {
	if b.create != nil {
		return "", b.create
	}
	return b.Driver.Create(instance, content)
}

func (b *broken) Start(boot machine.Boot) (machine.Machine, error) {
	if b.start != nil {
		return nil, b.start
	}
	return b.Driver.Start(boot)
}

func (b *broken) Freeze(instance string) (string, error) {
	if b.freeze != nil {
		return "", b.freeze
	}
	return b.Driver.Freeze(instance)
}

func TestDriverCannotMakeADisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &broken{Driver: simulated.New(scripted), create: errors.New("the disk is full")}
		b := setupWith(t, localcloud.Options{Machines: d})
		_, err := b.ec2.RunInstances(t.Context(), b.withToken("one"))
		wantCode(t, err, "InternalError", "the disk is full")
		d.create = nil
		b.run(b.withToken("one")) // the token was left free
	})
}

func TestDriverCannotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &broken{Driver: simulated.New(scripted), start: errors.New("no shell")}
		b := setupWith(t, localcloud.Options{Machines: d, Timing: localcloud.CloudLike()})
		id := b.launch(idle)
		b.await(id, "terminated", 5*time.Minute)
		if i := b.cloud.Instances()[0]; !strings.Contains(i.Reason, "Server.InternalError") || !strings.Contains(i.Reason, "no shell") || d.Disks() != 0 {
			t.Errorf("the reason is %q, %d disks are left", i.Reason, d.Disks())
		}
	})
}

func TestDriverCannotFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &broken{Driver: simulated.New(scripted), freeze: errors.New("i/o error")}
		b := setupWith(t, localcloud.Options{Machines: d, Timing: localcloud.CloudLike()})
		source := b.launch(idle)
		b.await(source, "running", time.Minute)
		id := b.create(source, "shop")
		pause(10 * time.Minute)
		if m := b.cloud.Images()[0]; m.ID != id || m.State != "failed" || m.Reason != "i/o error" {
			t.Errorf("the image is %+v", m)
		}
		if got := b.cloud.Snapshots()[0].Status; got != "error" {
			t.Errorf("its snapshot is %s", got)
		}
		if got := b.state(source); got != "running" {
			t.Errorf("the instance is %s after the attempt", got)
		}
	})
}

func TestStopWhileAnImageIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context, b machine.Boot) {
			fmt.Fprintln(b.Console, "up")
			<-ctx.Done()
			<-time.After(10 * time.Second) // the way down takes its time
		}
		b := setupWith(t, localcloud.Options{Machines: simulated.New(slow), Timing: localcloud.CloudLike()})
		source := b.launch("")
		b.await(source, "running", time.Minute)
		b.create(source, "shop") // reboots it
		pause(5 * time.Second)
		if got := b.state(source); got != "running" {
			t.Errorf("during the reboot it is %s", got)
		}
		if _, err := b.ec2.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{source}}); err != nil {
			t.Fatal(err)
		}
		b.await(source, "stopped", time.Minute)
		pause(time.Hour)
		if i := b.cloud.Instances()[0]; i.State != "stopped" || i.Console != "up\n" || b.cloud.Images()[0].State != "available" {
			t.Errorf("it is %s and has printed %q", i.State, i.Console)
		}
	})
}

func TestConsoleKeepsItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chatty := func(_ context.Context, b machine.Boot) {
			for n := range 100_000 {
				fmt.Fprintln(b.Console, n)
			}
		}
		b := setupWith(t, localcloud.Options{Machines: simulated.New(chatty)})
		b.await(b.launch(""), "stopped", time.Minute)
		if got := b.cloud.Instances()[0].Console; !strings.HasSuffix(got, "\n99999\n") || len(got) != 64<<10 {
			t.Errorf("%d bytes, ending in %q", len(got), got[max(0, len(got)-10):])
		}
	})
}

func TestRealTimeIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.RealTime())
		b.cloud.SetEndpoint("http://127.0.0.1:4566")
		began := time.Now()
		id := b.launch("print hello\n")
		b.await(id, "stopped", 5*time.Second)
		image := b.create(id, "shop")
		pause(time.Second)
		if b.imageState(image) != "available" || time.Since(began) > 5*time.Second || b.cloud.Endpoint() == "" {
			t.Errorf("the image is %s after %s", b.imageState(image), time.Since(began))
		}
	})
}

func TestMissingResources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		tag := func(id string) error {
			_, err := b.ec2.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{id}, Tags: []types.Tag{tagOf("a", "b")}})
			return err
		}
		for id, code := range map[string]string{
			"i-0123": "InvalidInstanceID.NotFound", "ami-0123": "InvalidAMIID.NotFound", "snap-0123": "InvalidSnapshot.NotFound",
			"vol-0123": "InvalidVolume.NotFound", "eni-0123": "InvalidNetworkInterfaceID.NotFound", "vpc-0123": "InvalidID",
			b.base(): "AuthFailure",
		} {
			wantCode(t, tag(id), code, id)
		}
		_, err := b.ec2.DescribeImages(t.Context(), &ec2.DescribeImagesInput{ImageIds: []string{"shop"}})
		wantCode(t, err, "InvalidAMIID.Malformed", "shop")
		_, err = b.ec2.DescribeImages(t.Context(), &ec2.DescribeImagesInput{ImageIds: []string{"ami-1", "ami-2"}})
		wantCode(t, err, "InvalidAMIID.NotFound", "ami-1, ami-2")
		_, err = b.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{"i-1", "i-2"}})
		wantCode(t, err, "InvalidInstanceID.NotFound", "i-1, i-2")
		_, err = b.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{"x"}})
		wantCode(t, err, "InvalidInstanceID.Malformed", "x")
		_, err = b.ec2.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{SnapshotIds: []string{"snap-1"}})
		wantCode(t, err, "InvalidSnapshot.NotFound", "snap-1")
		_, err = b.ec2.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{SnapshotIds: []string{"x"}})
		wantCode(t, err, "InvalidParameterValue", "x")
	})
}

func TestSnapshotsAndImagesInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		source := b.stoppedInstance()
		for _, name := range []string{"shop-1", "shop-2", "shop-3"} {
			b.create(source, name)
		}
		synctest.Wait()
		images, snapshots := 0, 0
		for pages := ec2.NewDescribeImagesPaginator(b.ec2, &ec2.DescribeImagesInput{Owners: []string{"self"}, MaxResults: aws.Int32(2)}); pages.HasMorePages(); {
			out, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			images += len(out.Images)
		}
		for pages := ec2.NewDescribeSnapshotsPaginator(b.ec2, &ec2.DescribeSnapshotsInput{MaxResults: aws.Int32(2)}); pages.HasMorePages(); {
			out, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			snapshots += len(out.Snapshots)
		}
		if images != 3 || snapshots != 3 {
			t.Errorf("%d images and %d snapshots, want 3 each", images, snapshots)
		}
		if got := b.cloud.Leftovers("shop-1", source); len(got) != 5 {
			t.Errorf("left over: %v", got)
		}
		one := b.cloud.Snapshots()[1].ID
		out, err := b.ec2.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{SnapshotIds: []string{one}})
		if err != nil || len(out.Snapshots) != 1 || *out.Snapshots[0].SnapshotId != one {
			t.Errorf("one snapshot: %+v, %v", out, err)
		}
	})
}
