package bake_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// old is what an image has to be before a sweep looks whether anything needs it. It is short,
// since groups of servers make time pass slowly.
const old = 2 * time.Hour

// sweep are the variables of the sweeps of these stories.
var sweep = []string{"ACTION=sweep", "KEEP=2", "BASE_MAX_AGE=1h"}

// sweeping adds some.
func sweeping(more ...string) []string { return slices.Concat(sweep, more) }

// past makes images of every kind there is: four releases of production, of which the last
// failed, one of staging, and what is needed for other reasons, or for none.
func (a *album) past() {
	a.T.Helper()
	for _, commit := range []string{"c1", "c2", "c3", "c4"} {
		outcome := ledger.Live
		if commit == "c4" {
			outcome = ledger.RolledBack
		}
		a.release("production", commit, a.add(commit), outcome)
	}
	a.release("staging", "c0", a.add("c0"), ledger.Live)
	a.terminate(a.launch(a.add("ended"))) // no reason to keep it
	a.launch(a.add("runs"))
	a.release("testing", "begun", a.add("begun"), "")
	a.add("unused")
	a.addTo("shop-two", "theirs")
	gone := a.add("gone") // but its snapshot is left
	if _, err := a.api.EC2.DeregisterImage(a.T.Context(), &ec2.DeregisterImageInput{ImageId: &gone}); err != nil {
		a.T.Fatal(err)
	}
	a.group(a.add("starts"))
	a.wait(old)
	a.add("young")
}

func (a *album) expectImages(what string, names ...string) {
	a.T.Helper()
	if diff := cmp.Diff(names, a.there()); diff != "" {
		a.T.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestSweepOfOldImages(t *testing.T) {
	story(t, quick, func(t *testing.T, l *place) {
		a := newAlbum(l)
		a.past()
		all := a.there()
		told := l.run(nil, sweeping("COMMIT=")...).Expect(t, exit.Passed,
			"Images of shop: 11, of which nothing needs 4",
			"shop-c1: nothing needs it", "shop-c2: it was live in production on ", "shop-c3: it was live in production", "shop-c4: nothing needs it",
			"shop-c0: it was live in staging", "shop-ended: nothing", "shop-runs: server i-", "shop-starts: a group starts servers from it, by version 1 of launch template lt-",
			"shop-begun: a release to testing began with it and has no end yet", "shop-young: it is younger than 1h",
			"and 1 snapshots of images that are gone", "CONFIRM: 'true' removes 4 images with 5 snapshots, 40.0 GiB (by the size of their disks")
		a.expectImages("without CONFIRM", all...)
		for _, call := range told.Calls {
			if call.Service+":"+call.Action == "ec2:DeregisterImage" {
				t.Error("without CONFIRM an image was deregistered")
			}
		}

		l.run(nil, sweeping("CONFIRM=true")...).Expect(t, exit.Passed, "Removed 4 images, 5 snapshots and 12 objects of the index: 40.0 GiB",
			"Left are 7 images; nothing needs 0 of them", "old images removed: 4 of 4; images kept: 7")
		a.expectImages("with CONFIRM", "c2", "c3", "c0", "runs", "begun", "two-theirs", "starts", "young")
		a.checkWhole("c1", "c2", "c3", "c4", "c0", "ended", "runs", "starts", "begun", "unused", "young")
		l.run(nil, sweeping("CONFIRM=true")...).Expect(t, exit.Passed, "All 7 images are needed")
	})
}

// Who cannot read everything removes nothing, neither images nor what dead runs have left.
func TestSweepRefuses(t *testing.T) {
	lay := func(a *album, key string) {
		if _, err := a.api.S3.PutObject(a.T.Context(), &s3.PutObjectInput{Bucket: aws.String(a.Cloud.Bucket()), Key: &key}); err != nil {
			a.T.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		spoil func(*album)
		plan  fault.Plan
		want  string
	}{
		"a damaged record": {func(a *album) { lay(a, "ledger/shop/staging/20990101T000000.000Z-00000000.json") }, nil, "it is damaged"},
		"something else":   {func(a *album) { lay(a, "ledger/shop/notes.txt") }, nil, "notes.txt does not belong into the ledger"},
		"a damaged index":  {func(a *album) { lay(a, "images/shop/c9.json") }, nil, "is damaged"},
		"groups":           {nil, fault.On("autoscaling:DescribeAutoScalingGroups", 1, fault.Error(403, "AccessDenied")), "the groups of servers cannot be looked up"},
		"launch templates": {nil, fault.On("ec2:DescribeLaunchTemplateVersions", 1, fault.Error(403, "UnauthorizedOperation")), "starts servers from cannot be looked up"},
		"servers":          {nil, fault.On("ec2:DescribeInstances", 1, fault.Error(403, "UnauthorizedOperation")), "which servers run old images"},
		"a bucket of somebody else's": {func(a *album) {
			for _, i := range a.Cloud.Images() {
				if i.Name == "shop-c1" {
					_, err := a.api.EC2.CreateTags(a.T.Context(), &ec2.CreateTagsInput{Resources: []string{i.ID}, Tags: []types.Tag{{Key: aws.String(image.TagDeployed + "live"), Value: aws.String("x")}}})
					if err != nil {
						a.T.Fatal(err)
					}
				}
			}
		}, nil, "knows nothing of live"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, quick, func(t *testing.T, l *place) {
				a := newAlbum(l)
				a.past()
				if c.spoil != nil {
					c.spoil(a)
				}
				l.run(fault.On("ec2:CreateImage", 1, fault.KilledBefore), "COMMIT="+sample(t).changed) // a dead run
				a.wait(old)
				before := l.Cloud.Leftovers()
				l.run(c.plan, sweeping("CONFIRM=true")...).Expect(t, exit.Unable, c.want)
				if diff := cmp.Diff(before, l.Cloud.Leftovers()); diff != "" {
					t.Errorf("the sweep has changed something (-before +after):\n%s", diff)
				}
			})
		})
	}
	bad := newBadSweep(t)
	bad.Expect(t, exit.Invalid, "KEEP", "1 is less than 2")
}

func newBadSweep(t *testing.T) (o lab.Outcome) {
	t.Helper()
	sample(t)
	synctest.Test(t, func(t *testing.T) { o = newPlace(t, quick).run(nil, "ACTION=sweep", "KEEP=1") })
	return o
}

// A sweep that is killed at any call leaves nothing that the next one does not remove, and
// takes nothing that is needed.
func TestSweepOfImagesIsKilled(t *testing.T) {
	sample(t)
	calls := 0
	run := func(t *testing.T, n int) {
		synctest.Test(t, func(t *testing.T) {
			a := newAlbum(newPlace(t, quick))
			for _, commit := range []string{"c1", "c2", "c3"} {
				a.release("production", commit, a.add(commit), ledger.Live)
			}
			a.add("unused")
			a.wait(old)
			first := a.run(fault.At(n, fault.KilledAfter), sweeping("CONFIRM=true")...)
			calls = max(calls, len(first.Calls))
			a.run(nil, sweeping("CONFIRM=true")...).Expect(t, exit.Passed, "images kept: 2")
			a.expectImages("in the end", "c2", "c3")
			a.checkWhole("c1", "c2", "c3", "unused")
		})
	}
	run(t, 0)
	for n := 1; n <= calls; n++ {
		t.Run(fmt.Sprintf("at %d", n), func(t *testing.T) { run(t, n) })
	}
}

// In any past: no sweep removes an image of the last releases that came through, in any
// environment, nor of one that is under way, nor the one to go back to; so after a sweep one
// can go back KEEP - 1 times.
func TestSweepInAnyPast(t *testing.T) {
	sample(t)
	removed := make([]int, 16)
	t.Run("pasts", func(t *testing.T) {
		for seed := range removed {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p := &played{album: newAlbum(newPlace(t, quick)), random: rand.New(rand.NewPCG(uint64(seed), 3)), ids: map[string]string{}, keep: 2 + seed%3, backs: map[string]int{}}
					for range 40 {
						p.step()
					}
					removed[seed] = len(p.made) - len(p.there())
				})
			})
		}
	})
	total := 0
	for _, n := range removed {
		total += n
	}
	if total < len(removed) {
		t.Errorf("%d pasts were swept, and only %d images removed", len(removed), total)
	}
	t.Logf("%d images removed", total)
}

// played is an album with a random past.
type played struct {
	*album
	random *rand.Rand
	keep   int
	backs  map[string]int    // rollbacks since the last sweep, by environment
	made   []string          // commits
	ids    map[string]string // of their images
}

func (p *played) step() {
	p.T.Helper()
	environment := []string{"production", "staging"}[p.random.IntN(2)]
	switch what := p.random.IntN(14); {
	case what < 3 || len(p.made) == 0:
		commit := fmt.Sprintf("c%02d", len(p.made))
		p.made, p.ids[commit] = append(p.made, commit), p.add(commit)
	case what < 9: // of an image that is there
		there := p.there()
		commit := there[p.random.IntN(len(there))]
		outcome := []ledger.Outcome{ledger.Live, ledger.Live, ledger.Live, ledger.LiveUnproven, ledger.RolledBack, ""}[p.random.IntN(6)]
		p.release(environment, commit, p.ids[commit], outcome)
	case what < 10:
		p.wait(time.Duration(p.random.IntN(10)) * 24 * time.Hour)
	case what < 12:
		p.rollBack(environment)
	default:
		p.sweep()
	}
}

// rollBack returns to the one before, and holds the one that is left.
func (p *played) rollBack(environment string) {
	p.T.Helper()
	records := p.records(environment)
	now, to := ledger.Running(records), ledger.Previous(records)
	if to == nil {
		return
	}
	if !slices.Contains(p.there(), to.Start.Commit) {
		if p.backs[environment] < p.keep-1 { // of KEEP one runs
			p.T.Errorf("%s cannot go back to %s, %d times after a sweep: its image is gone", environment, to.Start.Commit, p.backs[environment]+1)
		}
		return
	}
	p.backs[environment]++
	if _, err := p.book(environment).Hold(p.T.Context(), ledger.Record{Commit: now.Start.Commit, Image: now.Start.Image}); err != nil {
		p.T.Fatal(err)
	}
	p.release(environment, to.Start.Commit, to.Start.Image.ID, ledger.Live)
}

func (p *played) records(environment string) []ledger.Record {
	p.T.Helper()
	records, err := p.book(environment).All(p.T.Context(), time.Time{})
	if err != nil {
		p.T.Fatal(err)
	}
	return records
}

func (p *played) sweep() {
	p.T.Helper()
	p.run(nil, "ACTION=sweep", "CONFIRM=true", fmt.Sprint("KEEP=", p.keep), "BASE_MAX_AGE=6h").Expect(p.T, exit.Passed)
	p.checkWhole(p.made...)
	clear(p.backs)
	there := p.there()
	for _, environment := range []string{"production", "staging"} {
		records := p.records(environment)
		need := func(why string, r ledger.Release) {
			if !slices.Contains(there, r.Start.Commit) {
				p.T.Errorf("%s of %s, %s, is gone; left are %v", why, environment, r.Start.Commit, there)
			}
		}
		good := 0
		for _, r := range ledger.Releases(records) {
			if r.Outcome() == ledger.Live && good < p.keep {
				good++
				need("a good release", r)
			}
		}
		if now := ledger.Running(records); now != nil {
			need("what runs", *now)
		}
		if before := ledger.Previous(records); before != nil {
			need("the one before", *before)
		}
	}
}
