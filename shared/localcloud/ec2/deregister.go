package ec2

import (
	"context"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

type deregisterInput struct {
	id        string
	snapshots bool
}

func decodeDeregister(p *wire.Params) deregisterInput {
	return deregisterInput{id: p.Need("ImageId"), snapshots: p.Bool("DeleteAssociatedSnapshots", false)}
}

// deletedXML reports on one snapshot; AWS calls it a code, but it is a word.
type deletedXML struct {
	Snapshot string `xml:"snapshotId"`
	Code     string `xml:"returnCode"`
}

type deregisterAnswer struct {
	Return  bool         `xml:"return"`
	Deleted []deletedXML `xml:"deleteSnapshotResultSet>item"`
}

// deregisterImage takes an image away, in whatever state it is. Instances
// that run from it stay.
func (s *Service) deregisterImage(_ context.Context, _ *wire.Call, in deregisterInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, failure := s.existingImage(in.id)
	if failure != nil {
		return nil, failure
	}
	if m.owner != s.world.Account {
		return nil, wire.Errorf("AuthFailure", "Not authorized for image:%s", m.id)
	}
	delete(s.images, m.id)
	delete(s.resources, m.id)
	s.gone[m.id] = true
	s.drop(m.content)

	out := deregisterAnswer{Return: true}
	if in.snapshots {
		out.Deleted = append(out.Deleted, s.deleteWithImage(m))
	}
	return out, nil
}

// deleteWithImage deletes an image's snapshot, if nobody was faster.
func (s *Service) deleteWithImage(m *image) deletedXML {
	if s.snapshots[m.snapshot] == nil {
		return deletedXML{m.snapshot, "skipped"}
	}
	delete(s.snapshots, m.snapshot)
	delete(s.resources, m.snapshot)
	return deletedXML{m.snapshot, "success"}
}
