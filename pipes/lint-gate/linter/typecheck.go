package linter

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/lint-gate/format"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
)

var (
	// compilerLine is a line of the compiler inside the text of a typecheck issue.
	compilerLine = regexp.MustCompile(`^(?:\./)?([^\s:]+\.go):(\d+)(?::(\d+))?: (.+)$`)
	// missing is what the go command says of packages that are not there.
	missing = regexp.MustCompile(`could not import|no required module provides|missing go\.sum entry|cannot find module|cannot find package|is not in std|updates to go\.mod needed|updates to go\.sum needed|inconsistent vendoring|cannot query module|unrecognized import path|module lookup disabled`)
	// network is what it says when it could not ask for them.
	network = regexp.MustCompile(`dial tcp|i/o timeout|no such host|connection refused|TLS handshake|proxyconnect|reading https?://|: 40[13] |: 5\d\d |terminal prompts disabled|could not read Username|GOPROXY=off`)
)

// places are the findings of typecheck where they really are: golangci-lint
// reports what the compiler said in the first line of the package's first file.
func (r *run) places(m module, issues []finding.Finding) []finding.Finding {
	var found []finding.Finding
	for _, issue := range issues {
		inner := 0
		for line := range strings.SplitSeq(issue.Message+"\n"+issue.Detail, "\n") {
			n := compilerLine.FindStringSubmatch(strings.TrimSpace(line))
			if n == nil {
				continue
			}
			// The path is relative to where the go command ran: the module.
			file, err := filepath.Rel(r.Dir, filepath.Join(r.Dir, filepath.FromSlash(m.dir), filepath.FromSlash(n[1])))
			if err != nil {
				continue
			}
			f := finding.Finding{Tool: Golangci, Rule: format.Typecheck, Severity: finding.Error, File: filepath.ToSlash(file), Message: n[4]}
			f.Line, _ = strconv.Atoi(n[2])
			f.Column, _ = strconv.Atoi(n[3])
			found = append(found, f)
			inner++
		}
		if inner == 0 {
			found = append(found, issue)
		}
	}
	return found
}

// notAnalysed is the error for code that did not get through the compiler. What
// the linters found elsewhere is not all there is.
func (r *run) notAnalysed(m module, places, issues []finding.Finding) error {
	all := ""
	for _, issue := range issues {
		all += issue.Message + "\n" + issue.Detail + "\n"
	}
	first := places[0]
	if missing.MatchString(all) {
		for _, f := range places {
			if missing.MatchString(f.Message) {
				first = f
				break
			}
		}
		return r.notLoaded(m, first.Place()+": "+strings.ReplaceAll(first.Message+" "+first.Detail, "\n", " "))
	}
	return exit.Refusedf("%s cannot analyse module %s, because it does not compile: %s: %s", r.label(), m.dir, first.Place(), first.Message).
		Hint("make `go vet ./...` pass in the module first")
}

// notLoaded is the error for a module whose packages, or those it depends on,
// cannot be had.
func (r *run) notLoaded(m module, cause string) error {
	cause = brief(strings.TrimSpace(cause))
	if network.MatchString(cause) {
		return exit.Unablef("%s cannot analyse module %s, because what it depends on cannot be fetched: %s", r.label(), m.dir, cause).
			Hint("give the pipe what the build has: GOPROXY, GOPRIVATE and credentials in .netrc are not handed on to pipes by themselves",
				"or vendor the dependencies: `go mod vendor`")
	}
	return exit.Refusedf("%s cannot analyse module %s: %s", r.label(), m.dir, cause).
		Hint("run `go mod tidy` in the module (with a vendor folder also `go mod vendor`) and commit what it changes")
}
