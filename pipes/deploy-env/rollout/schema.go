package rollout

import (
	"cmp"

	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/outputs"
)

// migrationCheck is what that pipe, in a step of the same pipeline, has found out about the
// database: what it says in .fearless/migration-check.json.
type migrationCheck struct {
	Base           string `json:"base"` // commits
	Head           string `json:"head"`
	After          string `json:"schema_after"` // fingerprint
	OldReleaseRuns *bool  `json:"old_release_runs"`
}

// schema is what is known of the database after a release, from the check of the same
// pipeline. The check compares with the commit before on the branch. So that the old release
// runs counts only when that commit is the one that is live; that it does not is believed
// in any case, since nobody else will say it.
func (d *deployer) schema(commit string, before *ledger.Release) ledger.Schema {
	unknown := ledger.Schema{Fingerprint: ledger.Unknown, Compatible: ledger.Unknown}
	var c migrationCheck
	found, reason, err := outputs.ReadResult(d.rt.CloneDir(), "migration-check", d.s.PipelineUUID, &c)
	switch {
	case err != nil:
		d.rt.Console.Warn("the ledger will not say what is known of the schema: %v", err)
		return unknown
	case reason != "":
		d.rt.Console.Info("%s", reason)
		return unknown
	case !found || c.Head != commit:
		return unknown
	}
	s := ledger.Schema{Fingerprint: cmp.Or(c.After, ledger.Unknown), Compatible: ledger.Unknown}
	switch {
	case c.OldReleaseRuns == nil:
	case !*c.OldReleaseRuns:
		s.Compatible = "no"
	case before != nil && before.Start.Commit == c.Base:
		s.Compatible = "yes"
	}
	return s
}
