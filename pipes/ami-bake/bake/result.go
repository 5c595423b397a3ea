package bake

import (
	"fmt"
	"strconv"

	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/outputs"
)

// Result is the image that answers for a commit.
type Result struct {
	image.Record
	Baked   bool    `json:"baked"` // by this run; false: found, or made by another run
	Seconds float64 `json:"seconds"`
}

// Summary says it in one line.
func (r *Result) Summary() string {
	how := "reused"
	if r.Baked {
		how = "baked"
	}
	return fmt.Sprintf("%s image %s for commit %.12s", how, r.Image, r.Commit)
}

// Outputs are for later steps.
func (r *Result) Outputs() []outputs.Variable {
	return []outputs.Variable{
		{Name: "IMAGE_ID", Value: r.Image},
		{Name: "IMAGE_NAME", Value: r.Name},
		{Name: "IMAGE_COMMIT", Value: r.Commit},
		{Name: "IMAGE_INPUTS", Value: r.Inputs},
		{Name: "IMAGE_BAKED", Value: strconv.FormatBool(r.Baked)},
	}
}

// Swept is what a sweep did.
type Swept struct {
	Servers int `json:"servers"` // terminated
	Images  int `json:"images"`  // failed ones, deregistered
	Objects int `json:"objects"` // deleted from the bucket
	InUse   int `json:"in_use"`  // servers and sets of objects of runs that may be alive
	Left    int `json:"left"`    // leftovers of dead runs that are still there

	Old       int   `json:"old_images"` // that nothing needs; removed only when that was confirmed
	Removed   int   `json:"old_images_removed"`
	Snapshots int   `json:"snapshots"`      // removed with old images
	Index     int   `json:"index_objects"`  // removed with old images
	Bytes     int64 `json:"snapshot_bytes"` // of those snapshots in full, or of those that would go
	Kept      int   `json:"images_kept"`    // of the application, all there are now
}

// Summary says it in one line.
func (s *Swept) Summary() string {
	return fmt.Sprintf("removed %d servers, %d failed images, %d objects; in use by other runs: %d; left: %d; old images removed: %d of %d; images kept: %d",
		s.Servers, s.Images, s.Objects, s.InUse, s.Left, s.Removed, s.Old, s.Kept)
}

// Outputs are for later steps.
func (s *Swept) Outputs() []outputs.Variable {
	return []outputs.Variable{
		{Name: "SWEEP_LEFT", Value: strconv.Itoa(s.Left)},
		{Name: "SWEEP_OLD_IMAGES", Value: strconv.Itoa(s.Old - s.Removed)},
		{Name: "SWEEP_SNAPSHOT_BYTES", Value: strconv.FormatInt(s.Bytes, 10)},
	}
}
