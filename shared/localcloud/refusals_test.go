package localcloud_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"bitbucket.org/fearless/pipes/shared/localcloud"
)

func TestRefusedLaunches(t *testing.T) {
	tags := func(pairs ...types.Tag) func(*ec2.RunInstancesInput) {
		return func(in *ec2.RunInstancesInput) {
			in.TagSpecifications = []types.TagSpecification{{ResourceType: "instance", Tags: pairs}}
		}
	}
	var many []types.Tag
	for n := range 51 {
		many = append(many, tagOf(fmt.Sprint(n), ""))
	}
	tests := map[string]struct {
		change func(*ec2.RunInstancesInput)
		code   string
		names  string
	}{
		"unknown image":      {func(in *ec2.RunInstancesInput) { in.ImageId = aws.String("ami-0123") }, "InvalidAMIID.NotFound", "ami-0123"},
		"unknown type":       {func(in *ec2.RunInstancesInput) { in.InstanceType = "huge" }, "InvalidParameterValue", "huge"},
		"other architecture": {func(in *ec2.RunInstancesInput) { in.InstanceType = "c7gn.large" }, "InvalidParameterValue", "arm64"},
		"no subnet":          {func(in *ec2.RunInstancesInput) { in.SubnetId = nil }, "VPCIdNotSpecified", ""},
		"unknown subnet":     {func(in *ec2.RunInstancesInput) { in.SubnetId = aws.String("subnet-1") }, "InvalidSubnetID.NotFound", "subnet-1"},
		"unknown group":      {func(in *ec2.RunInstancesInput) { in.SecurityGroupIds = []string{"sg-1"} }, "InvalidGroup.NotFound", "sg-1"},
		"unknown profile": {func(in *ec2.RunInstancesInput) {
			in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Arn: aws.String("arn:aws:iam::1:instance-profile/x")}
		}, "InvalidParameterValue", "iamInstanceProfile.arn"},
		"user data": {func(in *ec2.RunInstancesInput) {
			in.UserData = aws.String(base64.StdEncoding.EncodeToString(make([]byte, 16<<10+1)))
		}, "InvalidParameterValue", "16384"},
		"not base64":     {func(in *ec2.RunInstancesInput) { in.UserData = aws.String("#!/bin/sh") }, "InvalidUserData.Malformed", ""},
		"two instances":  {func(in *ec2.RunInstancesInput) { in.MaxCount = aws.Int32(2) }, "UnsupportedOperation", "MaxCount 2"},
		"unknown option": {func(in *ec2.RunInstancesInput) { in.KeyName = aws.String("key") }, "UnknownParameter", "KeyName"},
		"deep option":    {func(in *ec2.RunInstancesInput) { in.Placement = &types.Placement{Tenancy: "host"} }, "UnknownParameter", "Placement.Tenancy"},
		"unknown value":  {func(in *ec2.RunInstancesInput) { in.InstanceInitiatedShutdownBehavior = "hibernate" }, "InvalidParameterValue", "hibernate"},
		"long token":     {func(in *ec2.RunInstancesInput) { in.ClientToken = aws.String(strings.Repeat("x", 65)) }, "InvalidParameterValue", "64"},
		"reserved tag":   {tags(tagOf("aws:x", "1")), "InvalidParameterValue", "aws:"},
		"long key":       {tags(tagOf(strings.Repeat("k", 129), "1")), "InvalidParameterValue", "128"},
		"long value":     {tags(tagOf("k", strings.Repeat("v", 257))), "InvalidParameterValue", "256"},
		"duplicate tag":  {tags(tagOf("k", "1"), tagOf("k", "2")), "InvalidParameterValue", "k"},
		"too many tags":  {tags(many...), "TagLimitExceeded", "50"},
		"tags of a thing": {func(in *ec2.RunInstancesInput) {
			in.TagSpecifications = []types.TagSpecification{{ResourceType: "fleet"}}
		}, "InvalidParameterValue", "fleet"},
		"small disk": {func(in *ec2.RunInstancesInput) {
			in.BlockDeviceMappings = []types.BlockDeviceMapping{{DeviceName: aws.String("/dev/xvda"), Ebs: &types.EbsBlockDevice{VolumeSize: aws.Int32(4)}}}
		}, "InvalidBlockDeviceMapping", "8GB"},
		"second disk": {func(in *ec2.RunInstancesInput) {
			in.BlockDeviceMappings = []types.BlockDeviceMapping{{DeviceName: aws.String("/dev/sdf"), Ebs: &types.EbsBlockDevice{VolumeSize: aws.Int32(9)}}}
		}, "UnsupportedOperation", "/dev/sdf"},
		"interface and subnet": {func(in *ec2.RunInstancesInput) {
			in.NetworkInterfaces = []types.InstanceNetworkInterfaceSpecification{{DeviceIndex: aws.Int32(0)}}
		}, "InvalidParameterCombination", "subnet"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, localcloud.Timing{})
				in := b.input(idle)
				test.change(in)
				_, err := b.ec2.RunInstances(t.Context(), in)
				wantCode(t, err, test.code, test.names)
				if got := b.cloud.Instances(); len(got) != 0 {
					t.Errorf("launched all the same: %v", got)
				}
			})
		})
	}
}

func TestRefusedImages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		source := b.stoppedInstance()
		for _, test := range []struct{ name, code string }{
			{"ab", "InvalidAMIName.Malformed"}, {strings.Repeat("a", 129), "InvalidAMIName.Malformed"}, {"naïve", "InvalidAMIName.Malformed"},
			{"a+b", "InvalidAMIName.Malformed"},
		} {
			_, err := b.ec2.CreateImage(t.Context(), &ec2.CreateImageInput{InstanceId: &source, Name: &test.name})
			wantCode(t, err, test.code)
		}
		_, err := b.ec2.CreateImage(t.Context(), &ec2.CreateImageInput{InstanceId: aws.String("i-0123"), Name: aws.String("shop")})
		wantCode(t, err, "InvalidInstanceID.NotFound", "i-0123")
		_, err = b.ec2.CreateImage(t.Context(), &ec2.CreateImageInput{InstanceId: &source, Name: aws.String("shop"),
			TagSpecifications: []types.TagSpecification{{ResourceType: "instance", Tags: []types.Tag{tagOf("a", "b")}}}})
		wantCode(t, err, "InvalidParameterValue", "instance")
		if got := b.cloud.Images(); len(got) != 0 {
			t.Errorf("made all the same: %v", got)
		}
	})
}

func TestTagsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		source := b.stoppedInstance()
		image := b.create(source, "shop")
		set := func(resource string, tags ...types.Tag) error {
			_, err := b.ec2.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{source, resource}, Tags: tags})
			return err
		}
		if err := set(image, tagOf("a", "1"), tagOf("b", "")); err != nil {
			t.Fatal(err)
		}
		if err := set(image, tagOf("a", "2")); err != nil {
			t.Fatal(err)
		}
		if got := b.cloud.Images()[0].Tags; got["a"] != "2" || len(got) != 2 {
			t.Errorf("tags: %v", got)
		}
		wantCode(t, set("ami-0123", tagOf("c", "1")), "InvalidAMIID.NotFound", "ami-0123")
		wantCode(t, set("thing", tagOf("c", "1")), "InvalidID", "thing")
		if got := b.cloud.Instances()[0].Tags; len(got) != 2 {
			t.Errorf("a call that fails set tags: %v", got)
		}
		var more []types.Tag
		for n := range 49 {
			more = append(more, tagOf(fmt.Sprint(n), "x"))
		}
		wantCode(t, set(image, more...), "TagLimitExceeded")
	})
}

func TestUnknownActionsAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		_, err := b.ec2.DescribeKeyPairs(t.Context(), &ec2.DescribeKeyPairsInput{})
		wantCode(t, err, "UnsupportedOperation", "DescribeKeyPairs")
		_, err = b.sts.GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
		wantCode(t, err, "UnsupportedOperation", "GetSessionToken")
		_, err = b.ssm.ListCommands(t.Context(), &ssm.ListCommandsInput{})
		wantCode(t, err, "UnsupportedOperation", "ListCommands")
		_, err = b.ec2.DescribeImages(t.Context(), &ec2.DescribeImagesInput{IncludeDeprecated: aws.Bool(true)})
		wantCode(t, err, "UnknownParameter", "IncludeDeprecated")
		_, err = b.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{"i-0123"}, MaxResults: aws.Int32(5)})
		wantCode(t, err, "InvalidParameterCombination", "maxResults")
	})
}
