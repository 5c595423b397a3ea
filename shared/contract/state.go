package contract

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// State is what a server says about itself, the object at Place.State. It is
// how a pipe learns the reason when servers do not become ready.
type State struct {
	Contract  int            `json:"contract"`
	Ready     bool           `json:"ready"`
	Since     time.Time      `json:"since"` // when Ready last changed
	Reason    string         `json:"reason"`
	Processes []ProcessState `json:"processes"`
	// Knows are the keys of UserData that boot has learned since Version 1 began. An
	// older boot ignores them: whoever relies on one looks here.
	Knows []string `json:"knows,omitempty"`
}

// Known are the keys that this code knows.
func Known() []string { return []string{"database", "seed"} }

// ProcessState is one process in a State.
type ProcessState struct {
	Type     string `json:"type"`
	Running  bool   `json:"running"`
	Restarts int    `json:"restarts"`
	Exit     string `json:"exit,omitempty"` // how it last ended
}

// Place is where a server leaves its log and its state.
type Place struct{ Bucket, Prefix string }

// ParsePlace reads s3://bucket/prefix.
func ParsePlace(s string) (Place, error) {
	rest, ok := strings.CutPrefix(s, "s3://")
	bucket, prefix, _ := strings.Cut(rest, "/")
	if !ok || bucket == "" {
		return Place{}, fmt.Errorf("%q is not a place for logs: expected s3://bucket/prefix", s)
	}
	return Place{Bucket: bucket, Prefix: strings.Trim(prefix, "/")}, nil
}

// String is the form that ParsePlace reads.
func (p Place) String() string { return "s3://" + path.Join(p.Bucket, p.Prefix) }

// Log is the key of the log tail of one server.
func (p Place) Log(role, instance string) string {
	return path.Join(p.Prefix, role, instance+".log")
}

// State is the key of the State of one server.
func (p Place) State(role, instance string) string {
	return path.Join(p.Prefix, role, instance+".json")
}
