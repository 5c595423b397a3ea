package ec2

import (
	"context"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// imageFilters are the filters of DescribeImages besides those of tags.
var imageFilters = []string{"name", "state"}

func decodeDescribeImages(p *wire.Params) describe {
	d := decodeDescribe("ImageId", imageFilters)(p)
	d.owners = p.Strings("Owner")
	return d
}

// ownedBy reports whether one of the owners (an account, self, or an alias
// such as amazon) owns the resource; no owners means everybody.
func (s *Service) ownedBy(owners []string, owner, alias string) bool {
	if len(owners) == 0 {
		return true
	}
	return slices.ContainsFunc(owners, func(o string) bool {
		return o == owner || o == "self" && owner == s.world.Account || o == alias && alias != ""
	})
}

// The structs of this file are EC2's element names.

type ebsXML struct {
	Snapshot            string `xml:"snapshotId"`
	Size                int    `xml:"volumeSize"`
	DeleteOnTermination bool   `xml:"deleteOnTermination"`
	Type                string `xml:"volumeType"`
	Encrypted           bool   `xml:"encrypted"`
}

type imageDiskXML struct {
	Device string `xml:"deviceName"`
	EBS    ebsXML `xml:"ebs"`
}

type imageXML struct {
	ID             string         `xml:"imageId"`
	Location       string         `xml:"imageLocation"`
	State          string         `xml:"imageState"`
	Reason         *reasonXML     `xml:"stateReason"`
	Owner          string         `xml:"imageOwnerId"`
	Alias          string         `xml:"imageOwnerAlias,omitempty"`
	Public         bool           `xml:"isPublic"`
	Architecture   string         `xml:"architecture"`
	Type           string         `xml:"imageType"`
	Platform       string         `xml:"platformDetails"`
	Name           string         `xml:"name"`
	Description    string         `xml:"description,omitempty"`
	RootType       string         `xml:"rootDeviceType"`
	RootName       string         `xml:"rootDeviceName"`
	Disks          []imageDiskXML `xml:"blockDeviceMapping>item"`
	Virtualization string         `xml:"virtualizationType"`
	ENA            bool           `xml:"enaSupport"`
	Created        string         `xml:"creationDate"`
	SourceInstance string         `xml:"sourceInstanceId,omitempty"`
	SourceImage    string         `xml:"sourceImageId,omitempty"`
	Tags           []tagXML       `xml:"tagSet>item"`
}

// xml is an image as callers see it. A public image has no source instance
// here, and only the account's own can be private.
func (m *image) xml(now time.Time) imageXML {
	x := imageXML{
		ID: m.id, Location: m.owner + "/" + m.name, State: m.stateAt(now), Owner: m.owner, Alias: m.alias,
		Public: m.sourceInstance == "", Architecture: m.architecture, Type: "machine", Platform: "Linux/UNIX",
		Name: m.name, Description: m.description, RootType: "ebs", RootName: m.device, Virtualization: "hvm", ENA: true,
		Disks:   []imageDiskXML{{m.device, ebsXML{m.snapshot, m.size, true, m.disk.Type, m.disk.Encrypted}}},
		Created: wire.Time(m.born), SourceInstance: m.sourceInstance, SourceImage: m.sourceImage, Tags: tagsXML(m.tags),
	}
	if x.State == failed {
		x.Reason = &reasonXML{"Server.InternalError", m.failure}
	}
	return x
}

type describeImagesAnswer struct {
	Images    []imageXML `xml:"imagesSet>item"`
	NextToken string     `xml:"nextToken,omitempty"`
}

// describeImages counts a read only for images that pass all conditions: a
// fresh image is hidden from the answers that should have held it.
func (s *Service) describeImages(_ context.Context, _ *wire.Call, d describe) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	all, failure := s.imagesByID(d.ids)
	if failure != nil {
		return nil, failure
	}
	all = slices.DeleteFunc(all, func(m *image) bool {
		values := func(name string) string {
			if name == "state" {
				return m.stateAt(now)
			}
			return m.name
		}
		return !s.ownedBy(d.owners, m.owner, m.alias) || !d.matches(m.tags, values) ||
			len(d.ids) == 0 && !s.seen(&m.entity)
	})
	page, next, err := wire.Page(all, func(m *image) int64 { return m.ordinal }, d.limit, d.token)
	if err != nil {
		return nil, err
	}
	out := describeImagesAnswer{NextToken: next}
	for _, m := range page {
		out.Images = append(out.Images, m.xml(now))
	}
	return out, nil
}

// imagesByID are the images with the ids, or all. One that was deregistered
// is left out without an error. The lock is held.
func (s *Service) imagesByID(ids []string) ([]*image, *wire.Error) {
	if len(ids) == 0 {
		return byOrdinal(s.images, func(m *image) int64 { return m.ordinal }), nil
	}
	var found []*image
	var missing []string
	for _, id := range ids {
		m := s.images[id]
		switch {
		case !strings.HasPrefix(id, "ami-"):
			return nil, wire.Errorf("InvalidAMIID.Malformed", "Invalid id: \"%s\" (expecting \"ami-...\")", id)
		case s.gone[id]:
		case m == nil || !s.seen(&m.entity):
			missing = append(missing, id)
		default:
			found = append(found, m)
		}
	}
	if len(missing) > 0 {
		return nil, imageNotFound(strings.Join(missing, ", "))
	}
	return found, nil
}
