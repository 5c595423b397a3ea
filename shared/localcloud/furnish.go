package localcloud

import (
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/ec2"
)

// Names of what account.yml creates.
const (
	SubnetParameter = "/fearless/bake/subnet"
	GroupParameter  = "/fearless/bake/security-group"
	BakeProfile     = "fearless-bake-server"
	ScheduleGroup   = "fearless"
)

// bases are the base images that our pipes know by name, with the public
// parameter that names the newest of each. The owners are those of AWS,
// Canonical and Debian.
var bases = []struct {
	parameter string
	image     ec2.BaseImage
}{
	{"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64", amazon("x86_64")},
	{"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64", amazon("arm64")},
	{"/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id", ubuntu("amd64")},
	{"/aws/service/canonical/ubuntu/server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id", ubuntu("arm64")},
	{"/aws/service/debian/release/12/latest/amd64", debian("12", "amd64")},
	{"/aws/service/debian/release/12/latest/arm64", debian("12", "arm64")},
	{"/aws/service/debian/release/13/latest/amd64", debian("13", "amd64")},
	{"/aws/service/debian/release/13/latest/arm64", debian("13", "arm64")},
}

func amazon(arch string) ec2.BaseImage {
	return ec2.BaseImage{Name: "al2023-ami-kernel-default-" + arch, Owner: "137112412989", Alias: "amazon",
		Architecture: arch, Device: "/dev/xvda", SizeGiB: 8}
}

func ubuntu(arch string) ec2.BaseImage {
	return ec2.BaseImage{Name: "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-" + arch + "-server", Owner: "099720109477",
		Architecture: machineName(arch), Device: "/dev/sda1", SizeGiB: 8}
}

func debian(release, arch string) ec2.BaseImage {
	return ec2.BaseImage{Name: "debian-" + release + "-" + arch, Owner: "136693071363",
		Architecture: machineName(arch), Device: "/dev/xvda", SizeGiB: 8}
}

// machineName is EC2's word for Debian's name of an architecture.
func machineName(arch string) string {
	return strings.Replace(arch, "amd64", "x86_64", 1)
}

// furnish makes what is there from the start: public images with their
// parameters, and what account.yml creates.
func (c *Cloud) furnish() error {
	for _, b := range bases {
		c.bases[b.parameter] = b.image
		c.ssm.Put(b.parameter, c.ec2.AddBaseImage(b.image), false)
	}
	c.iam.AddProfile(BakeProfile)
	c.s3.CreateBucket(c.Bucket())
	c.schedules.AddGroup(ScheduleGroup)
	return c.furnishNetwork()
}

// AddApplication makes what account.yml makes for an application that is
// deployed: the roles for CloudFormation and for schedules, and the parameters
// that name them and the boundary of roles of servers.
func (c *Cloud) AddApplication(name string) {
	parameter := "/fearless/deploy/" + name + "/"
	for _, part := range []string{"base", "servers"} {
		c.ssm.Put(parameter+part+"-role", c.iam.AddServiceRole("fearless-"+name+"-"+part, "cloudformation.amazonaws.com"), false)
	}
	c.ssm.Put(parameter+"server-boundary", c.world.ARN("iam", "policy/fearless-"+name+"-server"), false)
	parameter = "/fearless/test/" + name + "/"
	c.ssm.Put(parameter+"service-role", c.iam.AddServiceRole("fearless-"+name+"-test", "cloudformation.amazonaws.com"), false)
	c.ssm.Put(parameter+"schedule-role", c.iam.AddServiceRole("fearless-"+name+"-reaper", "scheduler.amazonaws.com"), false)
}

// furnishNetwork makes the network of build servers.
func (c *Cloud) furnishNetwork() error {
	vpc, err := c.ec2.AddVPC("10.254.0.0/24")
	if err != nil {
		return err
	}
	subnet, err := c.ec2.AddSubnet(vpc, "10.254.0.0/25", "a")
	if err != nil {
		return err
	}
	if _, err := c.ec2.AddSubnet(vpc, "10.254.0.128/25", "b"); err != nil {
		return err
	}
	group, err := c.ec2.AddGroup(vpc, "fearless-bake")
	if err != nil {
		return err
	}
	c.ssm.Put(SubnetParameter, subnet.ID, false)
	c.ssm.Put(GroupParameter, group.ID, false)
	return nil
}

// profile finds an instance profile for EC2.
func (c *Cloud) profile(name string) (ec2.InstanceProfile, bool) {
	p, ok := c.iam.Profile(name)
	return ec2.InstanceProfile(p), ok
}

// Bucket is the account's bucket.
func (c *Cloud) Bucket() string { return "fearless-" + c.world.Account + "-" + c.world.Region }

// PublishBase lets the publisher of a base image release a newer one: the
// public parameter names it from now on. It gives the id, or "" when no base
// image has that parameter.
func (c *Cloud) PublishBase(parameter string) string {
	b, ok := c.bases[parameter]
	if !ok {
		return ""
	}
	id := c.ec2.AddBaseImage(b)
	c.ssm.Put(parameter, id, false)
	return id
}

// Parameter is the newest value of a parameter, "" when there is none.
func (c *Cloud) Parameter(name string) string {
	value, _ := c.ssm.Value(name)
	return value
}
