package testenv_test

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/bitbucket/fake"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// Simulated time begins at midnight UTC of 1 January 2000.

func (l *place) check(what string, got []string, want ...string) {
	l.T.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		l.T.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// From nothing to an address, a second time for more, and the end when its time comes.
func TestLifeOfAnEnvironment(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.create(good1, "BITBUCKET_BRANCH=feature/cart").Expect(t, exit.Passed,
			"on one t3.micro: about 0.39 USD a day", "It is deleted on Sat 1 Jan 20:00 UTC", "all: 1 of 1 servers ready",
			"http://shop-11111111.test.example.com/health answers", "http://shop-11111111.test.example.com shows commit 111111111111 until Sat 1 Jan 20:00 UTC")
		l.check("environments", l.shown(), "test-shop-11111111 CREATE_COMPLETE")
		l.check("schedules", l.armed(), "test-shop-11111111 1 20:00")
		outputs, err := os.ReadFile(filepath.Join(l.Clone, ".fearless", "outputs.env"))
		if err != nil || !strings.Contains(string(outputs), "TEST_ENV_URL=http://shop-11111111.test.example.com") && !strings.Contains(string(outputs), "TEST_ENV_URL='http://shop-11111111.test.example.com'") {
			t.Errorf("%v\n%s", err, outputs)
		}

		// Again, for longer: in no time, and without another server.
		began, made := time.Now(), l.servers()
		l.create(good1, "TTL=36h").Expect(t, exit.Passed, "shows commit 111111111111 until Sun 2 Jan 12:")
		if took := time.Since(began); took > time.Second || l.servers() != made {
			t.Errorf("creating again took %s, and there are %d servers", took, l.servers())
		}
		// For less: it keeps what it has.
		l.create(good1, "TTL=1h").Expect(t, exit.Passed, "until Sun 2 Jan 12:")
		l.act("list", "").Expect(t, exit.Passed, "COMMIT", "111111111111  feature/cart", "Sun 2 Jan 12:", "http://shop-11111111.test.example.com", "1 test environments of shop")

		// Night comes, and it stays; the reaper knows that it was extended.
		pass(22 * time.Hour)
		l.act("reap", "").Expect(t, exit.Passed, "1 may stay; left: 0")
		l.check("after the first night", l.shown(), "test-shop-11111111 CREATE_COMPLETE")

		pass(16 * time.Hour)
		l.check("after its time", l.shown())
		l.check("schedules after its time", l.armed())
		if n := l.servers(); n != 0 {
			t.Errorf("%d servers are left", n)
		}
		l.act("list", "").Expect(t, exit.Passed, "There are no test environments of shop")
		l.act("extend", good1).Expect(t, exit.Refused, "there is no test environment of commit 111111111111 to extend")
	})
}

// What the one server is told.
func TestServerIsToldEverything(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.file("processes: [web, worker]\nhttp: {health: /healthz, port: 9000}\nsettings: [/shop/common, /shop/test]\nseed: bin/seed --small\ndatabase: server\ninstance: t3.small\nready: test -e ready\n")
		l.create(good1).Expect(t, exit.Passed, "on one t3.small", "http://shop-11111111.test.example.com/healthz answers")
		l.create(good2, "PROCESSES=web", "SEED=bin/seed $SIZE", "INSTANCE=t3.nano").Expect(t, exit.Passed, "on one t3.nano")
		want := map[string]string{
			good1: "all release,web,worker bin/seed --small /healthz test -e ready",
			good2: "all release,web bin/seed $SIZE /healthz test -e ready",
		}
		for _, u := range l.told {
			got := u.Role + " " + strings.Join(u.Processes, ",") + " " + u.Seed + " " + u.HealthPath + " " + u.Ready
			if got != want[u.Commit] || u.Environment != "test" || u.Database != "server" || u.Hook != "" || u.Ports["web"] != 9000 ||
				u.PublicHosts[0] != "shop-"+u.Commit[:8]+"."+domain || u.SettingsPaths[1] != "/shop/test" ||
				!strings.HasSuffix(u.Logs, "/logs/shop/test/test-shop-"+u.Commit[:8]) {
				t.Errorf("%s, want %s: %+v", got, want[u.Commit], u)
			}
			delete(want, u.Commit)
		}
		if len(want) > 0 {
			t.Errorf("not told: %v", want)
		}
	})
}

// Environments of several commits stand side by side, and one goes without the others.
func TestDestroy(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.create(good1).Expect(t, exit.Passed)
		l.create(good2).Expect(t, exit.Passed)
		l.act("destroy", good1[:12]).Expect(t, exit.Passed, "The test environment of commit 111111111111 is gone")
		l.check("environments", l.shown(), "test-shop-22222222 CREATE_COMPLETE")
		l.check("schedules", l.armed(), "test-shop-22222222 1 20:00")
		l.act("destroy", good1).Expect(t, exit.Passed, "There is no test environment of commit 111111111111")
		l.act("extend", good2, "TTL=3d").Expect(t, exit.Passed, "until Tue 4 Jan 00:")
		l.act("extend", good2, "TTL=2h").Expect(t, exit.Passed, "until Tue 4 Jan 00:")
		l.act("destroy", "production").Expect(t, exit.Invalid, "nothing else is destroyed by this pipe")
	})
}

func TestBadInput(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		const unknown = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
		l.create(unknown).Expect(t, exit.Refused, "there is no image of commit eeeeeeeeeeee", "bake it first: pipe fearless/ami-bake with APPLICATION: 'shop' and COMMIT: '"+unknown)
		l.index(unknown, func(r *image.Record) { r.Image = "ami-00000000000000000" })
		l.create(unknown).Expect(t, exit.Refused, "image ami-00000000000000000 of commit eeeeeeeeeeee is not there any more", "bake it first")
		l.create(good1, "TTL=1999-12-31T20:00:00Z").Expect(t, exit.Invalid, "TTL: 1999-12-31T20:00:00Z is in the past")
		l.create(good1, "INSTANCE=t4g.micro").Expect(t, exit.Invalid, "INSTANCE: a t4g.micro has another processor than image")
		l.create(good1, "PROCESSES=web, mailer").Expect(t, exit.Invalid, "PROCESSES: there is no process type mailer in the image")
		l.create(good1, "PROCESSES=worker").Expect(t, exit.Invalid, "nothing would answer")
		l.file("processes: [web, mailer]\n")
		l.create(good1).Expect(t, exit.Invalid, "environments/test.yml: there is no process type mailer")
		l.file("instanz: t3.micro\n")
		l.create(good1).Expect(t, exit.Invalid, "environments/test.yml:1:1: instanz: unknown key, did you mean instance?")
		l.check("environments", l.shown())
		l.check("schedules", l.armed())
	})
}

func TestNoTestingYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := barePlace(t)
		l.create(good1).Expect(t, exit.Refused, "there is no testing yet: stack shop-testing-base", "run pipe fearless/deploy-env with ENVIRONMENT: 'testing' once")
		l.base("roles: {worker: {}}")
		l.create(good1).Expect(t, exit.Refused, "stack shop-testing-base has no ListenerArn: test environments need a balancer")
		l.base(strings.Replace(testingFile, "*.", "", 1))
		l.create(good1).Expect(t, exit.Refused, `testing has no host name for test environments`, `"*.test.example.com"`)
		l.base(testingFile)
		l.create(good1).Expect(t, exit.Passed)
	})
}

func TestNoRoles(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		service, schedule := l.Cloud.Parameter("/fearless/test/shop/service-role"), l.Cloud.Parameter("/fearless/test/shop/schedule-role")
		l.run(nil, "APPLICATION=blog", "COMMIT="+good1).Expect(t, exit.Invalid, "there are no roles with which CloudFormation and EventBridge Scheduler could end", "deploy account.yml")
		l.create(good1, "TEST_SERVICE_ROLE="+service, "SCHEDULE_ROLE="+schedule).Expect(t, exit.Passed)
		l.create(good2, "SCHEDULE_ROLE="+service).Expect(t, exit.Unable, "the end of test-shop-22222222 cannot be scheduled")
		l.check("what cannot be ended is not created", l.shown(), "test-shop-11111111 CREATE_COMPLETE")
	})
}

func TestLimit(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.create(good1, "BITBUCKET_BRANCH=cart", "BITBUCKET_STEP_TRIGGERER_UUID={0aa0}").Expect(t, exit.Passed)
		l.create(good2, "MAX_ENVIRONMENTS=1").Expect(t, exit.Refused, "there are 1 test environments of shop, and MAX_ENVIRONMENTS is 1",
			"111111111111 of branch cart, until 1 Jan 20:00 UTC, created by 0aa0")
		l.create(good1, "MAX_ENVIRONMENTS=1").Expect(t, exit.Passed) // one that is there needs no room
		l.check("schedules", l.armed(), "test-shop-11111111 1 20:00")
	})
}

// A name that is taken by others is left to them.
func TestNameIsTaken(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.make(stack.Proposal{Stack: "test-shop-11111111", Body: trifle, Tags: map[string]string{"team": "qa"}})
		for _, action := range []string{"create", "destroy"} {
			l.act(action, good1).Expect(t, exit.Refused, "stack test-shop-11111111 is no test environment of")
		}
		l.act("extend", good1).Expect(t, exit.Refused, "there is no test environment")
		l.act("reap", "").Expect(t, exit.Passed, "left: 0")
		l.create(good2).Expect(t, exit.Passed)
		l.check("environments", l.shown(), "test-shop-11111111 CREATE_COMPLETE", "test-shop-22222222 CREATE_COMPLETE")
		l.check("schedules", l.armed(), "test-shop-22222222 1 20:00")
	})
}

// Two commits may begin alike: the second is told whose name it is.
func TestTwins(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.create(good1).Expect(t, exit.Passed)
		l.create(twin).Expect(t, exit.Refused, "stack test-shop-11111111 shows commit "+good1+", whose hash begins like that of "+twin)
		l.act("destroy", twin).Expect(t, exit.Refused, "is no test environment of commit "+twin)
		l.check("environments", l.shown(), "test-shop-11111111 CREATE_COMPLETE")
	})
}

func TestNeverHealthy(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.create(broken).Expect(t, exit.Refused, "commit bbbbbbbbbbbb does not become healthy: server i-", "web: /health answers 500: database is missing",
			"panic: no database", "it was removed; with KEEP_FAILED: 'true' it stays to be looked at")
		l.check("environments", l.shown())
		l.check("schedules", l.armed())

		l.create(broken, "KEEP_FAILED=true").Expect(t, exit.Refused, "database is missing", "it is kept until Sat 1 Jan 20:00")
		l.check("kept", l.shown(), "test-shop-bbbbbbbb CREATE_FAILED")
		l.check("schedules", l.armed(), "test-shop-bbbbbbbb 1 20:00")
		l.act("reap", "").Expect(t, exit.Passed, "1 may stay; left: 0")
		l.act("extend", broken, "TTL=1d").Expect(t, exit.Passed)
		l.create(broken).Expect(t, exit.Refused, "removing it and starting anew", "database is missing")
		l.check("after another try", l.shown())

		l.create(broken, "KEEP_FAILED=true").Expect(t, exit.Refused)
		pass(21 * time.Hour)
		l.check("after its time", l.shown())
	})
}

// Healthy for the balancer, and nothing for users.
func TestAnswersWrongly(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.create(mute).Expect(t, exit.Refused, "is not what users would see: it answers 503 instead of 200", "it was removed")
		l.check("environments", l.shown())
		l.create(mute, "KEEP_FAILED=true").Expect(t, exit.Refused, "it is kept until")
		l.create(mute).Expect(t, exit.Refused, "is not what users would see", "destroy it with ACTION: destroy")
		l.check("kept", l.shown(), "test-shop-dddddddd CREATE_COMPLETE")
	})
}

// A runner without a way to the balancer says so, and asks the balancer.
func TestUnreachable(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.cut = true
		l.create(good1).Expect(t, exit.Passed, "cannot be reached from here: no route to host. That says nothing about it", "The balancer finds the server healthy")
	})
}

// An image whose boot agent is older than the seed command is found out.
func TestOldBootAndSeed(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.knows = nil
		l.create(good1, "SEED=bin/seed").Expect(t, exit.Refused, "the boot agent of the image is older than seed in environments/test.yml", "bake the commit again")
		l.check("environments", l.shown())
		l.create(good1).Expect(t, exit.Passed)
		l.file("database: server\n")
		l.create(good2).Expect(t, exit.Refused, "older than database in environments/test.yml")
	})
}

// Two pipelines for the same commit make one environment.
func TestTwoAtOnce(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		var both sync.WaitGroup
		var first, second lab.Outcome
		both.Go(func() { first = l.create(good1) })
		l.Until("test-shop-11111111", "CREATE_IN_PROGRESS")
		both.Go(func() { second = l.create(good1, "TTL=2d", l.elsewhere()) })
		both.Wait()
		first.Expect(t, exit.Passed, "shows commit 111111111111")
		second.Expect(t, exit.Passed, "shows commit 111111111111 until Mon 3 Jan 00:")
		if !strings.Contains(first.Log+second.Log, "Another run creates the environment at this moment: following it") {
			t.Errorf("none follows the other:\n%s\n%s", first.Log, second.Log)
		}
		if armed := l.armed(); len(armed) != 1 || !strings.HasPrefix(armed[0], "test-shop-11111111 3 00:") {
			t.Errorf("schedules: %v", armed)
		}
		l.check("environments", l.shown(), "test-shop-11111111 CREATE_COMPLETE")
	})
}

// A server that AWS does not launch is not the commit's fault, and is told as it happens.
func TestNotLaunched(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.Cloud.RefuseLaunch("InsufficientInstanceCapacity", "We currently do not have sufficient t3.micro capacity in the Availability Zone you requested (us-east-1a).", 1000)
		l.create(good1).Expect(t, exit.Unable, "all: a server could not be launched: AWS has no t3.micro servers left in us-east-1a",
			"the environment of commit 111111111111 cannot be created: role all: not all servers could be launched")
		l.check("environments", l.shown())
		l.check("schedules", l.armed())
	})
}

// A creation that fails at once, before anybody looks, still has its cause.
func TestFailsAtOnce(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		slow := func(c fault.Call) fault.Fault { // the first look after the stack was made comes late
			if c.Is("cloudformation:DescribeStacks") && l.Stack("test-shop-bbbbbbbb").Name != "" {
				return fault.Stall(20 * time.Second)
			}
			return fault.None
		}
		l.run(slow, "COMMIT="+broken).Expect(t, exit.Refused, "commit bbbbbbbbbbbb does not become healthy", "database is missing")
		l.check("environments", l.shown())
	})
}

// Somebody may be a moment earlier with a place among the balancer's rules.
func TestPlaceIsTaken(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.before = func(form url.Values) {
			l.before = nil
			priority := regexp.MustCompile(`"Priority":(\d+)`).FindStringSubmatch(form.Get("TemplateBody"))[1]
			listener := l.Stack("shop-testing-base").Outputs["ListenerArn"]
			l.make(stack.Proposal{Stack: "faster", Body: `{"AWSTemplateFormatVersion":"2010-09-09","Resources":{"R":{"Type":"AWS::ElasticLoadBalancingV2::ListenerRule","Properties":{
				"ListenerArn":"` + listener + `","Priority":` + priority + `,"Conditions":[{"Field":"host-header","HostHeaderConfig":{"Values":["faster.example.com"]}}],
				"Actions":[{"Type":"fixed-response","FixedResponseConfig":{"StatusCode":"404","ContentType":"text/plain","MessageBody":"no"}}]}}}}`})
		}
		l.create(good1).Expect(t, exit.Passed, "Another environment has taken the place among the rules of the balancer: trying another one", "shows commit 111111111111")
		l.check("environments", l.shown(), "test-shop-11111111 CREATE_COMPLETE")
		l.check("schedules", l.armed(), "test-shop-11111111 1 20:00")
	})
}

// Who destroys an environment while it is created ends both runs well enough.
func TestDestroyedWhileItIsCreated(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		var creating sync.WaitGroup
		var created lab.Outcome
		creating.Go(func() { created = l.create(good1) })
		for len(l.shown()) == 0 {
			pass(100 * time.Millisecond)
		}
		l.act("destroy", good1, l.elsewhere()).Expect(t, exit.Passed, "of commit 111111111111 is gone")
		creating.Wait()
		created.Expect(t, exit.Refused, "the environment of commit 111111111111 was destroyed while it was created")
		l.check("environments", l.shown())
		l.check("schedules", l.armed())
	})
}

// Who creates an environment while somebody else destroys it gets a new one, and that has
// an end: its schedule is not taken for that of the old one.
func TestCreatedWhileItIsDestroyed(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		for n := range 12 { // creating begins at another moment of destroying each time
			l.create(good1).Expect(t, exit.Passed)
			var destroying sync.WaitGroup
			var destroyed lab.Outcome
			destroying.Go(func() { destroyed = l.act("destroy", good1, l.elsewhere()) })
			pass(time.Duration(n) * 500 * time.Millisecond)
			l.create(good1, "TTL=2d").Expect(t, exit.Passed, "shows commit 111111111111")
			destroying.Wait()
			destroyed.Expect(t, exit.Passed)
			if now := l.shown(); len(now) > 0 && len(l.armed()) != 1 {
				t.Errorf("after %d half seconds: %v, and the schedules are %v", n, now, l.armed())
			}
		}
	})
}

// What resists is tried again; in the end it is named, and costs the night its good end.
func TestReapNamesWhatResists(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.create(good1, "TTL=1h").Expect(t, exit.Passed)
		l.create(good2, "TTL=1h").Expect(t, exit.Passed)
		l.create(good3).Expect(t, exit.Passed)
		l.Cloud.FailSchedules("fearless/", "not well", 1000)
		l.Cloud.RefuseDelete("AllTargets", "somebody else's rule leads there", 6)
		pass(8 * time.Hour)
		l.act("reap", "").Expect(t, exit.Refused, "Removed 0 environments", "1 may stay; left: 2", "2 things are left that should be gone",
			"stack test-shop-11111111 (DELETE_FAILED): half deleted, and cannot be deleted: The following resource(s) failed to delete: [AllTargets]")
		l.act("reap", "").Expect(t, exit.Passed, "Removed 2 environments", "left: 0")
		l.check("environments", l.shown(), "test-shop-33333333 CREATE_COMPLETE")
	})
}

// A step that is stopped leaves the creation to CloudFormation, and its end to the
// schedule; the next run finds it.
func TestInterrupted(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.interrupt = make(chan struct{}, 1)
		stop := l.interrupt
		l.before = func(url.Values) { time.AfterFunc(2*time.Second, func() { stop <- struct{}{} }) }
		l.create(good1).Expect(t, exit.Interrupted, "the creation goes on in CloudFormation", "run the pipe again to follow it")
		l.check("schedules", l.armed(), "test-shop-11111111 1 20:00")
		l.interrupt, l.before = nil, nil
		l.create(good1).Expect(t, exit.Passed, "shows commit 111111111111")
	})
}

// The address goes to the commit, and to the pull request in one comment.
func TestBitbucketIsTold(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.Bitbucket = fake.New(fake.Options{Commit: good1, StatusByProxy: true})
		about := []string{"BITBUCKET_PR_ID=7", "BITBUCKET_WORKSPACE=acme", "BITBUCKET_REPO_SLUG=shop", "BITBUCKET_COMMIT=" + good1,
			"BITBUCKET_PIPELINE_UUID={1}", "BITBUCKET_ACCESS_TOKEN=fake-token", "BITBUCKET_BUILD_NUMBER=12", "BITBUCKET_REPO_FULL_NAME=acme/shop"}
		l.create(good1, about...).Expect(t, exit.Passed)
		status := l.Bitbucket.Statuses()["test-env.shop"]
		if status.State != "SUCCESSFUL" || status.URL != "http://shop-11111111.test.example.com" {
			t.Errorf("%+v", status)
		}
		l.create(good1, append(about, "TTL=2d")...).Expect(t, exit.Passed)
		l.act("destroy", good1, about...).Expect(t, exit.Passed)
		if status := l.Bitbucket.Statuses()["test-env.shop"]; status.State != "STOPPED" {
			t.Errorf("%+v", status)
		}
		comments := l.Bitbucket.Comments()
		if len(comments) != 1 || comments[0].PullRequest != 7 || comments[0].Edits != 2 || !strings.Contains(comments[0].Raw, "of commit `111111111111` of shop is gone") {
			t.Errorf("%+v", comments)
		}
		told := slices.DeleteFunc(l.Bitbucket.Calls(), func(call string) bool { return !strings.Contains(call, "/statuses/build") })
		if len(told) != 4 { // being created, there, there for longer, gone
			t.Errorf("build statuses: %v", told)
		}
		if complaints := l.Bitbucket.Complaints(); len(complaints) > 0 {
			t.Error(complaints)
		}
	})
}
