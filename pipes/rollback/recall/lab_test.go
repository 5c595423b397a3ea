package recall_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/pipes/deploy-env/rollout"
	"bitbucket.org/fearless/pipes/pipes/rollback/recall"
	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/ledger"
	cfn "bitbucket.org/fearless/pipes/shared/localcloud/cloudformation"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

const (
	production = "production"
	servers    = "shop-production"
)

// file is the environment of these stories.
const file = `
network:
  create: {cidr: 10.20.0.0/16}
balancer:
  create: {hosts: [shop.example.com]}
soak: 2m
roles:
  web: {instance: t3.small, min: 2, max: 4, http: {health: /health}}
  worker: {instance: t3.small}
  scheduler: {instance: t3.small, exactly: 1}
`

// place is an account with an environment in it.
type place struct{ *lab.Lab }

// commit is the full hash that a digit stands for; servers of b fail.
func commit(digit byte) string { return strings.Repeat(string(digit), 40) }

func newPlace(t *testing.T, at lab.Tempo, commits string) *place {
	t.Helper()
	p := &place{lab.New(t, at)}
	p.File(production, file)
	p.File("staging", strings.ReplaceAll(file, "shop.", "staging."))
	p.Sick = func(u contract.UserData) string {
		if u.Commit == commit('b') && u.Role == "web" {
			return "web: /health answers 500: database is missing"
		}
		return ""
	}
	for _, c := range []byte(commits) {
		p.Bake(commit(c))
	}
	return p
}

// deploy brings a commit to production, or to what the variables say.
func (p *place) deploy(c byte, plan fault.Plan, variables ...string) lab.Outcome {
	variables = append([]string{"ENVIRONMENT=" + production, "COMMIT=" + commit(c)}, variables...)
	return p.Run(pipe.Pipe[rollout.Settings]{Name: rollout.Name, Run: rollout.Run}.Main, nil, plan, variables...)
}

// live brings commits to production, one after the other.
func (p *place) live(commits string) {
	p.T.Helper()
	for _, c := range []byte(commits) {
		p.deploy(c, nil).Expect(p.T, exit.Passed)
	}
}

// rollback runs the pipe.
func (p *place) rollback(ask string, plan fault.Plan, variables ...string) lab.Outcome {
	o := p.Run(pipe.Pipe[recall.Settings]{Name: recall.Name, Run: recall.Run}.Main, nil, plan, append([]string{"COMMIT=" + ask}, variables...)...)
	return o.Within(p.T, roleOfRun(variables))
}

// story plays in production, in which some commits were live one after the other.
func story(t *testing.T, commits string, play func(*testing.T, *place)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, lab.Quick, "1234b")
		p.live(commits)
		play(t, p)
	})
}

func (p *place) checkRunning(c byte) {
	p.T.Helper()
	if diff := cmp.Diff([]string{lab.Name(commit(c)) + " 4"}, p.Running()); diff != "" {
		p.T.Errorf("running (-want +got):\n%s", diff)
	}
	if says := ledger.Running(p.Records(production)); says == nil || says.Start.Commit != commit(c) {
		p.T.Errorf("the ledger says that %v runs: %v", says, p.Tale(production))
	}
}

func (p *place) checkTale(want ...string) {
	p.T.Helper()
	if diff := cmp.Diff(want, p.Tale(production)); diff != "" {
		p.T.Errorf("the ledger (-want +got):\n%s", diff)
	}
}

// begin starts a deploy beside the story, and waits until it has come to a moment.
func (p *place) begin(c byte, moment func() bool, variables ...string) (end func() lab.Outcome) {
	p.T.Helper()
	done := make(chan lab.Outcome, 1)
	go func() { done <- p.deploy(c, nil, variables...) }()
	p.When("the deploy has come so far", moment)
	return func() lab.Outcome { return <-done }
}

// booting is while new servers start, soaking while old and new ones both answer, cleaning
// while the old ones go.
func (p *place) booting() bool { return p.Stack(servers).Status == "UPDATE_IN_PROGRESS" }

func (p *place) soaking() bool {
	if !p.booting() {
		return false
	}
	events := p.Cloud.StackEvents(servers)
	return slices.ContainsFunc(events[max(0, len(events)-2):], func(e cfn.Event) bool { return e.Logical == "SchedulerGroup" && e.Status == "UPDATE_COMPLETE" })
}

func (p *place) cleaning() bool {
	return p.Stack(servers).Status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
}

// ids are the running servers of a commit's image.
func (p *place) ids(c byte) []string {
	var ids []string
	for _, img := range p.Cloud.Images() {
		for _, i := range p.Cloud.Instances() {
			if img.Name == lab.Name(commit(c)) && i.Image == img.ID && i.State == "running" {
				ids = append(ids, i.ID)
			}
		}
	}
	return ids
}

func (p *place) roleOf(id string) string {
	for _, i := range p.Cloud.Instances() {
		if i.ID == id {
			return i.Tags["fearless:role"]
		}
	}
	return ""
}

func contains(all []string, one string) bool { return slices.Contains(all, one) }

// ail makes all new servers of a role fail, whatever their image; of none: "".
func (p *place) ail(role string) {
	p.Sick = func(u contract.UserData) string {
		if role != "" && u.Role == role {
			return role + " is out of order"
		}
		return ""
	}
}

func (p *place) same(want, got []string) {
	p.T.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		p.T.Errorf("(-want +got):\n%s", diff)
	}
}

// Roles of account.yml.
const (
	rollbackRole = "fearless-" + lab.Application + "-rollback"
	planRole     = "fearless-" + lab.Application + "-plan"
)

// roleOfRun is the role that a run takes by default.
func roleOfRun(variables []string) string {
	if slices.Contains(variables, "ACTION=plan") {
		return planRole
	}
	return rollbackRole
}
