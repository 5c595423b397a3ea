package localcloud_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud"
	cloud "bitbucket.org/fearless/pipes/shared/localcloud/ec2"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/simulated"
	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// make makes a resource of a template and gives its physical id.
func (b *bench) make(kind string, p resource.Properties) string {
	b.Helper()
	made, err := b.cloud.Make(kind, p)
	if err != nil {
		b.Fatalf("%s: %v", kind, err)
	}
	return made.Physical
}

func TestDescribedNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.CloudLike())
		vpc := b.make("AWS::EC2::VPC", resource.Properties{"CidrBlock": "10.20.0.0/16"})
		var subnets []string
		for n, zone := range b.cloud.EC2().Zones() {
			subnets = append(subnets, b.make("AWS::EC2::Subnet", resource.Properties{"VpcId": vpc, "CidrBlock": fmt.Sprintf("10.20.%d.0/24", n),
				"AvailabilityZone": zone, "MapPublicIpOnLaunch": true, "Tags": []any{map[string]any{"Key": "n", "Value": n}}}))
		}
		group := b.make("AWS::EC2::SecurityGroup", resource.Properties{"VpcId": vpc, "GroupDescription": "web", "SecurityGroupIngress": []any{
			map[string]any{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, "CidrIp": "0.0.0.0/0", "Description": "world"}}})

		vpcs, err := b.ec2.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{VpcIds: []string{vpc}})
		if err != nil || len(vpcs.Vpcs) != 1 || *vpcs.Vpcs[0].CidrBlock != "10.20.0.0/16" || vpcs.Vpcs[0].State != "available" {
			t.Errorf("networks: %+v, %v", vpcs, err)
		}
		var listed []string
		pages := ec2.NewDescribeSubnetsPaginator(b.ec2, &ec2.DescribeSubnetsInput{MaxResults: aws.Int32(2), Filters: []types.Filter{filterOf("vpc-id", vpc)}})
		for pages.HasMorePages() {
			out, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range out.Subnets {
				listed = append(listed, *s.SubnetId)
				if *s.AvailableIpAddressCount != 251 || !*s.MapPublicIpOnLaunch || *s.VpcId != vpc {
					t.Errorf("described as %+v", s)
				}
			}
		}
		if diff := cmp.Diff(subnets, listed); diff != "" {
			t.Errorf("subnets (-want +got):\n%s", diff)
		}
		one, err := b.ec2.DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{Filters: []types.Filter{filterOf("tag:n", "1"), filterOf("availability-zone", "us-east-1b")}})
		if err != nil || len(one.Subnets) != 1 || *one.Subnets[0].SubnetId != subnets[1] {
			t.Errorf("by tag and zone: %+v, %v", one, err)
		}
		groups, err := b.ec2.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{group}})
		if err != nil {
			t.Fatal(err)
		}
		g := groups.SecurityGroups[0]
		if p := g.IpPermissions[0]; *p.FromPort != 80 || *p.ToPort != 81 || *p.IpRanges[0].CidrIp != "0.0.0.0/0" || *p.IpRanges[0].Description != "world" ||
			*g.IpPermissionsEgress[0].IpProtocol != "-1" || !strings.HasPrefix(*g.GroupName, "shop-It-") {
			t.Errorf("the group is %+v", g)
		}
		all, err := b.ec2.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filterOf("vpc-id", vpc), filterOf("group-name", "default")}})
		if err != nil || len(all.SecurityGroups) != 1 {
			t.Errorf("the network's own group: %+v, %v", all, err)
		}
		zones, err := b.ec2.DescribeAvailabilityZones(t.Context(), &ec2.DescribeAvailabilityZonesInput{Filters: []types.Filter{filterOf("zone-name", "*b"), filterOf("state", "available")}})
		if err != nil || len(zones.AvailabilityZones) != 1 || *zones.AvailabilityZones[0].ZoneName != "us-east-1b" {
			t.Errorf("zones: %+v, %v", zones, err)
		}
		b.wantMissing()
	})
}

// wantMissing asks for what is not there.
func (b *bench) wantMissing() {
	b.Helper()
	_, err := b.ec2.DescribeVpcs(b.Context(), &ec2.DescribeVpcsInput{VpcIds: []string{"vpc-1"}})
	wantCode(b, err, "InvalidVpcID.NotFound", "vpc-1")
	_, err = b.ec2.DescribeSubnets(b.Context(), &ec2.DescribeSubnetsInput{SubnetIds: []string{"subnet-1"}})
	wantCode(b, err, "InvalidSubnetID.NotFound", "subnet-1")
	_, err = b.ec2.DescribeSecurityGroups(b.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{"sg-1"}})
	wantCode(b, err, "InvalidGroup.NotFound", "sg-1")
	_, err = b.ec2.DescribeAvailabilityZones(b.Context(), &ec2.DescribeAvailabilityZonesInput{ZoneNames: []string{"us-east-1z"}})
	wantCode(b, err, "InvalidParameterValue", "us-east-1z")
	_, err = b.ec2.DescribeSubnets(b.Context(), &ec2.DescribeSubnetsInput{Filters: []types.Filter{filterOf("ipv6-native", "true")}})
	wantCode(b, err, "InvalidParameterValue", "ipv6-native")
}

func TestDescribedTemplates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		template := func(kind string) string {
			return b.make("AWS::EC2::LaunchTemplate", resource.Properties{"LaunchTemplateData": map[string]any{
				"ImageId": b.base(), "InstanceType": kind, "UserData": base64.StdEncoding.EncodeToString([]byte("hi")),
				"IamInstanceProfile": map[string]any{"Name": localcloud.BakeProfile}, "SecurityGroupIds": []any{"sg-1"},
				"MetadataOptions":     map[string]any{"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
				"TagSpecifications":   []any{map[string]any{"ResourceType": "instance", "Tags": []any{map[string]any{"Key": "role", "Value": "web"}}}},
				"BlockDeviceMappings": []any{map[string]any{"DeviceName": "/dev/xvda", "Ebs": map[string]any{"VolumeSize": 20, "Encrypted": true}}},
			}})
		}
		web, worker := template("t3.small"), template("t3.large")
		versions := func(in *ec2.DescribeLaunchTemplateVersionsInput) []types.LaunchTemplateVersion {
			t.Helper()
			out, err := b.ec2.DescribeLaunchTemplateVersions(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			return out.LaunchTemplateVersions
		}
		found := versions(&ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &web, Versions: []string{"$Latest", "1"}})
		if len(found) != 1 || *found[0].VersionNumber != 1 || !*found[0].DefaultVersion {
			t.Fatalf("versions: %+v", found)
		}
		d := found[0].LaunchTemplateData
		if *d.ImageId != b.base() || d.InstanceType != "t3.small" || *d.IamInstanceProfile.Name != localcloud.BakeProfile || d.SecurityGroupIds[0] != "sg-1" ||
			d.MetadataOptions.HttpTokens != "required" || *d.MetadataOptions.HttpPutResponseHopLimit != 2 || *d.TagSpecifications[0].Tags[0].Value != "web" ||
			*d.BlockDeviceMappings[0].Ebs.VolumeSize != 20 || !*d.BlockDeviceMappings[0].Ebs.Encrypted || *d.UserData != "aGk=" || len(d.NetworkInterfaces) != 0 {
			t.Errorf("the data are %+v", d)
		}
		everywhere := versions(&ec2.DescribeLaunchTemplateVersionsInput{Versions: []string{"$Latest", "$Default"}, Filters: []types.Filter{filterOf("image-id", b.base())}})
		if len(everywhere) != 2 || *everywhere[0].LaunchTemplateId != web || *everywhere[1].LaunchTemplateId != worker {
			t.Errorf("everywhere: %+v", everywhere)
		}
		if got := versions(&ec2.DescribeLaunchTemplateVersionsInput{Versions: []string{"$Latest"}, Filters: []types.Filter{filterOf("instance-type", "t3.l*")}}); len(got) != 1 {
			t.Errorf("by type: %+v", got)
		}
		for code, in := range map[string]*ec2.DescribeLaunchTemplateVersionsInput{
			"InvalidLaunchTemplateId.NotFound":        {LaunchTemplateId: aws.String("lt-1")},
			"InvalidLaunchTemplateId.VersionNotFound": {LaunchTemplateId: &web, Versions: []string{"7"}},
			"InvalidParameterCombination":             {Versions: []string{"1"}},
			"MissingParameter":                        {},
			"UnknownParameter":                        {LaunchTemplateId: &web, ResolveAlias: aws.Bool(true)},
		} {
			_, err := b.ec2.DescribeLaunchTemplateVersions(t.Context(), in)
			wantCode(t, err, code)
		}
	})
}

// A server of a template has the role of its profile, and sees what its group
// has in mind for it.
func TestServerOfATemplate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan string, 1)
		guest := func(ctx context.Context, b machine.Boot) {
			<-time.After(time.Minute)
			told <- strings.Join([]string{
				tell(ctx, b, "/latest/meta-data/autoscaling/target-lifecycle-state"), tell(ctx, b, "/latest/meta-data/iam/security-credentials/"),
				tell(ctx, b, "/latest/meta-data/tags/instance/aws:autoscaling:groupName"), tell(ctx, b, "/latest/user-data"),
			}, " ")
			<-ctx.Done()
		}
		b := setupWith(t, localcloud.Options{Timing: localcloud.CloudLike(), Machines: simulated.New(guest)})
		trust := map[string]any{"Statement": []any{map[string]any{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "ec2.amazonaws.com"}}}}
		role := b.make("AWS::IAM::Role", resource.Properties{"AssumeRolePolicyDocument": trust})
		profile := b.make("AWS::IAM::InstanceProfile", resource.Properties{"Roles": []any{role}})
		template := b.make("AWS::EC2::LaunchTemplate", resource.Properties{"LaunchTemplateData": map[string]any{
			"ImageId": b.base(), "InstanceType": "t3.micro", "UserData": base64.StdEncoding.EncodeToString([]byte("hello")),
			"IamInstanceProfile": map[string]any{"Arn": "arn:aws:iam::111122223333:instance-profile/" + profile},
			"MetadataOptions":    map[string]any{"InstanceMetadataTags": "enabled"},
		}})
		id, err := b.cloud.EC2().Launch(cloud.FromTemplate{Template: template, Version: "$Default", Group: "shop-web",
			Subnet: b.cloud.Parameter(localcloud.SubnetParameter), Tags: world.Tags{"role": "web"}})
		if err != nil {
			t.Fatal(err)
		}
		b.await(id, "running", time.Minute)
		if err := b.cloud.EC2().SetLifecycleState(id, "Terminated"); err != nil {
			t.Fatal(err)
		}
		if got, want := <-told, "Terminated "+role+" shop-web hello"; got != want {
			t.Errorf("the server was told %q, want %q", got, want)
		}
		i := b.described(filterOf("tag:aws:ec2launchtemplate:id", template))
		for range 5 { // fresh ids are hidden from the first reads
			i = b.described(filterOf("tag:aws:ec2launchtemplate:id", template))
		}
		if len(i) != 1 || *i[0].InstanceId != id || *i[0].PrivateIpAddress != b.cloud.EC2().PrivateAddress(id) || !strings.HasSuffix(*i[0].IamInstanceProfile.Arn, profile) {
			t.Errorf("described as %+v", i)
		}
	})
}
