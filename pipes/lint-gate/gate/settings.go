// Package gate answers one question about a change: does it add findings?
//
// Linters run on the change, and, when they find something, on the commit it started from.
// What was there before is not counted; that is decided by comparing findings, not lines
// (compare.go, which is pure, as is the verdict).
package gate

import (
	"path/filepath"
	"strings"

	"bitbucket.org/fearless/pipes/shared/bitbucket"
	"bitbucket.org/fearless/pipes/shared/finding"
	"bitbucket.org/fearless/pipes/shared/history"
	"bitbucket.org/fearless/pipes/shared/install"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/settings"
)

// Name is the name of the pipe.
const Name = "lint-gate"

// What the pipe can be asked to do.
const (
	ActionCheck   = "check"
	ActionInstall = "install"
)

// Which findings count.
const (
	ScopeNew          = "new"
	ScopeChangedLines = "changed-lines"
	ScopeAll          = "all"
)

// What a suppression that the change adds leads to.
const (
	SuppressionsReport = "report"
	SuppressionsFail   = "fail"
)

// Settings are the variables of lint-gate.
type Settings struct {
	pipe.Settings
	Bitbucket bitbucket.Settings

	Action string `envconfig:"ACTION" default:"check" allowed:"check,install" desc:"What to do: check the change, or install this program into .fearless/bin of the clone, for steps with an image and linters of their own."`
	Scope  string `envconfig:"SCOPE" default:"new" allowed:"new,changed-lines,all" desc:"Which findings count: those that the change causes, wherever they are; those on lines that it wrote; or all."`

	Linters settings.List `envconfig:"LINTERS" example:"golangci-lint, ruff, mypy" desc:"Linters to run, by name; or a name of your own, a colon, the format in brackets that it writes, and its command. Default: golangci-lint where there is a go.mod."`
	Reports settings.List `envconfig:"REPORTS" example:"sarif:out/eslint.sarif" desc:"Reports that earlier commands wrote: format, colon, path. Formats: sarif, checkstyle, golangci, code-climate, rdjson, eslint, errorformat:<name or pattern>."`

	FailOn       string        `envconfig:"FAIL_ON" default:"error" allowed:"error,warning,info" desc:"Least severity that fails the gate. What is below is shown."`
	Suppressions string        `envconfig:"SUPPRESSIONS" default:"report" allowed:"report,fail" desc:"What happens when the change silences linters: with comments such as //nolint or # noqa, or with a looser configuration of golangci-lint. It is reported, or it counts as a finding."`
	Base         string        `envconfig:"BASE" example:"main" desc:"Branch, commit or tag to compare with. Default: the destination of the pull request, else the main branch, and on that the commit before."`
	Memory       settings.Size `envconfig:"MEMORY" example:"2GiB" desc:"How much memory linters may use. Default: what the container may use."`
	Cache        string        `envconfig:"CACHE" example:".fearless/cache" desc:"Folder of the clone for what linters keep from one run to the next; name it under definitions, caches. Default: .fearless/cache in the pipe's own image, and elsewhere the linters' own folders."`
	With         settings.List `envconfig:"WITH" example:"migration-check" desc:"Further programs of the image to install."`

	DestinationBranch string `envconfig:"BITBUCKET_PR_DESTINATION_BRANCH" context:"true" desc:"Where the pull request leads to."`
	DestinationCommit string `envconfig:"BITBUCKET_PR_DESTINATION_COMMIT" context:"true" desc:"The tip of that branch, sometimes shortened to 12 digits."`
}

// Check finds what is wrong with the settings together, or beyond their types.
func (s *Settings) Check(r *settings.Report) {
	if s.Cache != "" && !filepath.IsLocal(s.Cache) {
		r.Problemf("CACHE", "%q leads out of the clone; expected: a path below it", s.Cache)
	}
	install.Check(r, s.Action == ActionInstall, s.With)
	if s.Action == ActionInstall {
		return
	}
	if strings.HasPrefix(s.Base, "-") {
		r.Problemf("BASE", "%q is neither a branch nor a commit", s.Base)
	}
}

// failOn is the severity of FAIL_ON, whose values have been checked.
func (s *Settings) failOn() finding.Severity {
	severity, err := finding.ParseSeverity(s.FailOn)
	if err != nil {
		return finding.Info
	}
	return severity
}

// want is what the settings tell about the base.
func (s *Settings) want() history.Want {
	return history.Want{
		Base: s.Base, PullRequest: s.Bitbucket.PullRequest > 0, DestinationBranch: s.DestinationBranch, DestinationCommit: s.DestinationCommit,
		Branch: s.Branch, Commit: s.Commit,
	}
}
