package bake_test

import (
	"context"
	"maps"
	"testing"

	"bitbucket.org/fearless/pipes/boot/provision"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/ledger"
)

// TestRoleFitsTheCalls holds the role that account.yml gives this pipe against the calls
// that bakes, failures and sweeps really make: each is allowed, and nothing else is.
func TestRoleFitsTheCalls(t *testing.T) {
	used := map[string]bool{}
	story(t, quick, func(t *testing.T, l *place) {
		collect := func(o lab.Outcome) { maps.Copy(used, lab.Actions(o.Calls)) }
		l.Cloud.PutParameter("/shop/bake/token", "x-secret-x", true)
		l.Cloud.FailNextImage("Client.InternalError")
		collect(l.run(nil, "BAKE_PARAMETERS=/shop/bake").Expect(t, exit.Passed))
		l.script = func(context.Context, provision.ScriptCall) (int, error) { return 1, nil }
		collect(l.run(nil).Expect(t, exit.Refused))
		l.silent = true
		collect(l.run(nil, "COMMIT="+sample(t).changed).Expect(t, exit.Unable))
		a := newAlbum(l)
		a.release("production", "c1", a.add("c1"), ledger.Live)
		a.add("c2")
		a.group(a.add("c3"))
		a.wait(old)
		collect(l.run(nil, sweeping("CONFIRM=true")...).Expect(t, exit.Passed, "images kept: 2"))

		lab.CheckNeeded(t, role, used, map[string]string{ // AWS asks for these within other calls
			"ec2:CreateTags":     "tags at birth",
			"iam:PassRole":       "the server's profile",
			"ec2:DeleteSnapshot": "the snapshots of an image that is deregistered",
		})
	})
}
