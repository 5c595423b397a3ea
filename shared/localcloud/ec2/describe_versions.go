package ec2

import (
	"context"
	"slices"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// versionFilters are the filters of DescribeLaunchTemplateVersions.
var versionFilters = []string{"image-id", "instance-type"}

// versionsInput asks for versions of one template, or for the newest and the
// default ones of all.
type versionsInput struct {
	describe
	template string
	versions []string
}

func decodeDescribeVersions(p *wire.Params) versionsInput {
	in := versionsInput{template: p.String("LaunchTemplateId"), versions: p.Strings("LaunchTemplateVersion")}
	in.describe = decodeDescribe("", versionFilters)(p) // there are no ids of versions
	if in.template != "" {
		return in
	}
	if len(in.versions) == 0 {
		p.Fail(wire.Errorf("MissingParameter", "Either a launch template ID or versions must be specified."))
	}
	for _, name := range in.versions {
		if name != "$Latest" && name != "$Default" {
			p.Fail(wire.Errorf("InvalidParameterCombination", "Without a launch template, versions can only be $Latest and $Default, not %s.", name))
		}
	}
	return in
}

type versionXML struct {
	ID      string  `xml:"launchTemplateId"`
	Name    string  `xml:"launchTemplateName"`
	Number  int     `xml:"versionNumber"`
	Created string  `xml:"createTime"`
	By      string  `xml:"createdBy"`
	Default bool    `xml:"defaultVersion"`
	Data    dataXML `xml:"launchTemplateData"`

	ordinal int64
}

type describeVersionsAnswer struct {
	Versions  []versionXML `xml:"launchTemplateVersionSet>item"`
	NextToken string       `xml:"nextToken,omitempty"`
}

func (s *Service) describeVersions(_ context.Context, _ *wire.Call, in versionsInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	templates := byOrdinal(s.templates, func(t *template) int64 { return t.ordinal })
	if in.template != "" {
		t, failure := s.template(in.template)
		if failure != nil {
			return nil, failure
		}
		templates = []*template{t}
	}
	var all []versionXML
	for _, t := range templates {
		versions, failure := t.selected(in.versions)
		if failure != nil {
			return nil, failure
		}
		for _, v := range versions {
			all = append(all, s.versionXML(t, v))
		}
	}
	all = slices.DeleteFunc(all, func(v versionXML) bool {
		return !in.matches(nil, func(name string) string {
			return map[string]string{"image-id": v.Data.Image, "instance-type": v.Data.Type}[name]
		})
	})
	slices.SortFunc(all, func(a, b versionXML) int { return int(a.ordinal - b.ordinal) })
	page, next, err := wire.Page(all, func(v versionXML) int64 { return v.ordinal }, in.limit, in.token)
	if err != nil {
		return nil, err
	}
	return describeVersionsAnswer{page, next}, nil
}

// maxVersions is how many versions a template can have; it makes ordinals of
// versions out of those of templates.
const maxVersions = 10_000

// versionXML is a version as callers see it, the newest first.
func (s *Service) versionXML(t *template, v templateVersion) versionXML {
	data, _ := wire.Read(v.form, decodeData) // it was read when the version was made
	return versionXML{
		ID: t.id, Name: t.name, Number: v.number, Created: wire.Time(v.born), By: s.world.ARN("iam", "user/local"),
		Default: v.number == defaultVersion, Data: data, ordinal: t.ordinal*maxVersions + int64(maxVersions-v.number),
	}
}

type metadataDataXML struct {
	Tokens   string `xml:"httpTokens,omitempty"`
	HopLimit string `xml:"httpPutResponseHopLimit,omitempty"`
	Endpoint string `xml:"httpEndpoint,omitempty"`
	Tags     string `xml:"instanceMetadataTags,omitempty"`
}

type diskDataXML struct {
	Device    string `xml:"deviceName"`
	Size      string `xml:"ebs>volumeSize,omitempty"`
	Type      string `xml:"ebs>volumeType,omitempty"`
	Encrypted string `xml:"ebs>encrypted,omitempty"`
	Deleted   string `xml:"ebs>deleteOnTermination,omitempty"`
}

type interfaceDataXML struct {
	Index  string   `xml:"deviceIndex"`
	Subnet string   `xml:"subnetId,omitempty"`
	Public string   `xml:"associatePublicIpAddress,omitempty"`
	Groups []string `xml:"groupSet>groupId"`
}

type tagsDataXML struct {
	Kind string   `xml:"resourceType"`
	Tags []tagXML `xml:"tagSet>item"`
}

// dataXML is what a template says, without what it leaves open.
type dataXML struct {
	Image      string             `xml:"imageId,omitempty"`
	Type       string             `xml:"instanceType,omitempty"`
	ProfileARN string             `xml:"iamInstanceProfile>arn,omitempty"`
	Profile    string             `xml:"iamInstanceProfile>name,omitempty"`
	Shutdown   string             `xml:"instanceInitiatedShutdownBehavior,omitempty"`
	UserData   string             `xml:"userData,omitempty"`
	Groups     []string           `xml:"securityGroupIdSet>item"`
	Metadata   *metadataDataXML   `xml:"metadataOptions"`
	Disks      []diskDataXML      `xml:"blockDeviceMappingSet>item"`
	Interfaces []interfaceDataXML `xml:"networkInterfaceSet>item"`
	Tags       []tagsDataXML      `xml:"tagSpecificationSet>item"`
}

func decodeData(p *wire.Params) dataXML {
	x := dataXML{
		Image: p.String("ImageId"), Type: p.String("InstanceType"), ProfileARN: p.String("IamInstanceProfile.Arn"),
		Profile: p.String("IamInstanceProfile.Name"), Shutdown: p.String("InstanceInitiatedShutdownBehavior"),
		UserData: p.String("UserData"), Groups: p.Strings("SecurityGroupId"),
	}
	m := p.Sub("MetadataOptions")
	metadata := metadataDataXML{m.String("HttpTokens"), m.String("HttpPutResponseHopLimit"), m.String("HttpEndpoint"), m.String("InstanceMetadataTags")}
	if metadata != (metadataDataXML{}) {
		x.Metadata = &metadata
	}
	for _, d := range p.Groups("BlockDeviceMapping") {
		ebs := d.Sub("Ebs")
		x.Disks = append(x.Disks, diskDataXML{d.String("DeviceName"), ebs.String("VolumeSize"), ebs.String("VolumeType"),
			ebs.String("Encrypted"), ebs.String("DeleteOnTermination")})
	}
	for _, n := range p.Groups("NetworkInterface") {
		x.Interfaces = append(x.Interfaces, interfaceDataXML{n.String("DeviceIndex"), n.String("SubnetId"),
			n.String("AssociatePublicIpAddress"), n.Strings("SecurityGroupId")})
	}
	for _, t := range p.Groups("TagSpecification") {
		x.Tags = append(x.Tags, tagsDataXML{t.String("ResourceType"), tagsXML(decodeTags(t))})
	}
	return x
}
