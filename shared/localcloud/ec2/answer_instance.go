package ec2

import (
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// The structs of this file are EC2's element names; the order of their fields
// is that of the API reference and means nothing to clients.

type tagXML struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

// tagsXML lists tags by key, so that equal tags give equal answers.
func tagsXML(tags world.Tags) []tagXML {
	var list []tagXML
	for _, key := range tags.Keys() {
		list = append(list, tagXML{key, tags[key]})
	}
	return list
}

type stateXML struct {
	Code int    `xml:"code"`
	Name string `xml:"name"`
}

type reasonXML struct {
	Code    string `xml:"code"`
	Message string `xml:"message"`
}

// xml is nil without a reason: an empty element would read as one.
func (r stateReason) xml() *reasonXML {
	if r.code == "" {
		return nil
	}
	return &reasonXML{r.code, r.message}
}

type groupXML struct {
	ID   string `xml:"groupId"`
	Name string `xml:"groupName"`
}

type profileXML struct {
	Arn string `xml:"arn"`
	ID  string `xml:"id"`
}

type metadataOptionsXML struct {
	State    string `xml:"state"`
	Tokens   string `xml:"httpTokens"`
	HopLimit int    `xml:"httpPutResponseHopLimit"`
	Endpoint string `xml:"httpEndpoint"`
	Tags     string `xml:"instanceMetadataTags"`
}

type instanceDiskXML struct {
	Device              string `xml:"deviceName"`
	Volume              string `xml:"ebs>volumeId"`
	Status              string `xml:"ebs>status"`
	AttachTime          string `xml:"ebs>attachTime"`
	DeleteOnTermination bool   `xml:"ebs>deleteOnTermination"`
}

type interfaceXML struct {
	ID      string     `xml:"networkInterfaceId"`
	Subnet  string     `xml:"subnetId"`
	VPC     string     `xml:"vpcId"`
	Address string     `xml:"privateIpAddress"`
	Status  string     `xml:"status"`
	Groups  []groupXML `xml:"groupSet>item"`
}

type instanceXML struct {
	ID             string             `xml:"instanceId"`
	Image          string             `xml:"imageId"`
	State          stateXML           `xml:"instanceState"`
	PrivateDNS     string             `xml:"privateDnsName"`
	Note           string             `xml:"reason"`
	Type           string             `xml:"instanceType"`
	LaunchTime     string             `xml:"launchTime"`
	Zone           string             `xml:"placement>availabilityZone"`
	Monitoring     string             `xml:"monitoring>state"`
	Subnet         string             `xml:"subnetId"`
	VPC            string             `xml:"vpcId"`
	Address        string             `xml:"privateIpAddress"`
	PublicAddress  string             `xml:"ipAddress,omitempty"`
	Groups         []groupXML         `xml:"groupSet>item"`
	Reason         *reasonXML         `xml:"stateReason"`
	Architecture   string             `xml:"architecture"`
	RootType       string             `xml:"rootDeviceType"`
	RootName       string             `xml:"rootDeviceName"`
	Disks          []instanceDiskXML  `xml:"blockDeviceMapping>item"`
	Virtualization string             `xml:"virtualizationType"`
	Token          string             `xml:"clientToken"`
	Tags           []tagXML           `xml:"tagSet>item"`
	Interfaces     []interfaceXML     `xml:"networkInterfaceSet>item"`
	Profile        *profileXML        `xml:"iamInstanceProfile"`
	Metadata       metadataOptionsXML `xml:"metadataOptions"`
}

type reservationXML struct {
	ID        string        `xml:"reservationId"`
	Owner     string        `xml:"ownerId"`
	Instances []instanceXML `xml:"instancesSet>item"`
}

// reservationXML wraps one instance: every launch here is a reservation of its
// own, since MaxCount is 1.
func (s *Service) reservationXML(i *instance) reservationXML {
	return reservationXML{i.reservation, s.world.Account, []instanceXML{s.instanceXML(i)}}
}

// instanceXML is an instance as callers see it; a terminated one has lost its
// place in the network and its disk.
func (s *Service) instanceXML(i *instance) instanceXML {
	state := i.stateAt(time.Now())
	x := instanceXML{
		ID: i.id, Image: i.image.id, State: stateXML{stateCodes[state], state}, Note: i.note, Type: i.launch.Type,
		LaunchTime: wire.Time(i.born), Zone: i.subnet.zone, Monitoring: "disabled", Reason: i.reason.xml(),
		Architecture: i.kind.architecture, RootType: "ebs", RootName: i.image.device, Virtualization: "hvm",
		Token: i.launch.Token, Tags: tagsXML(i.tags), Metadata: i.launch.Metadata.xml(),
	}
	if i.profile.Name != "" {
		x.Profile = &profileXML{i.profile.ARN, i.profile.ID}
	}
	if state == terminated {
		return x
	}
	for _, g := range i.groups {
		x.Groups = append(x.Groups, groupXML{g.id, g.name})
	}
	x.Subnet, x.VPC, x.Address = i.subnet.id, i.subnet.vpc.id, i.address
	x.PrivateDNS = "ip-" + strings.ReplaceAll(i.address, ".", "-") + ".ec2.internal"
	x.PublicAddress = i.publicAddress(state)
	x.Disks = []instanceDiskXML{{i.image.device, i.volume.id, "attached", wire.Time(i.born), true}}
	x.Interfaces = []interfaceXML{{i.nic.id, i.subnet.id, i.subnet.vpc.id, i.address, "in-use", x.Groups}}
	return x
}

// publicAddress exists while the instance runs; it is one of the addresses
// that are reserved for documentation, so nobody can mistake it for a way in.
func (i *instance) publicAddress(state string) string {
	public := i.subnet.public
	if i.launch.PublicAddress != nil {
		public = *i.launch.PublicAddress
	}
	if !public || state != running {
		return ""
	}
	return "203.0.113." + i.address[strings.LastIndex(i.address, ".")+1:]
}

func (m MetadataOptions) xml() metadataOptionsXML {
	x := metadataOptionsXML{State: "applied", Tokens: "optional", HopLimit: m.HopLimit, Endpoint: "enabled", Tags: "disabled"}
	if m.TokensRequired {
		x.Tokens = "required"
	}
	if m.Tags {
		x.Tags = "enabled"
	}
	return x
}
