package recall_test

import (
	"maps"
	"slices"
	"testing"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	cfn "bitbucket.org/fearless/pipes/shared/localcloud/cloudformation"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// asides are rights that no call is named after, or that this story does not come to need,
// by the reason.
var asides = map[string]string{
	"iam:PassRole":                          "AWS asks for it when a service role is handed over",
	"autoscaling:DescribeScalingActivities": "for launches that AWS refuses, as the stories of deploy-env do; else it depends on the moment of a look",
	"autoscaling:SetDesiredCapacity":        "for old groups that grow meanwhile, as the stories of deploy-env do",
}

// TestRoleFitsTheCalls: the role allows nothing that rollbacks, with what they have to clean
// up and to mend before, do not need. That it allows what is needed is checked in every story.
func TestRoleFitsTheCalls(t *testing.T) {
	story(t, "12", func(t *testing.T, p *place) {
		used := map[string]bool{}
		collect := func(o lab.Outcome) { maps.Copy(used, lab.Actions(o.Calls)) }
		p.Cloud.RefuseDelete("WorkerGroup", "not now", 1)
		p.deploy('3', nil).Expect(t, exit.Unable, "left over")
		collect(p.rollback("previous", nil, "HOLD=false").Expect(t, exit.Passed, "left old servers behind: removing"))

		collect(p.rollback(commit('1'), fault.On("s3:PutObject", 1, fault.Error(403, "AccessDenied"))).Expect(t, exit.Unable, "nothing was changed"))

		end := p.begin('4', p.soaking)
		collect(p.rollback(commit('1'), nil, "HOLD=false").Expect(t, exit.Passed, "Cancelling"))
		end()
		collect(p.rollback(commit('9'), nil).Expect(t, exit.Refused, "never live"))
		p.ail("web")
		collect(p.rollback(commit('1'), fault.On("cloudformation:CreateChangeSet", 1, fault.Error(403, "AccessDenied"))).Expect(t, exit.Passed, "already"))
		p.ail("")

		p.stuck()
		collect(p.rollback(commit('1'), nil).Expect(t, exit.Passed, "continuing it"))
		p.hold('4')
		collect(p.rollback("4444444", nil, "ACTION=lift-hold", "REASON=mended").Expect(t, exit.Passed))
		lab.CheckNeeded(t, rollbackRole, used, asides)
	})
}

// stuck leads to a failed release whose rollback fails too.
func (p *place) stuck() {
	p.T.Helper()
	p.Bake(commit('6'))
	p.ail("web")
	before := len(p.Cloud.StackEvents(servers))
	done := make(chan lab.Outcome, 1)
	go func() { done <- p.deploy('6', nil) }()
	p.When("the template is new", func() bool { // the next change of it is the way back
		return slices.ContainsFunc(p.Cloud.StackEvents(servers)[before:], func(e cfn.Event) bool { return e.Logical == "WebTemplate" && e.Status == "UPDATE_COMPLETE" })
	})
	p.Cloud.RefuseUpdate("WebTemplate", "not now", 1)
	o := <-done
	o.Expect(p.T, exit.Refused, "UPDATE_ROLLBACK_FAILED")
	p.ail("")
}

// Whatever state the stack is in, a rollback ends well or says what to do.
func TestStatesOfTheStack(t *testing.T) {
	for _, c := range []struct {
		state string
		make  func(p *place)
		code  exit.Code
		words []string
		runs  byte
	}{
		{state: "UPDATE_ROLLBACK_FAILED", make: (*place).stuck, words: []string{"continuing it", "of commit 111111111111 again"}, runs: '1'},
		{state: "UPDATE_ROLLBACK_COMPLETE", make: func(p *place) { p.deploy('b', nil) }, words: []string{"of commit 111111111111 again"}, runs: '1'},
		{state: "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", make: func(p *place) {
			p.deploy('b', fault.On("cloudformation:ExecuteChangeSet", 1, fault.KilledAfter))
			p.Until(servers, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
		}, words: []string{"waiting for that to end", "of commit 111111111111 again"}, runs: '1'},
		{state: "DELETE_FAILED", make: func(p *place) {
			p.File(production, "protected: false\n"+file)
			p.Cloud.RefuseDelete("WorkerGroup", "not now", 1)
			p.deploy('2', nil, "ACTION=destroy").Expect(p.T, exit.Unable)
		}, code: exit.Refused, words: []string{"stack shop-production is DELETE_FAILED: there are no servers that a rollback could replace", "fearless/deploy-env"}},
	} {
		t.Run(c.state, func(t *testing.T) {
			story(t, "12", func(t *testing.T, p *place) {
				c.make(p)
				if s := p.Stack(servers).Status; s != c.state {
					t.Errorf("the stack is %s", s)
				}
				p.rollback(commit('1'), nil).Expect(t, c.code, c.words...)
				if c.runs != 0 {
					p.checkRunning(c.runs)
				}
			})
		})
	}
}
