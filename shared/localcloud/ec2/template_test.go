package ec2_test

import (
	"encoding/base64"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/ec2"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/simulated"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// data is launch template data that works, with changes.
func (k *stack) data(changes map[string]any) map[string]any {
	data := map[string]any{"ImageId": k.image, "InstanceType": "t3.micro"}
	maps.Copy(data, changes)
	return data
}

func (k *stack) template(changes map[string]any) string {
	k.Helper()
	return k.add("LaunchTemplate", props{"LaunchTemplateData": k.data(changes)})
}

// await waits in simulated time.
func (k *stack) await(id, state string) {
	k.Helper()
	for end := time.Now().Add(10 * time.Minute); k.ec2.State(id) != state; {
		if time.Now().After(end) {
			k.Fatalf("%s is %q, not %s", id, k.ec2.State(id), state)
		}
		pause(time.Second)
	}
}

// pause lets simulated time pass.
func pause(d time.Duration) { <-time.After(d) }

func text(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestRefusedTemplates(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change map[string]any
		code   string
		names  string
	}{
		"unknown":       {map[string]any{"KeyName": "k"}, "UnknownParameter", "KeyName"},
		"unknown part":  {map[string]any{"MetadataOptions": map[string]any{"HttpProtocolIpv6": "enabled"}}, "UnknownParameter", "MetadataOptions.HttpProtocolIpv6"},
		"tokens":        {map[string]any{"MetadataOptions": map[string]any{"HttpTokens": "yes"}}, "InvalidParameterValue", "HttpTokens"},
		"hops":          {map[string]any{"MetadataOptions": map[string]any{"HttpPutResponseHopLimit": 65}}, "InvalidParameterValue", "HttpPutResponseHopLimit"},
		"plain data":    {map[string]any{"UserData": "#!/bin/sh"}, "InvalidUserData.Malformed", ""},
		"long data":     {map[string]any{"UserData": text(strings.Repeat("x", 16<<10+1))}, "InvalidParameterValue", "16384"},
		"behaviour":     {map[string]any{"InstanceInitiatedShutdownBehavior": "hibernate"}, "InvalidParameterValue", "hibernate"},
		"tags of what":  {map[string]any{"TagSpecifications": []any{map[string]any{"ResourceType": "fleet", "Tags": tags("a", "b")}}}, "InvalidParameterValue", "fleet"},
		"reserved tags": {map[string]any{"TagSpecifications": []any{map[string]any{"ResourceType": "instance", "Tags": tags("aws:a", "b")}}}, "InvalidParameterValue", "aws:"},
		"groups twice": {map[string]any{"SecurityGroupIds": []any{"sg-1"}, "NetworkInterfaces": []any{map[string]any{"DeviceIndex": 0}}},
			"InvalidParameterCombination", "security groups"},
		"kept disk": {map[string]any{"BlockDeviceMappings": []any{map[string]any{"DeviceName": "/dev/xvda", "Ebs": map[string]any{"DeleteOnTermination": false}}}},
			"UnsupportedOperation", "DeleteOnTermination"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newStack(t, world.Timing{})
			_, err := k.try("LaunchTemplate", props{"LaunchTemplateData": k.data(test.change)})
			wantCode(t, err, test.code, test.names)
			template := k.template(nil)
			_, err = k.types["LaunchTemplate"].Update(request("LaunchTemplate", props{"LaunchTemplateData": k.data(test.change)}), nil, template)
			wantCode(t, err, test.code, test.names)
			if v, err := k.ec2.Template(template, "$Latest"); err != nil || v.Version != "1" {
				t.Errorf("a version was made all the same: %+v, %v", v, err)
			}
		})
	}
	k := newStack(t, world.Timing{})
	for _, data := range []any{nil, map[string]any{}, "x"} {
		_, err := k.try("LaunchTemplate", props{"LaunchTemplateData": data})
		wantCode(t, err, "MissingParameter", "launch template data")
	}
}

// What a template names is looked for when it is used, by the rules of
// RunInstances.
func TestRefusedLaunches(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change map[string]any
		from   ec2.FromTemplate
		code   string
		names  string
	}{
		"image":         {map[string]any{"ImageId": "ami-1"}, ec2.FromTemplate{}, "InvalidAMIID.NotFound", "ami-1"},
		"no image":      {map[string]any{"ImageId": ""}, ec2.FromTemplate{}, "MissingParameter", "ImageId"},
		"type":          {map[string]any{"InstanceType": "huge"}, ec2.FromTemplate{}, "InvalidParameterValue", "huge"},
		"architecture":  {map[string]any{"InstanceType": "t4g.small"}, ec2.FromTemplate{}, "InvalidParameterValue", "arm64"},
		"profile":       {map[string]any{"IamInstanceProfile": map[string]any{"Name": "x"}}, ec2.FromTemplate{}, "InvalidParameterValue", "iamInstanceProfile.name"},
		"group":         {map[string]any{"SecurityGroupIds": []any{"sg-1"}}, ec2.FromTemplate{}, "InvalidGroup.NotFound", "sg-1"},
		"subnet":        {nil, ec2.FromTemplate{Subnet: "subnet-1"}, "InvalidSubnetID.NotFound", "subnet-1"},
		"small disk":    {map[string]any{"BlockDeviceMappings": []any{map[string]any{"DeviceName": "/dev/xvda", "Ebs": map[string]any{"VolumeSize": 4}}}}, ec2.FromTemplate{}, "InvalidBlockDeviceMapping", "8GB"},
		"interface":     {map[string]any{"NetworkInterfaces": []any{map[string]any{"DeviceIndex": 0}}}, ec2.FromTemplate{}, "InvalidParameterCombination", "subnet"},
		"reserved tag":  {nil, ec2.FromTemplate{Tags: world.Tags{"AWS:x": "1"}}, "InvalidParameterValue", "aws:"},
		"tag of a path": {map[string]any{"MetadataOptions": map[string]any{"InstanceMetadataTags": "enabled"}}, ec2.FromTemplate{Tags: world.Tags{"app/role": "web"}}, "InvalidParameterValue", "app/role"},
		"version":       {nil, ec2.FromTemplate{Version: "2"}, "InvalidLaunchTemplateId.VersionNotFound", "2"},
		"no version":    {nil, ec2.FromTemplate{Version: "newest"}, "InvalidLaunchTemplateId.VersionMalformed", "newest"},
		"template":      {nil, ec2.FromTemplate{Template: "lt-1"}, "InvalidLaunchTemplateId.NotFound", "lt-1"},
		"no template":   {nil, ec2.FromTemplate{Template: "web"}, "InvalidLaunchTemplateId.Malformed", "web"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newStack(t, world.Timing{})
			n := k.network()
			from := test.from
			if from.Template == "" {
				from.Template = k.template(test.change)
			}
			if from.Subnet == "" {
				from.Subnet = n.subnet
			}
			_, err := k.ec2.Launch(from)
			wantCode(t, err, test.code, test.names)
			if got := k.ec2.Instances(); len(got) != 0 {
				t.Errorf("launched all the same: %v", got)
			}
			k.removed("Subnet", n.subnet) // nothing holds it
		})
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	k := newStack(t, world.Timing{})
	n := k.network()
	newer := k.ec2.AddBaseImage(ec2.BaseImage{Name: "newer", Architecture: "x86_64", Device: "/dev/xvda", SizeGiB: 8})
	template := k.template(nil)
	update := func(image string) string {
		t.Helper()
		made, err := k.types["LaunchTemplate"].Update(request("LaunchTemplate", props{"LaunchTemplateData": k.data(map[string]any{"ImageId": image})}), nil, template)
		if err != nil || made.Physical != template || made.Attributes["DefaultVersionNumber"] != "1" {
			t.Fatalf("%+v, %v", made, err)
		}
		return made.Attributes["LatestVersionNumber"].(string)
	}
	numbers := []string{update(k.image), update(newer), update(newer), update(k.image)}
	if diff := cmp.Diff([]string{"1", "2", "2", "3"}, numbers); diff != "" {
		t.Errorf("version numbers (-want +got):\n%s", diff)
	}
	for version, want := range map[string]string{"$Latest": k.image, "$Default": k.image, "1": k.image, "2": newer, "3": k.image} {
		id, err := k.ec2.Launch(ec2.FromTemplate{Template: template, Version: version, Subnet: n.subnet})
		if err != nil {
			t.Fatal(err)
		}
		i, err := k.ec2.Get(id)
		number := map[string]string{"$Latest": "3", "$Default": "1"}[version]
		if number == "" {
			number = version
		}
		if err != nil || i.Image != want || i.Template != template || i.TemplateVersion != number || i.Tags["aws:ec2launchtemplate:version"] != number {
			t.Errorf("version %s gives %+v, %v", version, i, err)
		}
	}
	k.removed("LaunchTemplate", template)
	_, err := k.ec2.Launch(ec2.FromTemplate{Template: template, Version: "1", Subnet: n.subnet, Group: "web"})
	wantCode(t, err, "InvalidLaunchTemplateId.NotFound", template)
	if _, err := k.ec2.Template(template, "1"); err == nil {
		t.Error("a template that was deleted is still there")
	}
	if got := len(k.ec2.Instances()); got != 5 {
		t.Errorf("%d instances are left of the deleted template, want 5", got)
	}
}

func TestLaunchByAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newStack(t, world.CloudLike())
		n := k.network()
		template := k.template(map[string]any{
			"IamInstanceProfile": map[string]any{"Arn": "arn:aws:iam::111122223333:instance-profile/servers"},
			"UserData":           text("hello"), "InstanceInitiatedShutdownBehavior": "terminate",
			"MetadataOptions":     map[string]any{"HttpTokens": "required", "HttpPutResponseHopLimit": 2, "InstanceMetadataTags": "enabled"},
			"NetworkInterfaces":   []any{map[string]any{"DeviceIndex": 0, "AssociatePublicIpAddress": false, "Groups": []any{n.group}}},
			"TagSpecifications":   []any{map[string]any{"ResourceType": "instance", "Tags": tags("Name", "template", "role", "web")}, map[string]any{"ResourceType": "volume", "Tags": tags("disk", "1")}},
			"BlockDeviceMappings": []any{map[string]any{"DeviceName": "/dev/xvda", "Ebs": map[string]any{"VolumeSize": "20", "VolumeType": "gp3", "Encrypted": true}}},
		})
		id, err := k.ec2.Launch(ec2.FromTemplate{Template: template, Version: "$Latest", Subnet: n.subnet, Group: "shop-web",
			Tags: world.Tags{"Name": "group", "aws:cloudformation:stack-name": "shop"}})
		if err != nil {
			t.Fatal(err)
		}
		k.await(id, "running")
		i, err := k.ec2.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"Name": "group", "role": "web", "aws:cloudformation:stack-name": "shop",
			"aws:autoscaling:groupName": "shop-web", "aws:ec2launchtemplate:id": template, "aws:ec2launchtemplate:version": "1"}
		if diff := cmp.Diff(want, i.Tags); diff != "" {
			t.Errorf("tags (-want +got):\n%s", diff)
		}
		if i.Subnet != n.subnet || i.Zone != "eu-west-1b" || i.Profile != "servers" || string(i.UserData) != "hello" || i.Shutdown != "terminate" ||
			!i.Metadata.TokensRequired || i.Metadata.HopLimit != 2 || i.Disk.Size != 20 || !i.Disk.Encrypted || i.VolumeTags["disk"] != "1" ||
			i.Address != k.ec2.PrivateAddress(id) || i.Address == "" {
			t.Errorf("launched as %+v", i)
		}
		wantCode(t, k.remove("SecurityGroup", n.group), "DependencyViolation", n.group)
		k.removed("VPCGatewayAttachment", n.attachment) // it has no public address
		if err := k.ec2.Terminate(id); err != nil {
			t.Fatal(err)
		}
		wantCode(t, k.remove("Subnet", n.subnet), "DependencyViolation") // still shutting down
		k.await(id, "terminated")
		k.removed("SecurityGroup", n.group)
		k.removed("Subnet", n.subnet)
		if err := k.ec2.Terminate(id); err != nil || k.ec2.PrivateAddress(id) != "" {
			t.Errorf("a second end: %v", err)
		}
		pause(2 * time.Hour)
		wantCode(t, k.ec2.Terminate(id), "InvalidInstanceID.NotFound", id)
		wantCode(t, k.ec2.SetLifecycleState(id, "InService"), "InvalidInstanceID.NotFound", id)
		if k.ec2.State(id) != "" {
			t.Error("it is remembered for ever")
		}
	})
}

// broken is a driver whose disks cannot be made.
type broken struct{ *simulated.Driver }

func (broken) Create(string, string) (string, error) { return "", errors.New("the disk is full") }

func TestLaunchThatFailsHoldsNothing(t *testing.T) {
	t.Parallel()
	k := newStackOn(t, world.Timing{}, broken{simulated.New(simulated.Idle)})
	n := k.network()
	_, err := k.ec2.Launch(ec2.FromTemplate{Template: k.template(nil), Version: "1", Subnet: n.subnet, Group: "web"})
	if err == nil || err.Error() != "the disk is full" {
		t.Errorf("got %v", err)
	}
	k.removed("Subnet", n.subnet)
}

func TestInstanceOfATemplate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newStack(t, world.CloudLike())
		n := k.network()
		instance := func(userData string) string {
			template := k.template(map[string]any{"UserData": text(userData), "InstanceInitiatedShutdownBehavior": "terminate"})
			return k.add("Instance", props{"SubnetId": n.subnet, "LaunchTemplate": map[string]any{"LaunchTemplateId": template, "Version": "1"}, "Tags": tags("role", "release")})
		}
		stable := func(id string) (done bool, err error) { return k.types["Instance"].Stable(id) }
		stays, leaves := instance("stay"), instance("off")
		if done, err := stable(stays); done || err != nil {
			t.Errorf("a pending instance: %t, %v", done, err)
		}
		k.await(stays, "running")
		k.await(leaves, "terminated")
		wantCode(t, k.remove("VPCGatewayAttachment", n.attachment), "DependencyViolation", n.vpc) // the subnet gave it a public address
		for _, id := range []string{stays, leaves} {
			if done, err := stable(id); !done || err != nil {
				t.Errorf("%s was up: %t, %v", k.ec2.State(id), done, err)
			}
		}
		made, err := k.types["Instance"].Update(request("Release", props{"SubnetId": n.subnet, "LaunchTemplate": map[string]any{"LaunchTemplateId": "lt-1", "Version": "1"}}), nil, stays)
		if i, _ := k.ec2.Get(stays); err != nil || made.Physical != stays || i.Tags["role"] != "" || i.Tags["aws:ec2launchtemplate:version"] != "1" || i.Tags["aws:cloudformation:logical-id"] != "Release" {
			t.Errorf("updated to %+v, %v, tags %v", made, err, i.Tags)
		}
		k.removed("Instance", stays)
		if done, _ := stable(stays); done {
			t.Error("it is gone at once")
		}
		k.await(stays, "terminated")
		if done, err := stable(stays); !done || err != nil {
			t.Errorf("after its end: %t, %v", done, err)
		}
		_, err = k.try("Instance", props{"SubnetId": n.subnet, "LaunchTemplate": map[string]any{"LaunchTemplateName": "x", "LaunchTemplateId": "lt-1", "Version": "1"}})
		if err == nil || !strings.Contains(err.Error(), "LaunchTemplate.LaunchTemplateName") {
			t.Errorf("an unknown part: %v", err)
		}
		early := instance("stay")
		if err := k.ec2.Terminate(early); err != nil { // by hand, before it is up
			t.Fatal(err)
		}
		_, err = stable(early)
		wantCode(t, err, "NotStabilized", early)
	})
}
