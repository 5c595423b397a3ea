package ec2

import (
	"context"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// snapshotFilters are the filters of DescribeSnapshots besides those of tags.
var snapshotFilters = []string{"status"}

func decodeDescribeSnapshots(p *wire.Params) describe {
	d := decodeDescribe("SnapshotId", snapshotFilters)(p)
	d.owners = p.Strings("Owner")
	return d
}

type snapshotXML struct {
	ID          string   `xml:"snapshotId"`
	Volume      string   `xml:"volumeId"`
	Status      string   `xml:"status"`
	Progress    string   `xml:"progress"`
	Started     string   `xml:"startTime"`
	Owner       string   `xml:"ownerId"`
	Size        int      `xml:"volumeSize"`
	Description string   `xml:"description"`
	Encrypted   bool     `xml:"encrypted"`
	Tags        []tagXML `xml:"tagSet>item"`
}

type describeSnapshotsAnswer struct {
	Snapshots []snapshotXML `xml:"snapshotSet>item"`
	NextToken string        `xml:"nextToken,omitempty"`
}

// describeSnapshots knows the account's own snapshots; those of public images
// belong to others and are left out.
func (s *Service) describeSnapshots(_ context.Context, _ *wire.Call, d describe) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	all, failure := s.snapshotsByID(d.ids)
	if failure != nil {
		return nil, failure
	}
	all = slices.DeleteFunc(all, func(n *snapshot) bool {
		status := func(string) string { status, _ := n.status(now); return status }
		return !s.ownedBy(d.owners, s.world.Account, "") || !d.matches(n.tags, status) ||
			len(d.ids) == 0 && !s.seen(&n.entity)
	})
	page, next, err := wire.Page(all, func(n *snapshot) int64 { return n.ordinal }, d.limit, d.token)
	if err != nil {
		return nil, err
	}
	out := describeSnapshotsAnswer{NextToken: next}
	for _, n := range page {
		status, progress := n.status(now)
		out.Snapshots = append(out.Snapshots, snapshotXML{
			n.id, n.volume, status, progress, wire.Time(n.born), s.world.Account, n.size, n.description,
			n.image.disk.Encrypted, tagsXML(n.tags),
		})
	}
	return out, nil
}

// snapshotsByID are the snapshots with the ids, or all. Other than with images
// one that was deleted is as good as one that never was. The lock is held.
func (s *Service) snapshotsByID(ids []string) ([]*snapshot, *wire.Error) {
	if len(ids) == 0 {
		return byOrdinal(s.snapshots, func(n *snapshot) int64 { return n.ordinal }), nil
	}
	var found []*snapshot
	for _, id := range ids {
		n := s.snapshots[id]
		switch {
		case !strings.HasPrefix(id, "snap-"):
			return nil, wire.Errorf("InvalidParameterValue", "Value (%s) for parameter snapshotId is invalid. Expected: 'snap-...'.", id)
		case n == nil || !s.seen(&n.entity):
			return nil, snapshotNotFound(id)
		}
		found = append(found, n)
	}
	return found, nil
}

func snapshotNotFound(id string) *wire.Error {
	return wire.Errorf("InvalidSnapshot.NotFound", "The snapshot '%s' does not exist.", id)
}

func decodeDeleteSnapshot(p *wire.Params) string { return p.Need("SnapshotId") }

type returnAnswer struct {
	Return bool `xml:"return"`
}

// deleteSnapshot refuses as long as an image would lose its disk. The content
// itself belongs to the image and went with it.
func (s *Service) deleteSnapshot(_ context.Context, _ *wire.Call, id string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.snapshots[id]
	if n == nil || s.young(&n.entity) {
		return nil, snapshotNotFound(id)
	}
	if s.images[n.image.id] != nil {
		return nil, wire.Errorf("InvalidSnapshot.InUse", "The snapshot %s is currently in use by %s", id, n.image.id)
	}
	delete(s.snapshots, id)
	delete(s.resources, id)
	return returnAnswer{true}, nil
}
