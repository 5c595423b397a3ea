package format

import (
	"strings"

	"bitbucket.org/fearless/pipes/shared/finding"
)

// severity reads the words of all formats and tools; what no tool says stays
// what the format means by saying nothing.
func severity(word string, unsaid finding.Severity) finding.Severity {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "error", "fatal", "critical", "blocker", "major", "high", "failure", "e", "f", "2":
		return finding.Error
	case "warning", "warn", "minor", "medium", "w", "1":
		return finding.Warning
	case "info", "information", "informational", "note", "notice", "style", "convention", "refactor", "hint", "low", "none", "i", "n":
		return finding.Info
	}
	return unsaid
}
