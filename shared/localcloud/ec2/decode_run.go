package ec2

import (
	"slices"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// maxToken is the length of a client token.
const maxToken = 64

// decodeRun reads RunInstances.
func decodeRun(p *wire.Params) Launch {
	for _, count := range []string{"MinCount", "MaxCount"} {
		if n := p.Need(count); n != "1" && n != "" {
			p.Fail(wire.Unsupported("%s %s of RunInstances, only 1", count, n))
		}
	}
	p.Need("ImageId")
	p.Need("InstanceType")
	l := decodeLaunch(p)
	l.Token = p.String("ClientToken")
	l.fingerprint = p.Fingerprint("ClientToken")
	if len(l.Token) > maxToken {
		p.Fail(wire.Errorf("InvalidParameterValue", "Client token must be at most %d characters long", maxToken))
	}
	return l
}

// decodeLaunch reads what RunInstances and launch templates have in common.
// Groups, subnet and public address may stand at the top or in the one network
// interface, not in both.
func decodeLaunch(p *wire.Params) Launch {
	l := Launch{
		Image:       p.String("ImageId"),
		Type:        p.String("InstanceType"),
		UserData:    decodeUserData(p),
		Subnet:      p.String("SubnetId"),
		Groups:      p.Strings("SecurityGroupId"),
		ProfileName: p.String("IamInstanceProfile.Name"),
		ProfileARN:  p.String("IamInstanceProfile.Arn"),
		Shutdown:    p.OneOf("InstanceInitiatedShutdownBehavior", "stop", "terminate"),
		Metadata:    decodeMetadataOptions(p.Sub("MetadataOptions")),
		Tags:        decodeTagSpecifications(p, "instance", "volume", "network-interface"),
	}
	decodeInterface(p, &l)
	decodeDisk(p, &l.Disk)
	return l
}

// decodeMetadataOptions has the defaults of an account that sets none. The
// hop limit is only remembered: there is no network to count hops in.
func decodeMetadataOptions(p *wire.Params) MetadataOptions {
	p.OneOf("HttpEndpoint", "enabled")
	return MetadataOptions{
		TokensRequired: p.OneOf("HttpTokens", "optional", "required") == "required",
		HopLimit:       p.Int("HttpPutResponseHopLimit", 1, 64, 1),
		Tags:           p.OneOf("InstanceMetadataTags", "disabled", "enabled") == "enabled",
	}
}

// decodeInterface reads the one network interface, the only place where a
// public address can be asked for.
func decodeInterface(p *wire.Params, l *Launch) {
	interfaces := p.Groups("NetworkInterface")
	if len(interfaces) == 0 {
		return
	}
	switch {
	case len(interfaces) > 1:
		p.Fail(wire.Unsupported("more than one NetworkInterface of RunInstances"))
	case l.Subnet != "":
		p.Fail(wire.Errorf("InvalidParameterCombination", "Network interfaces and an instance-level subnet ID may not be specified on the same request"))
	case len(l.Groups) > 0:
		p.Fail(wire.Errorf("InvalidParameterCombination", "Network interfaces and an instance-level security groups may not be specified on the same request"))
	}
	nic := interfaces[0]
	nic.Need("DeviceIndex")
	nic.Int("DeviceIndex", 0, 0, 0)
	l.Subnet, l.Groups = nic.String("SubnetId"), nic.Strings("SecurityGroupId")
	if nic.String("AssociatePublicIpAddress") != "" {
		public := nic.Bool("AssociatePublicIpAddress", false)
		l.PublicAddress = &public
	}
}

// decodeDisk reads what a launch changes of the root disk.
func decodeDisk(p *wire.Params, d *Disk) {
	mappings := p.Groups("BlockDeviceMapping")
	if len(mappings) == 0 {
		return
	}
	if len(mappings) > 1 {
		p.Fail(wire.Unsupported("more than one BlockDeviceMapping of RunInstances"))
	}
	m := mappings[0]
	ebs := m.Sub("Ebs")
	*d = Disk{
		Device:       m.Need("DeviceName"),
		Size:         ebs.Int("VolumeSize", 1, 16384, 0),
		Type:         ebs.OneOf("VolumeType", "", "gp3", "gp2"),
		Encrypted:    ebs.Bool("Encrypted", false),
		KeepsOnDeath: !ebs.Bool("DeleteOnTermination", true),
	}
	if d.KeepsOnDeath {
		p.Fail(wire.Unsupported("DeleteOnTermination=false: disks end with their instance"))
	}
}

// decodeTagSpecifications reads the tags to set in the same call, for the
// kinds of resource that the call makes.
func decodeTagSpecifications(p *wire.Params, kinds ...string) map[string]world.Tags {
	all := map[string]world.Tags{}
	for _, specification := range p.Groups("TagSpecification") {
		kind := specification.Need("ResourceType")
		if !slices.Contains(kinds, kind) {
			p.Fail(wire.Errorf("InvalidParameterValue", "'%s' is not a valid taggable resource type for this operation.", kind))
		}
		if all[kind] != nil {
			p.Fail(wire.Errorf("InvalidParameterValue", "Duplicate resource type '%s' in TagSpecification", kind))
		}
		all[kind] = decodeTags(specification)
	}
	return all
}

// decodeTags reads Tag.N.Key and Tag.N.Value.
func decodeTags(p *wire.Params) world.Tags {
	tags := world.Tags{}
	for _, tag := range p.Groups("Tag") {
		key := tag.String("Key")
		if _, twice := tags[key]; twice {
			p.Fail(wire.Errorf("InvalidParameterValue", "Duplicate tag key '%s' specified.", key))
		}
		tags[key] = tag.String("Value")
	}
	if err := tagError(tags.Check()); err != nil {
		p.Fail(err)
	}
	return tags
}
