package rollout_test

import (
	"slices"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/pipes/deploy-env/rollout"
	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

const (
	application  = lab.Application
	baseStack    = "shop-staging-base"
	serversStack = "shop-staging"
)

// stagingFile is the environment of these stories.
const stagingFile = `
network:
  create: {cidr: 10.20.0.0/16}
balancer:
  create: {hosts: [staging.example.com]}
soak: 2m
roles:
  web: {instance: t3.small, min: 2, max: 4, http: {health: /health}}
  worker: {instance: t3.small}
  scheduler: {instance: t3.small, exactly: 1}
`

// Commits by what their servers do.
const (
	good1   = "1111111111111111111111111111111111111111"
	good2   = "2222222222222222222222222222222222222222"
	broken  = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	badMove = "cccccccccccccccccccccccccccccccccccccccc" // its release process fails
)

// place is an account with images, and a clone with an environment file.
type place struct {
	*lab.Lab

	sick string // the role whose servers fail, whatever their image
}

func newPlace(t *testing.T) *place {
	t.Helper()
	return newPlaceAt(t, lab.Usual)
}

func newPlaceAt(t *testing.T, at lab.Tempo) *place {
	t.Helper()
	return furnished(lab.New(t, at))
}

// furnished has the images of all commits, and staging's file.
func furnished(account *lab.Lab) *place {
	account.T.Helper()
	l := &place{Lab: account}
	l.Sick = func(u contract.UserData) string {
		if u.Commit == broken && u.Role == "web" || u.Commit == badMove && u.Release || u.Role == l.sick {
			return "web: /health answers 500: database is missing"
		}
		return ""
	}
	l.file(stagingFile)
	for _, commit := range []string{good1, good2, broken, badMove} {
		l.Bake(commit)
	}
	return l
}

// ail makes all new servers of a role fail; of none: "".
func (l *place) ail(role string) { l.sick = role }

// file writes staging's environment file into the clone.
func (l *place) file(text string) {
	l.T.Helper()
	l.File("staging", text)
}

// deploy runs the whole pipe for a commit.
func (l *place) deploy(commit string, plan fault.Plan, variables ...string) lab.Outcome {
	return l.deployUntil(nil, commit, plan, variables...)
}

func (l *place) deployUntil(interrupt <-chan struct{}, commit string, plan fault.Plan, variables ...string) lab.Outcome {
	o := l.Run(pipe.Pipe[rollout.Settings]{Name: rollout.Name, Run: rollout.Run}.Main, interrupt, plan,
		append([]string{"ENVIRONMENT=staging", "COMMIT=" + commit}, variables...)...)
	return o.Within(l.T, roleOf(variables))
}

// ids are the running servers of a commit's image.
func (l *place) ids(commit string) []string {
	var ids []string
	for _, img := range l.Cloud.Images() {
		if !strings.HasSuffix(img.Name, commit[:12]) {
			continue
		}
		for _, i := range l.Cloud.Instances() {
			if i.Image == img.ID && i.State == "running" {
				ids = append(ids, i.ID)
			}
		}
	}
	slices.Sort(ids)
	return ids
}
