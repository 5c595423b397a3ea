package rollout_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// noRelease is the file of stories in which a release process would only be in the way.
const noRelease = "release: {when: never}\n" + stagingFile

// noCapacity is how EC2 says it.
const noCapacity = "We currently do not have sufficient t3.small capacity in the Availability Zone you requested (us-east-1a). " +
	"Our system will be working on provisioning additional capacity."

// groupsOf are the groups of a role, the oldest first.
func (l *place) groupsOf(logical string) []types.AutoScalingGroup {
	l.T.Helper()
	out, err := l.Reach().ASG.DescribeAutoScalingGroups(l.T.Context(), &autoscaling.DescribeAutoScalingGroupsInput{
		Filters: []types.Filter{{Name: aws.String("tag:aws:cloudformation:logical-id"), Values: []string{logical}}},
	})
	if err != nil {
		l.T.Fatal(err)
	}
	slices.SortStableFunc(out.AutoScalingGroups, func(a, b types.AutoScalingGroup) int { return a.CreatedTime.Compare(*b.CreatedTime) })
	return out.AutoScalingGroups
}

// resize sets the size of the n-th group of a role, as scaling or a person would.
func (l *place) resize(logical string, n, size int) {
	l.T.Helper()
	all := l.groupsOf(logical)
	if n >= len(all) {
		l.T.Errorf("there are %d groups %s", len(all), logical)
		return
	}
	if _, err := l.Reach().ASG.SetDesiredCapacity(l.T.Context(), &autoscaling.SetDesiredCapacityInput{
		AutoScalingGroupName: all[n].AutoScalingGroupName, DesiredCapacity: aws.Int32(int32(size)),
	}); err != nil {
		l.T.Error(err)
	}
}

// meanwhile deploys and does something at a time after the start.
func (l *place) meanwhile(after time.Duration, do func(), commit string, variables ...string) lab.Outcome {
	var both sync.WaitGroup
	both.Go(func() {
		time.Sleep(after) //nolint:forbidigo // simulated
		do()
	})
	o := l.deploy(commit, nil, variables...)
	both.Wait()
	return o
}

func (l *place) checkSize(logical string, want int) {
	l.T.Helper()
	all := l.groupsOf(logical)
	if len(all) != 1 || int(*all[0].DesiredCapacity) != want || len(all[0].Instances) != want {
		l.T.Errorf("%s: want one group of %d, found %d: %+v", logical, want, len(all), all)
	}
}

// A launch that EC2 refuses appears in no event of CloudFormation: all it says in the end
// is that it has waited in vain.
func TestRefusedLaunches(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.file(noRelease)
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.Cloud.RefuseLaunch("InsufficientInstanceCapacity", noCapacity, 1000)
		failed := l.deploy(good2, nil).Expect(t, exit.Unable,
			"worker: a server could not be launched: AWS has no t3.small servers left in us-east-1a",
			"failed: role worker: not all servers could be launched: AWS has no t3.small servers left in us-east-1a",
			"choose another type of server")
		if n := strings.Count(failed.Log, "a server could not be launched"); n != 1 {
			t.Errorf("it was said %d times:\n%s", n, failed.Log)
		}
		l.checkRunning("after it", "shop-111111111111 4")
	})
}

// One that succeeds later has no consequence.
func TestRefusedLaunchesPass(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.file(noRelease)
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.Cloud.RefuseLaunch("VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket "+
			"that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.", 5)
		l.deploy(good2, nil).Expect(t, exit.Passed, "worker: a server could not be launched: the account may have 32 virtual processors of this kind")
		l.checkRunning("after it", "shop-222222222222 4")
	})
}

// The old group grows while new servers start: the new group becomes as large, since in
// the end it has to carry the same load.
func TestScaleOutWhileServersStart(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.meanwhile(85*time.Second, func() { l.resize("WebGroup", 0, 4) }, good2).
			Expect(t, exit.Passed, "web: there are 4 old servers by now, so the new ones become as many (they were 2)")
		l.checkSize("WebGroup", 4)
	})
}

func TestScaleOutDuringTheSoak(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.meanwhile(3*time.Minute, func() {
			if n := len(l.groupsOf("WebGroup")); n != 2 {
				t.Errorf("%d groups: this is not the soak", n)
			}
			l.resize("WebGroup", 0, 3)
		}, good2).Expect(t, exit.Passed, "web: there are 3 old servers by now")
		l.checkSize("WebGroup", 3)
	})
}

// Not above what the file allows now, and not below what somebody wanted.
func TestScaleOutHasBounds(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.file(strings.Replace(stagingFile, "max: 4", "max: 3", 1))
		l.meanwhile(2*time.Minute, func() { l.resize("WebGroup", 0, 4) }, good2).Expect(t, exit.Passed, "so the new ones become as many")
		l.checkSize("WebGroup", 3)

		l.file(strings.Replace(stagingFile, "max: 4", "max: 6", 1))
		o := l.meanwhile(2*time.Minute, func() { l.resize("WebGroup", 1, 5) }, good1).Expect(t, exit.Passed)
		if strings.Contains(o.Log, "become as many") {
			t.Errorf("a group that somebody has made larger was touched:\n%s", o.Log)
		}
		l.checkSize("WebGroup", 5)
	})
}

// Without the right to look after groups the release goes on; that is said once.
func TestGroupsThatCannotBeLookedAfter(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		o := l.deploy(good2, fault.On("autoscaling:DescribeScalingActivities", 1000, fault.Error(403, "AccessDenied"))).
			Expect(t, exit.Passed, "its groups cannot be looked after")
		if n := strings.Count(o.Log, "cannot be looked after"); n != 1 {
			t.Errorf("it was said %d times", n)
		}
	})
}

// What scaling has done is no change: the same commit again is nothing to do.
func TestLiveSizeIsNoChange(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		l.resize("WebGroup", 0, 4)
		time.Sleep(time.Minute) //nolint:forbidigo // simulated
		l.deploy(good1, nil).Expect(t, exit.Passed, "runs image", "already")
		l.deploy(good1, nil, "ACTION=preview").Expect(t, exit.Passed, "runs image", "already")
		l.checkSize("WebGroup", 4)
		l.deploy(good2, nil).Expect(t, exit.Passed, "web: 4 of 4 servers ready")
		l.checkSize("WebGroup", 4)
	})
}

// A pipe asks AWS at most 60 times a minute, S3 aside, whatever happens.
func TestCallsPerMinute(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.deploy(good1, nil).Expect(t, exit.Passed)
		var calls []time.Time
		plan := func(c fault.Call) fault.Fault {
			if c.Service != "s3" { // which takes thousands a second
				calls = append(calls, time.Now())
			}
			return fault.None
		}
		var both sync.WaitGroup
		both.Go(func() {
			time.Sleep(2 * time.Minute) //nolint:forbidigo // simulated
			l.resize("WebGroup", 0, 4)
		})
		l.deploy(good2, plan).Expect(t, exit.Passed)
		both.Wait()
		most := 0
		for n, from := range calls {
			until := n
			for until < len(calls) && calls[until].Sub(from) < time.Minute {
				until++
			}
			most = max(most, until-n)
		}
		t.Logf("%d calls in %s, at most %d in a minute", len(calls), calls[len(calls)-1].Sub(calls[0]), most)
		if most > 60 {
			t.Errorf("%d calls in a minute", most)
		}
	})
}
