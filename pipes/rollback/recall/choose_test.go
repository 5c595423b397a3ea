package recall

import (
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// three are three releases that came through, the last of which is live.
func three() *history {
	h := newHistory("production")
	h.release('1', ledger.Live)
	h.release('2', ledger.Live)
	h.release('3', ledger.Live)
	return h
}

// ruling is one row: what is asked for, and what comes of it.
type ruling struct {
	name  string
	of    func() (*history, *facts)
	to    byte // the commit that is chosen; 0: none
	step  step
	code  exit.Code
	words []string // of the refusal and its hints
}

func asked(h *history, ask string, change ...func(*facts)) (*history, *facts) {
	f := h.facts(ask, stackOf('3', stack.UpdateComplete))
	for _, c := range change {
		c(f)
	}
	return h, f
}

func busy(c byte, status stack.Status) func(*facts) {
	return func(f *facts) { f.servers = stackOf(c, status) }
}

var rulings = []ruling{
	{name: "proven", of: func() (*history, *facts) { return asked(three(), commit('1')) }, to: '1', step: stepUpdate},
	{name: "previous", of: func() (*history, *facts) { return asked(three(), Previous) }, to: '2', step: stepUpdate},
	{name: "short", of: func() (*history, *facts) { return asked(three(), "1111111") }, to: '1', step: stepUpdate},
	{name: "already live", of: func() (*history, *facts) { return asked(three(), commit('3')) }, to: '3', step: stepNone},
	{name: "already live, unproven", of: func() (*history, *facts) {
		h := three()
		h.release('4', ledger.LiveUnproven)
		return asked(h, commit('4'), busy('4', stack.UpdateComplete))
	}, to: '4', step: stepNone},
	{name: "deploy failed", of: func() (*history, *facts) {
		h := three()
		h.release('4', ledger.RolledBack)
		return asked(h, commit('4'))
	}, code: exit.Refused, words: []string{"commit 444444444444 never came to life in production", "rolled back (web: /health answers 500)",
		"these would be accepted:", "COMMIT: '222222222222'", "COMMIT: '111111111111'"}},
	{name: "live, unproven", of: func() (*history, *facts) {
		h := newHistory("production")
		h.release('1', ledger.LiveUnproven)
		h.release('3', ledger.Live)
		return asked(h, commit('1'))
	}, code: exit.Refused, words: []string{"nobody saw it come through", "fearless/deploy-env", "COMMIT: '" + commit('1'), "no other commit that was live in production would be accepted"}},
	{name: "only in staging", of: func() (*history, *facts) {
		h := newHistory("staging")
		h.release('1', ledger.Live)
		h.release('3', ledger.Live)
		return asked(h, commit('1'), func(f *facts) { f.s.ProvenIn, f.proven = "production", nil })
	}, code: exit.Refused, words: []string{"commit 111111111111 was never live in production, only in staging", "PROVEN_IN: 'staging'"}},
	{name: "image gone", of: func() (*history, *facts) {
		h := three()
		h.images["ami-1"] = nil
		return asked(h, commit('1'))
	}, code: exit.Refused, words: []string{"image ami-1 of commit 111111111111 is gone", "fearless/ami-bake", "COMMIT: '222222222222'"}},
	{name: "image failed", of: func() (*history, *facts) {
		h := three()
		h.images["ami-1"].State, h.images["ami-1"].Reason = image.Failed, "disabled"
		return asked(h, commit('1'))
	}, code: exit.Refused, words: []string{"is failed (disabled)"}},
	{name: "image of another owner", of: func() (*history, *facts) {
		h := three()
		h.images["ami-1"].Owner = "999988887777"
		return asked(h, commit('1'))
	}, code: exit.Refused, words: []string{"image ami-1 is not the one that was live with commit 111111111111: owner 999988887777, recorded 111122223333"}},
	{name: "image with another snapshot and other inputs", of: func() (*history, *facts) {
		h := three()
		h.images["ami-1"].RootSnapshot = "snap-x"
		delete(h.images["ami-1"].Tags, image.TagInputs)
		return asked(h, commit('1'))
	}, code: exit.Refused, words: []string{"root snapshot snap-x, recorded snap-1; inputs none, recorded in-1"}},
	{name: "short, ambiguous", of: func() (*history, *facts) {
		h := three()
		h.release('4', ledger.Live, func(r *ledger.Record) { r.Commit = "1111111" + strings.Repeat("0", 33) })
		return asked(h, "1111111")
	}, code: exit.Refused, words: []string{"is short for 2 commits", "COMMIT: '" + commit('1') + "'", "COMMIT: '1111111000"}},
	{name: "short, unknown", of: func() (*history, *facts) { return asked(three(), "abcdef0") }, code: exit.Refused,
		words: []string{"no release of production was of a commit that begins with abcdef0", "COMMIT: '222222222222'"}},
	{name: "unknown", of: func() (*history, *facts) { return asked(three(), commit('9')) }, code: exit.Refused,
		words: []string{"commit 999999999999 was never live in production"}},
	{name: "held", of: func() (*history, *facts) { h := three(); h.hold('2'); return asked(h, commit('2')) }, code: exit.Refused,
		words: []string{"commit 222222222222 is held in production", "by {bob}: orders were lost", "ACTION: 'lift-hold', COMMIT: '" + commit('2')}},
	{name: "held and lifted", of: func() (*history, *facts) { h := three(); h.hold('2'); h.lift('2'); return asked(h, commit('2')) }, to: '2', step: stepUpdate},
	{name: "the image of a held commit", of: func() (*history, *facts) {
		h := three()
		h.add(ledger.Record{Kind: ledger.KindHold, Commit: commit('8'), Image: ledger.Image{ID: "ami-2"}})
		return asked(h, commit('2'))
	}, code: exit.Refused, words: []string{"has the image of commit 888888888888, which is held"}},
	{name: "previous passes over what is held", of: func() (*history, *facts) { h := three(); h.hold('2'); return asked(h, Previous) }, to: '1', step: stepUpdate},
	{name: "previous of the first", of: func() (*history, *facts) {
		h := newHistory("production")
		h.release('3', ledger.Live)
		return asked(h, Previous)
	}, code: exit.Refused, words: []string{"there is no release of production before the one that is live", "no other commit"}},
	{name: "previous after two rollbacks", of: func() (*history, *facts) {
		h := three()
		h.hold('3')
		h.release('2', ledger.Live, why(ledger.WhyRollback))
		h.hold('2')
		h.release('1', ledger.Live, why(ledger.WhyRollback))
		return asked(h, Previous, busy('1', stack.UpdateComplete))
	}, code: exit.Refused, words: []string{"there is no release of production before"}},
	{name: "previous after one rollback", of: func() (*history, *facts) {
		h := three()
		h.hold('3')
		h.release('2', ledger.Live, why(ledger.WhyRollback))
		return asked(h, Previous, busy('2', stack.UpdateComplete))
	}, to: '1', step: stepUpdate},
	{name: "previous again by the same pipeline", of: func() (*history, *facts) {
		h := three()
		h.hold('3')
		h.release('2', ledger.Live, why(ledger.WhyRollback), func(r *ledger.Record) { r.By.Pipeline = "https://here/7" })
		return asked(h, Previous, busy('2', stack.UpdateComplete), func(f *facts) { f.pipeline = "https://here/7" })
	}, to: '2', step: stepNone},
	{name: "previous while another one has just done it", of: func() (*history, *facts) {
		h := three()
		h.hold('3')
		start := h.at
		h.release('2', ledger.Live, why(ledger.WhyRollback))
		return asked(h, Previous, busy('2', stack.UpdateComplete), func(f *facts) { f.began = start })
	}, to: '2', step: stepNone},
	{name: "previous goes on with a rollback that has no end", of: func() (*history, *facts) {
		h := three()
		h.begin('1', why(ledger.WhyRollback))
		return asked(h, Previous)
	}, to: '1', step: stepUpdate},
	{name: "previous of what the ledger does not know to be live yet", of: func() (*history, *facts) {
		h := three()
		h.begin('4')
		return asked(h, Previous, busy('4', stack.UpdateCompleteCleanup))
	}, to: '3', step: stepWait},
	{name: "previous of what a killed run has brought", of: func() (*history, *facts) {
		h := three()
		h.begin('4')
		return asked(h, Previous, busy('4', stack.UpdateComplete))
	}, to: '3', step: stepUpdate},
	{name: "previous, and image gone", of: func() (*history, *facts) { h := three(); h.images["ami-2"] = nil; return asked(h, Previous) }, code: exit.Refused,
		words: []string{"image ami-2 of commit 222222222222 is gone", "COMMIT: '111111111111'"}},
	{name: "deploy in progress, target is what it returns to", of: func() (*history, *facts) {
		h := three()
		h.begin('4')
		return asked(h, commit('3'), busy('4', stack.UpdateInProgress))
	}, to: '3', step: stepCancel},
	{name: "deploy in progress, previous", of: func() (*history, *facts) {
		h := three()
		h.begin('4')
		return asked(h, Previous, busy('4', stack.UpdateInProgress))
	}, to: '3', step: stepCancel},
	{name: "deploy in progress, target is not what it returns to", of: func() (*history, *facts) {
		h := three()
		h.begin('4')
		return asked(h, commit('1'), busy('4', stack.UpdateInProgress))
	}, to: '1', step: stepCancel},
	{name: "deploy in progress, of the target", of: func() (*history, *facts) {
		h := three()
		h.begin('1')
		return asked(h, commit('1'), busy('1', stack.UpdateInProgress))
	}, to: '1', step: stepFollow},
	{name: "deploy in progress, not to be interrupted", of: func() (*history, *facts) {
		h := three()
		h.begin('4')
		return asked(h, commit('3'), busy('4', stack.UpdateInProgress), func(f *facts) { f.s.Interrupt = false })
	}, code: exit.Refused, words: []string{"a release of commit 444444444444 is in progress", "INTERRUPT: 'true'"}},
	{name: "deploy in its clean-up", of: func() (*history, *facts) {
		h := three()
		h.begin('4')
		return asked(h, commit('3'), busy('4', stack.UpdateCompleteCleanup))
	}, to: '3', step: stepWait},
	{name: "release is being taken back, target is what it returns to", of: func() (*history, *facts) {
		h := three()
		h.begin('4')
		return asked(h, Previous, busy('4', stack.UpdateRollbackInProgress))
	}, to: '3', step: stepWait},
	{name: "another rollback is in progress", of: func() (*history, *facts) {
		h := three()
		h.begin('2', why(ledger.WhyRollback))
		return asked(h, commit('1'), busy('2', stack.UpdateInProgress))
	}, to: '1', step: stepWait},
	{name: "the same rollback is in progress", of: func() (*history, *facts) {
		h := three()
		h.begin('2', why(ledger.WhyRollback))
		return asked(h, Previous, busy('2', stack.UpdateInProgress))
	}, to: '2', step: stepFollow},
	{name: "a rollback of CloudFormation has failed", of: func() (*history, *facts) { return asked(three(), commit('2'), busy('3', stack.UpdateRollbackFailed)) }, to: '2', step: stepMend},
	{name: "rollback switched off", of: func() (*history, *facts) { return asked(three(), commit('2'), busy('3', stack.UpdateFailed)) }, code: exit.Unable,
		words: []string{"aws cloudformation rollback-stack --stack-name shop-production"}},
	{name: "no servers", of: func() (*history, *facts) { return asked(three(), commit('2'), func(f *facts) { f.servers = nil }) }, code: exit.Refused,
		words: []string{"has no servers", "fearless/deploy-env"}},
	{name: "first create failed", of: func() (*history, *facts) { return asked(three(), commit('2'), busy('3', stack.RollbackComplete)) }, code: exit.Refused,
		words: []string{"stack shop-production is ROLLBACK_COMPLETE"}},
	{name: "schema incompatible after the target", of: func() (*history, *facts) {
		h := newHistory("production")
		h.release('1', ledger.Live)
		h.release('3', ledger.Live, migrating("9f2c41d07be3", "no"))
		return asked(h, commit('1'))
	}, code: exit.Refused, words: []string{"cannot run with the schema that commit 333333333333", "ACCEPT_SCHEMA: '9f2c41d07be3'"}},
	{name: "schema incompatible, of a release that failed", of: func() (*history, *facts) {
		h := newHistory("production")
		h.release('1', ledger.Live)
		h.release('3', ledger.Live)
		h.release('4', ledger.RolledBack, migrating("9f2c41d07be3", "no"))
		return asked(h, commit('1'))
	}, code: exit.Refused, words: []string{"commit 444444444444", "ACCEPT_SCHEMA: '9f2c41d07be3'"}},
	{name: "schema incompatible, accepted", of: func() (*history, *facts) {
		h := newHistory("production")
		h.release('1', ledger.Live)
		h.release('3', ledger.Live, migrating("9f2c41d07be3", "no"))
		return asked(h, commit('1'), func(f *facts) { f.s.AcceptSchema = []string{"9F2C41D07BE3"} })
	}, to: '1', step: stepUpdate},
	{name: "schema incompatible, another accepted", of: func() (*history, *facts) {
		h := newHistory("production")
		h.release('1', ledger.Live)
		h.release('2', ledger.Live, migrating("aaaaaaaaaaaa", "no"))
		h.release('3', ledger.Live, migrating(ledger.Unknown, "no"))
		return asked(h, commit('1'), func(f *facts) { f.s.AcceptSchema = []string{"aaaaaaaaaaaa"} })
	}, code: exit.Refused, words: []string{"commit 333333333333", "ACCEPT_SCHEMA: '" + commit('3') + ",aaaaaaaaaaaa'"}},
	{name: "schema incompatible before the target", of: func() (*history, *facts) {
		h := newHistory("production")
		h.release('1', ledger.Live)
		h.release('2', ledger.Live, migrating("9f2c41d07be3", "no"))
		h.release('3', ledger.Live)
		return asked(h, commit('2'))
	}, to: '2', step: stepUpdate},
	{name: "schema incompatible, and back to what it was", of: func() (*history, *facts) {
		h := newHistory("production")
		h.release('1', ledger.Live, withSchema("aaaaaaaaaaaa"))
		h.release('2', ledger.Live, migrating("9f2c41d07be3", "no"))
		h.release('3', ledger.Live, migrating("aaaaaaaaaaaa", "yes"))
		return asked(h, commit('1'))
	}, to: '1', step: stepUpdate},
	{name: "schema unknown", of: func() (*history, *facts) {
		h := newHistory("production")
		h.release('1', ledger.Live)
		h.release('3', ledger.Live, migrating(ledger.Unknown, ledger.Unknown))
		return asked(h, commit('1'))
	}, to: '1', step: stepUpdate},
	{name: "old image without a role that the template has", of: func() (*history, *facts) {
		h := three()
		h.images["ami-1"].Tags[image.TagProcesses] = "release web"
		return asked(h, commit('1'))
	}, code: exit.Refused, words: []string{"role worker runs the process type worker, which the Procfile of commit 111111111111 does not have (it has release, web)", "COMMIT: '222222222222'"}},
	{name: "a list of process types that was cut off", of: func() (*history, *facts) {
		h := three()
		h.images["ami-1"].Tags[image.TagProcesses] = strings.Repeat("x", image.LongestTag)
		return asked(h, commit('1'))
	}, to: '1', step: stepUpdate},
	{name: "contract", of: func() (*history, *facts) {
		return asked(three(), commit('1'), func(f *facts) { f.roles[0].Contract = 2 })
	}, code: exit.Refused, words: []string{"role web is told things by contract 2, and the boot agent of image ami-1 speaks contract 1"}},
	{name: "contract not said", of: func() (*history, *facts) {
		h := three()
		delete(h.images["ami-1"].Tags, image.TagContract)
		return asked(h, commit('1'))
	}, code: exit.Refused, words: []string{"does not say which contract"}},
	{name: "health path", of: func() (*history, *facts) {
		h := newHistory("production")
		h.release('1', ledger.Live, func(r *ledger.Record) { r.Health = map[string]string{"web": "/alive"} })
		h.release('3', ledger.Live)
		return asked(h, commit('1'))
	}, code: exit.Refused, words: []string{"asks servers of role web at /health now, and commit 111111111111 was live with /alive", "ACCEPT_HEALTH: '/health'"}},
	{name: "health path, accepted", of: func() (*history, *facts) {
		h := newHistory("production")
		h.release('1', ledger.Live, func(r *ledger.Record) { r.Health = map[string]string{"web": "/alive"} })
		h.release('3', ledger.Live)
		return asked(h, commit('1'), func(f *facts) { f.s.AcceptHealth = []string{"/health"} })
	}, to: '1', step: stepUpdate},
}

func TestRulings(t *testing.T) {
	t.Parallel()
	for _, r := range rulings {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			h, f := r.of()
			chosen, next, err := h.decide(f)
			if exit.CodeOf(err) != r.code {
				t.Fatalf("%d (%v), want %d", exit.CodeOf(err), err, r.code)
			}
			if err != nil {
				text := err.Error() + "\n" + strings.Join(exit.HintsOf(err), "\n")
				for _, w := range r.words {
					if !strings.Contains(text, w) {
						t.Errorf("%q is not in:\n%s", w, text)
					}
				}
				return
			}
			if chosen.commit != commit(r.to) || next != r.step {
				t.Errorf("%s of commit %.4s, want %s of %.4s", next, chosen.commit, r.step, commit(r.to))
			}
		})
	}
}
