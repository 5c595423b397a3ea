package release

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Digest names what an update is to lead to.
func Digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// tokenPrefix begins the request token of every update to the same target. CloudFormation
// copies the token into each event of the update, where another run finds it.
func tokenPrefix(target string) string { return "fearless-" + target + "-" }

// token names one update: its target, the pipeline, and something of its own, since
// CloudFormation refuses a token that it has seen with another change set.
func (o *Operator) token(target string) string {
	var random [3]byte
	_, _ = rand.Read(random[:]) // never fails, see its documentation
	return tokenPrefix(target) + o.build() + "-" + hex.EncodeToString(random[:])
}

// ProposalName names a change set: two pipelines that propose the same do not take each
// other's change sets away.
func (o *Operator) ProposalName(target string) string { return tokenPrefix(target) + o.build() }

// build is the pipeline, as it stands in names of ours.
func (o *Operator) build() string {
	if o.Build > 0 {
		return fmt.Sprintf("build-%d", o.Build)
	}
	return "local"
}

// startedBy reads the build number out of a token, for people.
func startedBy(token string) string {
	if _, build, ok := strings.Cut(token, "-build-"); ok {
		number, _, _ := strings.Cut(build, "-")
		return ", started by pipeline " + number
	}
	return ""
}
