package bake_test

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/boot/provision"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/ledger"
)

// TestRoleFitsTheCalls holds the role that account.yml gives this pipe against the calls
// that bakes, failures and sweeps really make: each is allowed, and nothing else is.
func TestRoleFitsTheCalls(t *testing.T) {
	rights, err := os.ReadFile("../../../tools/account/testdata/rights.txt")
	if err != nil {
		t.Fatal(err)
	}
	allowed := allowedActions(string(rights), "fearless-shop-ami-bake")
	// AWS asks for these rights within other calls: tags at birth, the server's profile,
	// and the snapshots of an image that is deregistered.
	used := map[string]bool{"ec2:CreateTags": true, "iam:PassRole": true, "ec2:DeleteSnapshot": true}
	story(t, quick, func(t *testing.T, l *lab) {
		collect := func(o outcome) {
			for _, call := range o.calls {
				used[iamAction(call.Service+":"+call.Action)] = true
			}
		}
		l.cloud.PutParameter("/shop/bake/token", "x-secret-x", true)
		l.cloud.FailNextImage("Client.InternalError")
		collect(l.run(nil, "BAKE_PARAMETERS=/shop/bake").expect(t, exit.Passed))
		l.script = func(context.Context, provision.ScriptCall) (int, error) { return 1, nil }
		collect(l.run(nil).expect(t, exit.Refused))
		l.silent = true
		collect(l.run(nil, "COMMIT="+sample(t).changed).expect(t, exit.Unable))
		a := newAlbum(l)
		a.release("production", "c1", a.add("c1"), ledger.Live)
		a.add("c2")
		a.group(a.add("c3"))
		a.wait(old)
		collect(l.run(nil, sweeping("CONFIRM=true")...).expect(t, exit.Passed, "images kept: 2"))

		for _, action := range slices.Sorted(maps.Keys(used)) {
			if !allowed[action] {
				t.Errorf("the pipe calls %s, and its role does not allow it", action)
			}
		}
		for _, action := range slices.Sorted(maps.Keys(allowed)) {
			if !used[action] {
				t.Errorf("the role allows %s, and the pipe does not need it", action)
			}
		}
	})
}

// iamAction is the name of the right that a call needs.
func iamAction(call string) string {
	switch call {
	case "s3:ListObjectsV2":
		return "s3:ListBucket"
	case "s3:DeleteObjects":
		return "s3:DeleteObject"
	}
	return call
}

// allowedActions reads the list of rights that the test of account.yml keeps.
func allowedActions(text, role string) map[string]bool {
	allowed := map[string]bool{}
	inside := false
	for line := range strings.Lines(text) {
		if line[0] != ' ' {
			inside = strings.TrimSpace(line) == role
		}
		if actions, ok := strings.CutPrefix(strings.TrimSpace(line), "Allow "); ok && inside {
			for action := range strings.SplitSeq(actions, ", ") {
				allowed[action] = true
			}
		}
	}
	return allowed
}
