package ledger

import (
	"encoding/json"
	"fmt"
	"time"
)

// Version is the version of Record that this program writes. Fields may be added to it:
// readers ignore those that they do not know. What an older reader would misunderstand is
// a new version, which it refuses.
const Version = 1

// Kind is what a record tells of.
type Kind string

// The kinds.
const (
	KindStart Kind = "start" // a release begins; written before any server is touched
	KindEnd   Kind = "end"   // what became of it; names its start
	KindHold  Kind = "hold"  // a commit, and all that contain it, must not be deployed
	KindLift  Kind = "lift"  // they may again
)

// Outcome is what became of a release.
type Outcome string

// The outcomes. Several ends of one start are possible (see Releases); they are put into
// one by their weight.
const (
	Live         Outcome = "live"           // healthy, and watched to the end
	LiveUnproven Outcome = "live, unproven" // it runs, but nobody saw it come through
	RolledBack   Outcome = "rolled back"    // it failed, and CloudFormation took it back
	Failed       Outcome = "failed"         // it did not come to life
	Cancelled    Outcome = "cancelled"      // somebody stopped it, and the release before goes on
	Gone         Outcome = "gone"           // the environment was destroyed
)

// Why a release was made.
const (
	WhyDeploy   = "deploy"
	WhyRollback = "rollback"
	WhyDestroy  = "destroy" // the end of the environment: nothing is live after it
)

// Unknown stands in text fields for what the writer did not know.
const Unknown = "unknown"

// Record is one object of the ledger, version 1. All times are UTC.
type Record struct {
	Version     int       `json:"version"`
	Kind        Kind      `json:"kind"`
	ID          string    `json:"id"` // 8 hexadecimal digits, random; with the time the name of the object
	Application string    `json:"application"`
	Environment string    `json:"environment"`
	Time        time.Time `json:"time"`            // to the millisecond; later than that of every record the writer has seen
	Clock       time.Time `json:"clock,omitzero"`  // the writer's own clock, where that was behind the ledger's time
	By          By        `json:"by"`              // who wrote it
	Start       string    `json:"start,omitempty"` // ends: key of the start

	Commit    string    `json:"commit"`               // full hash
	Committed time.Time `json:"committed,omitzero"`   // when the commit was made, as far as the clone knew
	Image     Image     `json:"image"`                //
	Settings  string    `json:"settings"`             // digest of the settings' names and versions; none; unknown
	Template  string    `json:"template"`             // digest of the template of the servers
	Schema    Schema    `json:"schema"`               // of the database, after the release
	Migrated  bool      `json:"migrated"`             // the release process was run
	Why       string    `json:"why"`                  // deploy, rollback, destroy
	Reason    string    `json:"reason,omitempty"`     // in somebody's own words
	Previous  string    `json:"previous,omitempty"`   // key of the start of the release that it replaces
	Roles     Servers   `json:"capacities,omitempty"` // servers by role at the start

	// Health is where the balancer asks servers, by role: what the release is known to answer.
	Health map[string]string `json:"health,omitempty"`

	Outcome   Outcome   `json:"outcome,omitempty"` // ends only, like all below
	Failure   string    `json:"failure,omitempty"` // the first cause
	Probe     *Probe    `json:"probe"`             // null: not probed
	Durations Durations `json:"durations,omitzero"`
}

// By is who wrote a record.
type By struct {
	Who      string `json:"who"`                // UUID of whoever started the pipeline, or unknown
	Program  string `json:"program"`            // pipe and version
	Pipeline string `json:"pipeline,omitempty"` // link
	Build    int    `json:"build,omitempty"`    // number of the pipeline's run
}

// Image is what was released.
type Image struct {
	ID           string `json:"id"` // AMI id
	Name         string `json:"name"`
	Owner        string `json:"owner"` // account
	RootSnapshot string `json:"root_snapshot"`
	Inputs       string `json:"inputs"`     // digest of all that went into it
	BakedFrom    string `json:"baked_from"` // the commit that was baked; others may have the same inputs
}

// Schema is what is known of the database's schema.
type Schema struct {
	Fingerprint string `json:"fingerprint"` // or unknown
	Compatible  string `json:"compatible"`  // can the release before run with it: yes, no, unknown
}

// Servers counts servers by role.
type Servers map[string]int

// Probe is what was asked of the environment's URL while the release was watched.
type Probe struct {
	Asked  int     `json:"asked"`
	Failed int     `json:"failed"`
	P99    Seconds `json:"p99_seconds"`
}

// Durations are the parts of a release.
type Durations struct {
	Bake    Seconds `json:"bake_seconds"`    // of the image, where it was baked for this release
	Boot    Seconds `json:"boot_seconds"`    // from the start of the update to the first new server that is ready
	Health  Seconds `json:"health_seconds"`  // from there until all are
	Soak    Seconds `json:"soak_seconds"`    // old and new servers side by side, watched
	Cleanup Seconds `json:"cleanup_seconds"` // until the old servers are gone
	Total   Seconds `json:"total_seconds"`   // of the run, from its start to this record
}

// Seconds is a measured time, or unknown, which is its zero value.
type Seconds struct {
	known bool
	span  time.Duration
}

// Took is a time that was measured.
func Took(d time.Duration) Seconds {
	return Seconds{known: true, span: max(d, 0).Round(time.Millisecond)}
}

// Get is the time, and whether it is known.
func (s Seconds) Get() (d time.Duration, known bool) { return s.span, s.known }

// MarshalJSON writes a number of seconds, or "unknown".
func (s Seconds) MarshalJSON() ([]byte, error) {
	if !s.known {
		return json.Marshal(Unknown)
	}
	return json.Marshal(s.span.Seconds())
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Seconds) UnmarshalJSON(text []byte) error {
	if string(text) == `"`+Unknown+`"` {
		*s = Seconds{}
		return nil
	}
	var seconds float64
	if err := json.Unmarshal(text, &seconds); err != nil {
		return fmt.Errorf("%s is neither a number of seconds nor unknown", text)
	}
	*s = Took(time.Duration(seconds * float64(time.Second)))
	return nil
}

// Key is the record's place below the ledger; starts are named by it.
func (r *Record) Key() string { return r.Time.UTC().Format(stamp) + "-" + r.ID }
