package recall_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// truth is one row: what happened before, what is asked for, and what comes of it. Commits
// 1, 2 and 3 were live in production, one after the other. Deploys in progress and two
// rollbacks at once have stories of their own.
type truth struct {
	name      string
	before    func(p *place)
	ask       string
	plan      func() fault.Plan
	variables []string
	code      exit.Code
	words     []string
	runs      byte // in the end
}

var truths = []truth{
	{name: "proven", ask: commit('1'), words: []string{"of commit 111111111111 again"}, runs: '1'},
	{name: "deploy failed", before: func(p *place) { p.deploy('b', nil).Expect(p.T, exit.Refused) }, ask: commit('b'), code: exit.Refused,
		words: []string{"commit bbbbbbbbbbbb never came to life in production", "database is missing", "COMMIT: '222222222222'"}, runs: '3'},
	{name: "only in staging", before: func(p *place) { p.deploy('4', nil, "ENVIRONMENT=staging").Expect(p.T, exit.Passed) }, ask: commit('4'), code: exit.Refused,
		words: []string{"commit 444444444444 was never live in production", "it was in staging; if that is proof enough: PROVEN_IN: 'staging'", "COMMIT: '222222222222'"}},
	{name: "only in staging, and said to be enough", before: func(p *place) { p.deploy('4', nil, "ENVIRONMENT=staging").Expect(p.T, exit.Passed) }, ask: commit('4'),
		variables: []string{"PROVEN_IN=staging"}, words: []string{"live in staging since", "commit 444444444444 was never live in production", "production runs image", "of commit 444444444444 again"}},
	{name: "live, unproven", before: func(p *place) {
		p.deploy('4', fault.On("cloudformation:ExecuteChangeSet", 1, fault.KilledAfter))
		p.Until(servers, "UPDATE_COMPLETE")
		p.live("3")
	}, ask: commit('4'), code: exit.Refused, words: []string{"nobody saw it come through: it is live, unproven"}, runs: '3'},
	{name: "image gone", before: func(p *place) { p.deregister('1') }, ask: commit('1'), code: exit.Refused,
		words: []string{"of commit 111111111111 is gone", "fearless/ami-bake", "COMMIT: '222222222222'"}, runs: '3'},
	{name: "image not the recorded one", before: func(p *place) { p.tag('1', image.TagInputs, "others") }, ask: commit('1'), code: exit.Refused,
		words: []string{"is not the one that was live with commit 111111111111: inputs others, recorded inputs-of-111111111111"}, runs: '3'},
	{name: "schema incompatible after the target", before: func(p *place) { p.schema('4', "no") }, ask: commit('3'), code: exit.Refused,
		words: []string{"cannot run with the schema that commit 444444444444", "ACCEPT_SCHEMA: 'schema-of-4444'"}, runs: '4'},
	{name: "schema incompatible, accepted", before: func(p *place) { p.schema('4', "no") }, ask: commit('3'), variables: []string{"ACCEPT_SCHEMA=schema-of-4444"},
		words: []string{"recorded as incompatible, and accepted by ACCEPT_SCHEMA"}, runs: '3'},
	{name: "schema unknown", ask: commit('2'), words: []string{"whether commit 222222222222 can run with that of today is not known"}, runs: '2'},
	{name: "short hash", ask: "2222222", words: []string{"of commit 222222222222 again"}, runs: '2'},
	{name: "ambiguous short hash", before: func(p *place) { p.start("1111111" + strings.Repeat("0", 33)) }, ask: "1111111", code: exit.Refused,
		words: []string{`"1111111" is short for 2 commits of the ledger`, "COMMIT: '" + commit('1') + "'"}, runs: '3'},
	{name: "unknown hash", ask: commit('9'), code: exit.Refused, words: []string{"commit 999999999999 was never live in production", "COMMIT: '111111111111'"}, runs: '3'},
	{name: "unknown short hash", ask: "9999999", code: exit.Refused, words: []string{"no release of production was of a commit that begins with 9999999"}, runs: '3'},
	{name: "without a clone", before: func(p *place) { p.Clone = p.T.TempDir() }, ask: commit('2'), words: []string{"of commit 222222222222 again"}, runs: '2'},
	{name: "rebased commit", before: func(p *place) { p.rebase('1', '7') }, ask: commit('7'), code: exit.Refused,
		words: []string{"commit 777777777777 was never live", "its image is that of commit 111111111111, which was: COMMIT: '" + commit('1') + "'"}, runs: '3'},
	{name: "already live", ask: commit('3'), words: []string{"runs commit 333333333333 already: nothing is done"}, runs: '3'},
	{name: "ledger unreachable", ask: commit('2'), plan: func() fault.Plan { return fault.On("s3:ListObjectsV2", 1, fault.Error(403, "AccessDenied")) }, code: exit.Unable,
		words: []string{"cannot be read, and without it nothing is certain", "nothing was changed"}, runs: '3'},
	{name: "ledger of the other environment unreachable", ask: commit('2'), variables: []string{"PROVEN_IN=staging"},
		plan: func() fault.Plan { return nth("s3:ListObjectsV2", 3, fault.Error(403, "AccessDenied")) }, code: exit.Unable,
		words: []string{"/staging/ cannot be read"}, runs: '3'},
	{name: "ledger that cannot be written", ask: commit('2'), plan: func() fault.Plan { return fault.On("s3:PutObject", 1, fault.Error(403, "AccessDenied")) }, code: exit.Unable,
		words: []string{"cannot be written", "nothing was changed"}, runs: '3'},
	{name: "a hold that cannot be written", ask: commit('2'), plan: func() fault.Plan { return nth("s3:PutObject", 2, fault.Error(403, "AccessDenied")) }, code: exit.Unable,
		words: []string{"commit 333333333333 cannot be held", "nothing was changed"}, runs: '3'},
	{name: "held", before: func(p *place) { p.hold('2') }, ask: commit('2'), code: exit.Refused,
		words: []string{"commit 222222222222 is held in production", "orders were lost", "ACTION: 'lift-hold', COMMIT: '" + commit('2')}, runs: '3'},
	{name: "previous, and that is held", before: func(p *place) { p.hold('2') }, ask: "previous", words: []string{"of commit 111111111111 again"}, runs: '1'},
	{name: "previous after two rollbacks", before: func(p *place) {
		p.rollback("previous", nil).Expect(p.T, exit.Passed)
		p.rollback("previous", nil).Expect(p.T, exit.Passed)
	}, ask: "previous", code: exit.Refused, words: []string{"there is no release of production before the one that is live", "no other commit that was live in production would be accepted"}, runs: '1'},
	{name: "old image without a role that the template has", before: func(p *place) {
		p.File(production, file+"  mailer: {instance: t3.small}\n")
		p.Bake(commit('5'), "release", "web", "worker", "scheduler", "mailer")
		p.live("5")
	}, ask: commit('3'), code: exit.Refused, words: []string{"role mailer runs the process type mailer, which the Procfile of commit 333333333333 does not have"}},
	{name: "another health path", before: func(p *place) {
		p.File(production, strings.Replace(file, "/health", "/ready", 1))
		p.deploy('4', nil, "ALLOW_INTERRUPT=WebTargets").Expect(p.T, exit.Passed)
	}, ask: commit('3'), code: exit.Refused, words: []string{"asks servers of role web at /ready now, and commit 333333333333 was live with /health", "ACCEPT_HEALTH: '/ready'"}, runs: '4'},
	{name: "no servers", before: func(p *place) {
		p.File(production, "protected: false\n"+file)
		p.deploy('3', nil, "ACTION=destroy").Expect(p.T, exit.Unable, "deletion protection") // of the base; the servers are gone
	}, ask: commit('2'), code: exit.Refused,
		words: []string{"production of shop has no servers"}},
}

// TestTruths plays each row. What is refused changes nothing, and asks for nothing that could.
func TestTruths(t *testing.T) {
	for _, row := range truths {
		t.Run(row.name, func(t *testing.T) {
			story(t, "123", func(t *testing.T, p *place) { row.play(t, p) })
		})
	}
}

func (row truth) play(t *testing.T, p *place) {
	if row.before != nil {
		row.before(p)
	}
	before := p.State()
	var plan fault.Plan
	if row.plan != nil {
		plan = row.plan()
	}
	o := p.rollback(row.ask, plan, row.variables...).Expect(t, row.code, row.words...)
	if row.runs != 0 {
		p.checkRunning(row.runs)
	}
	if row.code == exit.Passed {
		return
	}
	p.same(before, p.State())
	for _, c := range o.Calls {
		if row.code == exit.Refused && writes(c) {
			t.Errorf("a refused run calls %s:%s", c.Service, c.Action)
		}
	}
}

// nth puts a fault on the n-th call of an action.
func nth(action string, n int, f fault.Fault) fault.Plan {
	return func(c fault.Call) fault.Fault {
		if c.Is(action) {
			if n--; n == 0 {
				return f
			}
		}
		return fault.None
	}
}

// writes tells whether a call may change something.
func writes(c fault.Call) bool {
	return !slices.ContainsFunc([]string{"Describe", "List", "Get"}, func(verb string) bool { return strings.HasPrefix(c.Action, verb) })
}

func (p *place) imageOf(c byte) string {
	p.T.Helper()
	for _, img := range p.Cloud.Images() {
		if img.Name == "shop-"+commit(c)[:12] {
			return img.ID
		}
	}
	p.T.Fatalf("there is no image of %c", c)
	return ""
}

func (p *place) deregister(c byte) {
	id := p.imageOf(c)
	if _, err := p.Reach().EC2.DeregisterImage(p.T.Context(), &ec2.DeregisterImageInput{ImageId: &id}); err != nil {
		p.T.Fatal(err)
	}
}

func (p *place) tag(c byte, key, value string) {
	if _, err := p.Reach().EC2.CreateTags(p.T.Context(), &ec2.CreateTagsInput{
		Resources: []string{p.imageOf(c)}, Tags: []types.Tag{{Key: &key, Value: &value}},
	}); err != nil {
		p.T.Fatal(err)
	}
}

// schema lets a release come to life that has run migrations, as a deploy of a pipeline
// with a check of them says it.
func (p *place) schema(c byte, compatible string) {
	p.live(string(c))
	all := ledger.Releases(p.Records(production))
	r := all[0].Start
	r.Migrated, r.Schema = true, ledger.Schema{Fingerprint: "schema-of-" + commit(c)[:4], Compatible: compatible}
	book := p.Ledger(production)
	if _, err := book.All(p.T.Context(), r.Time); err != nil { // so that it comes after what is there
		p.T.Fatal(err)
	}
	start, err := book.Start(p.T.Context(), r)
	if err != nil {
		p.T.Fatal(err)
	}
	if _, err := book.End(p.T.Context(), start, ledger.Record{Outcome: ledger.Live}); err != nil {
		p.T.Fatal(err)
	}
}

// start writes the start of a release of a commit, and that it failed.
func (p *place) start(hash string) {
	book := p.Ledger(production)
	start, err := book.Start(p.T.Context(), ledger.Record{Commit: hash, Why: ledger.WhyDeploy})
	if err != nil {
		p.T.Fatal(err)
	}
	if _, err := book.End(p.T.Context(), start, ledger.Record{Outcome: ledger.Failed}); err != nil {
		p.T.Fatal(err)
	}
}

func (p *place) hold(c byte) {
	_, err := p.Ledger(production).Hold(p.T.Context(), ledger.Record{Commit: commit(c), Reason: "orders were lost", By: ledger.By{Who: "{bob}"}})
	if err != nil {
		p.T.Fatal(err)
	}
}

// rebase makes the image of a commit answer for another one, as ami-bake does for the same
// inputs.
func (p *place) rebase(from, to byte) {
	p.T.Helper()
	ctx, index := p.T.Context(), image.Index{API: p.Reach().S3, Bucket: p.Cloud.Bucket()}
	r, err := index.OfCommit(ctx, "shop", commit(from))
	if err != nil || r == nil {
		p.T.Fatalf("%v %v", r, err)
	}
	r.Commit = commit(to)
	if err := index.WriteCommit(ctx, *r); err != nil {
		p.T.Fatal(err)
	}
}

// A record that is damaged, or of a newer program, refuses everything.
func TestLedgerThatCannotBeUnderstood(t *testing.T) {
	story(t, "12", func(t *testing.T, p *place) {
		for name, content := range map[string]string{"00000000": `{"version": 2}`, "00000001": `{`} {
			key := "ledger/shop/production/20991231T000000.000Z-" + name + ".json"
			if _, err := p.Reach().S3.PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: aws.String(p.Cloud.Bucket()), Key: &key, Body: strings.NewReader(content), IfNoneMatch: aws.String("*"),
			}); err != nil {
				t.Fatal(err)
			}
			p.rollback("previous", nil).Expect(t, exit.Unable, "cannot be read, and without it nothing is certain", "nothing was changed")
			p.rollback("previous", nil, "ACTION=plan").Expect(t, exit.Unable, "without it nothing is certain")
			if _, err := p.Reach().S3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(p.Cloud.Bucket()), Key: &key}); err != nil {
				t.Fatal(err)
			}
		}
		p.checkRunning('2')
	})
}
