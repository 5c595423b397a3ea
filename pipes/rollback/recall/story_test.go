package recall_test

import (
	"sync"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/ledger"
)

func TestRollbacks(t *testing.T) {
	story(t, "123", func(t *testing.T, p *place) {
		stop := p.Guard(servers)
		p.rollback("previous", nil, "REASON=orders are lost").Expect(t, exit.Passed, "previous is commit 222222222222: the last good release before the one that is live",
			"- commit 333333333333, live since", "Commit 333333333333 is held in production from now on", "Expected: ", "as the last deploys took without their soak",
			"web: 2 of 2 servers ready", "End check: all 2 members", "production runs image", "of commit 222222222222 again")
		p.checkRunning('2')
		p.checkTale("1111 live", "2222 live", "3333 live", "2222 live, rollback", "3333 held")

		p.deploy('3', nil).Expect(t, exit.Refused, "is commit 333333333333, which is held in production", "orders are lost")
		p.rollback("1111111", nil, "HOLD=false").Expect(t, exit.Passed, "as the last rollbacks took", "of commit 111111111111 again")
		p.checkRunning('1')
		p.rollback(commit('1'), nil).Expect(t, exit.Passed, "production runs commit 111111111111 already: nothing is done")
		stop()
		p.checkTale("1111 live", "2222 live", "3333 live", "2222 live, rollback", "1111 live, rollback", "3333 held")

		p.rollback(commit('3'), nil, "ACTION=lift-hold").Expect(t, exit.Invalid, "REASON")
		p.rollback("3333333", nil, "ACTION=lift-hold", "REASON=it was the network").Expect(t, exit.Passed, "Commit 333333333333 may be deployed to production again")
		p.rollback("3333333", nil, "ACTION=lift-hold", "REASON=it was the network").Expect(t, exit.Passed, "is held no more: nothing is done")
		p.rollback("2222222", nil, "ACTION=lift-hold", "REASON=?").Expect(t, exit.Refused, "commit 2222222 is not held in production", "no commit is")
		// That way is not back, so nothing is held.
		p.rollback(commit('3'), nil).Expect(t, exit.Passed, "of commit 333333333333 again")
		p.checkRunning('3')
		p.checkTale("1111 live", "2222 live", "3333 live", "2222 live, rollback", "1111 live, rollback", "3333 live, rollback")
	})
}

func TestWhatARollbackLeavesInTheLedger(t *testing.T) {
	story(t, "12", func(t *testing.T, p *place) {
		p.rollback("previous", nil, "REASON=slow", "BITBUCKET_BUILD_NUMBER=9", "BITBUCKET_REPO_FULL_NAME=acme/shop", "BITBUCKET_STEP_TRIGGERER_UUID={ann}").Expect(t, exit.Passed)
		all := ledger.Releases(p.Records(production))
		back, bad, good := all[0], all[1], all[2]
		s := back.Start
		if s.Why != ledger.WhyRollback || s.Reason != "slow" || s.By.Who != "{ann}" || s.By.Build != 9 || s.By.Program != "rollback unknown" || s.Migrated {
			t.Errorf("%+v", s)
		}
		if s.Image != good.Start.Image || s.Image.RootSnapshot == "" || s.Template != good.Start.Template || s.Settings != "none" || s.Previous != bad.Key() {
			t.Errorf("image %+v, template %s, settings %s, replaces %s", s.Image, s.Template, s.Settings, s.Previous)
		}
		if s.Roles["web"] != 2 || s.Health["web"] != "/health" {
			t.Errorf("roles %v, health %v", s.Roles, s.Health)
		}
		if took, known := back.End.Durations.Total.Get(); !known || took <= 0 {
			t.Errorf("it took %s", took)
		}
	})
}

func TestPlanChangesNothing(t *testing.T) {
	story(t, "12", func(t *testing.T, p *place) {
		before, records := p.State(), len(p.Records(production))
		p.rollback("previous", nil, "ACTION=plan").Expect(t, exit.Passed, "Rollback of production to commit 111111111111", "- commit 222222222222, live since",
			"Commit 222222222222 will be held", "the database: migrations that have run since are not taken back",
			"Schema: whether commit 111111111111 can run with that of today is not known: 1 release since ran migrations", "This is a plan: nothing was changed")
		p.rollback(commit('3'), nil, "ACTION=plan").Expect(t, exit.Refused, "was never live in production", "COMMIT: '111111111111'")
		end := p.begin('3', p.booting)
		p.rollback("previous", nil, "ACTION=plan").Expect(t, exit.Passed, "First the release of commit 333333333333, which is in progress, is cancelled")
		end().Expect(t, exit.Passed)
		p.live("2")
		p.checkRunning('2')
		p.same(before, p.State())
		if n := len(p.Records(production)); n <= records {
			t.Errorf("%d records", n)
		}
	})
}

// A release that is in progress is stopped, before its servers answer and in its soak. If
// it goes back to the target, that is the rollback.
func TestDeployInProgress(t *testing.T) {
	for name, moment := range map[string]func(*place) bool{"booting": (*place).booting, "soaking": (*place).soaking} {
		t.Run(name+", back to what was", func(t *testing.T) {
			story(t, "12", func(t *testing.T, p *place) {
				before := p.ids('2')
				end := p.begin('3', func() bool { return moment(p) })
				p.rollback("previous", nil).Expect(t, exit.Passed, "previous is commit 222222222222: it is what the release in progress was to replace",
					"Cancelling the update of stack shop-production", "of commit 222222222222 again")
				end().Expect(t, exit.Refused, "somebody cancelled the update")
				p.checkRunning('2')
				p.checkTale("1111 live", "2222 live", "3333 cancelled", "2222 live, rollback", "3333 held")
				after := p.ids('2')
				for _, id := range before { // but for the one scheduler, nothing was started anew
					if !contains(after, id) && p.roleOf(id) != "scheduler" {
						t.Errorf("server %s is gone", id)
					}
				}
			})
		})
		t.Run(name+", further back", func(t *testing.T) {
			story(t, "12", func(t *testing.T, p *place) {
				end := p.begin('3', func() bool { return moment(p) })
				p.rollback(commit('1'), nil).Expect(t, exit.Passed, "Cancelling", "of commit 111111111111 again")
				end().Expect(t, exit.Refused)
				p.checkRunning('1')
				p.checkTale("1111 live", "2222 live", "3333 cancelled", "1111 live, rollback", "3333 held", "2222 held")
			})
		})
		t.Run(name+", not to be interrupted", func(t *testing.T) {
			story(t, "12", func(t *testing.T, p *place) {
				end := p.begin('3', func() bool { return moment(p) })
				p.rollback("previous", nil, "INTERRUPT=false").Expect(t, exit.Refused, "a release of commit 333333333333 is in progress", "INTERRUPT: 'true'")
				end().Expect(t, exit.Passed)
				p.checkRunning('3')
			})
		})
		t.Run(name+", of the target", func(t *testing.T) {
			story(t, "12", func(t *testing.T, p *place) {
				end := p.begin('1', func() bool { return moment(p) })
				p.rollback(commit('1'), nil).Expect(t, exit.Passed, "following it", "of commit 111111111111 again")
				end().Expect(t, exit.Passed)
				p.checkRunning('1')
			})
		})
	}
}

func TestDeployInItsCleanUp(t *testing.T) {
	story(t, "12", func(t *testing.T, p *place) {
		end := p.begin('3', p.cleaning)
		p.rollback("previous", nil).Expect(t, exit.Passed, "previous is commit 222222222222", "of commit 222222222222 again")
		end().Expect(t, exit.Passed)
		p.checkRunning('2')
		p.checkTale("1111 live", "2222 live", "3333 live", "2222 live, rollback", "3333 held")
	})
}

// Two people press the button: one rollback, and not two steps back.
func TestTwoRollbacksAtOnce(t *testing.T) {
	for name, asks := range map[string][2]string{"previous": {"previous", "previous"}, "other": {commit('2'), commit('1')}} {
		t.Run(name, func(t *testing.T) {
			story(t, "123", func(t *testing.T, p *place) {
				var both sync.WaitGroup
				var first, second lab.Outcome
				both.Go(func() { first = p.rollback(asks[0], nil, "BITBUCKET_BUILD_NUMBER=41") })
				p.When("the first has begun", p.booting)
				both.Go(func() { second = p.rollback(asks[1], nil, "BITBUCKET_BUILD_NUMBER=42") })
				both.Wait()
				first.Expect(t, exit.Passed, "of commit 222222222222 again")
				if name == "previous" {
					second.Expect(t, exit.Passed, "the rollback to it began", "started by pipeline 41: following it")
					p.checkRunning('2')
				} else {
					second.Expect(t, exit.Passed, "started by pipeline 41): waiting for that to end", "of commit 111111111111 again")
					p.checkRunning('1')
				}
			})
		})
	}
}

// The two start at the same moment, or nearly so.
func TestTwoRollbacksAtTheSameTime(t *testing.T) {
	for _, later := range []time.Duration{0, 500 * time.Millisecond, time.Second, 2 * time.Second} {
		t.Run(later.String(), func(t *testing.T) {
			story(t, "123", func(t *testing.T, p *place) {
				var both sync.WaitGroup
				var first, second lab.Outcome
				both.Go(func() { first = p.rollback("previous", nil, "BITBUCKET_BUILD_NUMBER=41") })
				both.Go(func() {
					p.Sleep(later)
					second = p.rollback("previous", nil, "BITBUCKET_BUILD_NUMBER=42")
				})
				both.Wait()
				first.Expect(t, exit.Passed, "of commit 222222222222 again")
				second.Expect(t, exit.Passed, "of commit 222222222222 again")
				p.checkRunning('2')
				if open := ledger.Unsettled(p.Records(production)); len(open) > 0 {
					t.Errorf("open: %v", p.Tale(production))
				}
			})
		})
	}
}

// A target that does not come to life is taken back by CloudFormation; what was bad goes on.
func TestRollbackThatFails(t *testing.T) {
	story(t, "12", func(t *testing.T, p *place) {
		p.ail("web")
		p.rollback("previous", nil).Expect(t, exit.Refused, "the rollback of production to image", "of commit 111111111111 failed: server", "is out of order", "the release from before goes on")
		p.ail("")
		p.checkRunning('2')
		p.checkTale("1111 live", "2222 live", "1111 rolled back, rollback", "2222 held")
		p.rollback("previous", nil).Expect(t, exit.Passed)
		p.checkRunning('1')
	})
}
