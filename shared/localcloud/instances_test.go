package localcloud_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud"
)

func TestInstanceComesUpAsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.CloudLike())
		in := b.input("print booted\nidle\n")
		in.SubnetId = nil
		in.NetworkInterfaces = []types.InstanceNetworkInterfaceSpecification{{
			DeviceIndex: aws.Int32(0), SubnetId: aws.String(b.cloud.Parameter(localcloud.SubnetParameter)),
			AssociatePublicIpAddress: aws.Bool(true), Groups: []string{b.cloud.Parameter(localcloud.GroupParameter)},
		}}
		in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Name: aws.String(localcloud.BakeProfile)}
		in.MetadataOptions = &types.InstanceMetadataOptionsRequest{
			HttpTokens: types.HttpTokensStateRequired, HttpPutResponseHopLimit: aws.Int32(2), InstanceMetadataTags: types.InstanceMetadataTagsStateEnabled,
		}
		in.BlockDeviceMappings = []types.BlockDeviceMapping{{
			DeviceName: aws.String("/dev/xvda"), Ebs: &types.EbsBlockDevice{VolumeSize: aws.Int32(20), VolumeType: types.VolumeTypeGp3, Encrypted: aws.Bool(true)},
		}}
		for _, kind := range []types.ResourceType{"instance", "volume", "network-interface"} {
			in.TagSpecifications = append(in.TagSpecifications, types.TagSpecification{ResourceType: kind, Tags: []types.Tag{tagOf("kind", string(kind))}})
		}
		out, err := b.ec2.RunInstances(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		id := *out.Instances[0].InstanceId
		if got := out.Instances[0].State.Name; got != "pending" {
			t.Errorf("a fresh instance is %s, want pending", got)
		}
		started := time.Now()
		waiter := ec2.NewInstanceRunningWaiter(b.ec2)
		if err := waiter.Wait(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{id}}, 10*time.Minute); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took < localcloud.CloudLike().Pending {
			t.Errorf("running after %s, sooner than it takes", took)
		}
		synctest.Wait()
		i := b.described(filterOf("instance-id", id))[0]
		if string(i.Architecture) != "x86_64" || *i.RootDeviceName != "/dev/xvda" || i.PrivateIpAddress == nil || i.PublicIpAddress == nil ||
			!strings.HasSuffix(*i.IamInstanceProfile.Arn, "instance-profile/"+localcloud.BakeProfile) ||
			i.MetadataOptions.HttpTokens != "required" || *i.MetadataOptions.HttpPutResponseHopLimit != 2 ||
			len(i.SecurityGroups) != 1 || *i.Placement.AvailabilityZone != "us-east-1a" || i.State.Name != "running" {
			t.Errorf("described as %+v", i)
		}
		seen := b.cloud.Instances()[0]
		tags := []map[string]string{seen.Tags, seen.VolumeTags, seen.InterfaceTags}
		if diff := cmp.Diff([]map[string]string{{"kind": "instance"}, {"kind": "volume"}, {"kind": "network-interface"}}, tags); diff != "" {
			t.Errorf("tags set in the same call (-want +got):\n%s", diff)
		}
		if seen.Console != "booted\n" {
			t.Errorf("user data printed %q", seen.Console)
		}
	})
}

func TestPowerOffFromInsideFollowsTheBehaviour(t *testing.T) {
	for behaviour, end := range map[types.ShutdownBehavior]string{"": "stopped", "stop": "stopped", "terminate": "terminated"} {
		t.Run("behaviour "+string(behaviour), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, localcloud.CloudLike())
				in := b.input(powerOff)
				in.InstanceInitiatedShutdownBehavior = behaviour
				out, err := b.ec2.RunInstances(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				id := *out.Instances[0].InstanceId
				b.await(id, "running", time.Minute)
				b.await(id, map[string]string{"stopped": "stopping", "terminated": "shutting-down"}[end], 2*time.Minute)
				b.await(id, end, time.Minute)
				if reason := b.cloud.Instances()[0].Reason; !strings.Contains(reason, "Instance initiated shutdown") {
					t.Errorf("the reason is %q", reason)
				}
				if disks := b.machines.Disks(); (disks == 0) != (end == "terminated") {
					t.Errorf("%d disks left of an instance that is %s", disks, end)
				}
			})
		})
	}
}

func TestStopAndTerminate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.CloudLike())
		id := b.launch(idle)
		stop := &ec2.StopInstancesInput{InstanceIds: []string{id}}

		_, err := b.ec2.StopInstances(t.Context(), stop)
		wantCode(t, err, "IncorrectInstanceState", id)

		b.await(id, "running", time.Minute)
		out, err := b.ec2.StopInstances(t.Context(), stop)
		if err != nil {
			t.Fatal(err)
		}
		if c := out.StoppingInstances[0]; c.PreviousState.Name != "running" || c.CurrentState.Name != "stopping" {
			t.Errorf("stop changed %s to %s", c.PreviousState.Name, c.CurrentState.Name)
		}
		b.await(id, "stopped", time.Minute)

		for range 2 { // the second time is no error
			if _, err := b.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}}); err != nil {
				t.Fatal(err)
			}
		}
		b.await(id, "terminated", time.Minute)
		pause(59 * time.Minute)
		if len(b.described(filterOf("instance-id", id)))+len(b.described())+len(b.described()) == 0 {
			t.Error("a terminated instance is gone before the hour is over")
		}
		pause(2 * time.Minute)
		if got := b.described(); len(got) != 0 {
			t.Errorf("a terminated instance is still described after an hour: %v", ids(got))
		}
		_, err = b.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}})
		wantCode(t, err, "InvalidInstanceID.NotFound", id)
	})
}

func TestTerminateBeforePowerOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.CloudLike())
		id := b.launch("print never\n")
		if _, err := b.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}}); err != nil {
			t.Fatal(err)
		}
		b.await(id, "terminated", time.Minute)
		pause(time.Minute)
		if i := b.cloud.Instances()[0]; i.Console != "" || i.State != "terminated" || b.machines.Disks() != 0 {
			t.Errorf("it came up all the same: %+v, %d disks", i, b.machines.Disks())
		}
	})
}

func TestConsoleOutputIsPostedAtTransitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.CloudLike())
		id := b.launch(powerOff)
		b.await(id, "running", time.Minute)
		pause(30 * time.Second)
		read := func(latest *bool) string {
			out, err := b.ec2.GetConsoleOutput(t.Context(), &ec2.GetConsoleOutputInput{InstanceId: &id, Latest: latest})
			if err != nil {
				t.Fatal(err)
			}
			text, err := base64.StdEncoding.DecodeString(*out.Output)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		if got := read(aws.Bool(true)); got != "hello\n" {
			t.Errorf("the latest output is %q", got)
		}
		b.await(id, "stopped", 5*time.Minute)
		if got := read(nil); got != "hello\n" {
			t.Errorf("the posted output of a stopped instance is %q", got)
		}

		in := b.input(idle)
		in.InstanceType = types.InstanceTypeT2Micro
		out, err := b.ec2.RunInstances(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.ec2.GetConsoleOutput(t.Context(), &ec2.GetConsoleOutputInput{InstanceId: out.Instances[0].InstanceId, Latest: aws.Bool(true)})
		wantCode(t, err, "UnsupportedOperation", "t2.micro")
	})
}

func TestFreshIDsAreHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timing := localcloud.CloudLike()
		timing.HiddenReads, timing.Visible = 2, 0
		b := setup(t, timing)
		id := b.launch(idle)

		_, err := b.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
		wantCode(t, err, "InvalidInstanceID.NotFound", id)
		if got := b.described(); len(got) != 0 {
			t.Errorf("the second read shows %v", ids(got))
		}
		if got := b.described(); len(got) != 1 {
			t.Errorf("the third read shows %v, want %s", ids(got), id)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{Visible: 10 * time.Second})
		id := b.launch(idle)
		_, err := b.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}})
		wantCode(t, err, "InvalidInstanceID.NotFound", id)
		pause(10 * time.Second)
		if got := b.described(); len(got) != 1 {
			t.Errorf("after its time: %v, want %s", ids(got), id)
		}
	})
}

func TestFiltersAndPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		var all []string
		for n, name := range []string{"web-1", "web-2", "worker-1", "web_3", "worker-2", "other"} {
			in := b.input(idle)
			in.ClientToken = aws.String("token-" + name)
			in.TagSpecifications = []types.TagSpecification{{ResourceType: "instance", Tags: []types.Tag{tagOf("Name", name)}}}
			if n == 5 {
				in.TagSpecifications = nil
			}
			out, err := b.ec2.RunInstances(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, *out.Instances[0].InstanceId)
		}
		synctest.Wait()
		for _, test := range []struct {
			filters []types.Filter
			want    []string
		}{
			{nil, all},
			{[]types.Filter{filterOf("tag:Name", "web-*")}, all[:2]},
			{[]types.Filter{filterOf("tag:Name", "web?3", "worker-1")}, all[2:4]},
			{[]types.Filter{filterOf("tag-key", "Name")}, all[:5]},
			{[]types.Filter{filterOf("client-token", "token-web-1")}, all[:1]},
			{[]types.Filter{filterOf("instance-state-name", "running"), filterOf("image-id", b.base())}, all},
			{[]types.Filter{filterOf("instance-state-name", "pending")}, nil},
			{[]types.Filter{filterOf("instance-id", all[4])}, all[4:5]},
		} {
			if diff := cmp.Diff(test.want, ids(b.described(test.filters...))); diff != "" {
				t.Errorf("%v (-want +got):\n%s", test.filters, diff)
			}
		}
		_, err := b.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{Filters: []types.Filter{filterOf("owner", "me")}})
		wantCode(t, err, "InvalidParameterValue", "owner")

		var paged []string
		pages := ec2.NewDescribeInstancesPaginator(b.ec2, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(4)})
		for pages.HasMorePages() {
			out, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Reservations) > 4 {
				t.Errorf("a page of %d", len(out.Reservations))
			}
			for _, r := range out.Reservations {
				paged = append(paged, ids(r.Instances)...)
			}
		}
		if diff := cmp.Diff(all, paged); diff != "" {
			t.Errorf("pages (-want +got):\n%s", diff)
		}
		_, err = b.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{NextToken: aws.String("bogus")})
		wantCode(t, err, "InvalidNextToken")
	})
}
