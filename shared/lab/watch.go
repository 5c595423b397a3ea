package lab

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"bitbucket.org/fearless/pipes/shared/ledger"
	cfn "bitbucket.org/fearless/pipes/shared/localcloud/cloudformation"
)

// Stack finds a stack that is not deleted; the zero value when there is none.
func (l *Lab) Stack(name string) cfn.Stack {
	for _, s := range l.Cloud.Stacks() {
		if s.Name == name && s.Status != "DELETE_COMPLETE" {
			return s
		}
	}
	return cfn.Stack{}
}

// Until waits for a state of a stack.
func (l *Lab) Until(name, status string) {
	l.T.Helper()
	l.When("stack "+name+" is "+status, func() bool { return l.Stack(name).Status == status })
}

// When waits for something that takes minutes of simulated time.
func (l *Lab) When(what string, happened func() bool) {
	l.T.Helper()
	for range 36000 {
		if happened() {
			return
		}
		l.Sleep(100 * time.Millisecond)
	}
	l.T.Fatalf("waited in vain until %s", what)
}

// Running are the servers by image, without build servers: "shop-111111111111 3".
func (l *Lab) Running() []string {
	names, count := l.images(), map[string]int{}
	for _, i := range l.Cloud.Instances() {
		if name := names[i.Image]; name != "" && (i.State == "running" || i.State == "pending") {
			count[name]++
		}
	}
	var lines []string
	for name, n := range count {
		lines = append(lines, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(lines)
	return lines
}

// Tale is a ledger in short, the oldest first: "1111 live", and why, unless for a deploy.
func (l *Lab) Tale(environment string) []string {
	l.T.Helper()
	var lines []string
	records := l.Records(environment)
	for _, r := range ledger.Releases(records) {
		what := string(r.Outcome())
		if r.Open() {
			what = "open"
		}
		if r.Start.Why != ledger.WhyDeploy {
			what += ", " + r.Start.Why
		}
		lines = append(lines, fmt.Sprintf("%.4s %s", r.Start.Commit, what))
	}
	slices.Reverse(lines)
	for _, h := range ledger.Held(records) {
		lines = append(lines, fmt.Sprintf("%.4s held", h.Commit))
	}
	return lines
}

// State is everything in the account that a run may change: a line each, sorted, without
// names that chance gives, and without the servers' logs and the ledger.
func (l *Lab) State() []string {
	l.T.Helper()
	lines := append(l.stacks(), l.groups()...)
	for _, line := range l.Cloud.Leftovers("/logs/", "/ledger/", "image ", "snapshot ", "instance ") {
		if strings.HasPrefix(line, "load balancer") {
			line = "load balancer"
		}
		lines = append(lines, line)
	}
	names := l.images()
	for _, i := range l.Cloud.Instances() {
		if i.State != "terminated" && i.State != "shutting-down" {
			lines = append(lines, "server of "+names[i.Image]+" "+i.State)
		}
	}
	slices.Sort(lines)
	return lines
}

// images are the names of the account's images by id.
func (l *Lab) images() map[string]string {
	names := map[string]string{}
	for _, img := range l.Cloud.Images() {
		names[img.ID] = img.Name
	}
	return names
}

func (l *Lab) stacks() []string {
	var lines []string
	for _, s := range l.Cloud.Stacks() {
		if s.Status == "DELETE_COMPLETE" {
			continue
		}
		lines = append(lines, "stack "+s.Name+" "+s.Status)
		sets, err := l.Reach().CFN.ListChangeSets(l.T.Context(), &cloudformation.ListChangeSetsInput{StackName: &s.Name})
		if err != nil {
			l.T.Error(err)
			continue
		}
		for _, c := range sets.Summaries {
			if !strings.HasPrefix(string(c.ExecutionStatus), "EXECUTE_") { // others are the record of what was done
				lines = append(lines, fmt.Sprintf("change set of %s %s", s.Name, c.ExecutionStatus))
			}
		}
	}
	return lines
}

func (l *Lab) groups() []string {
	out, err := l.Reach().ASG.DescribeAutoScalingGroups(l.T.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})
	if err != nil {
		l.T.Error(err)
		return nil
	}
	var lines []string
	for _, g := range out.AutoScalingGroups {
		role := ""
		for _, tag := range g.Tags {
			if strings.HasSuffix(aws.ToString(tag.Key), "role") {
				role = aws.ToString(tag.Value)
			}
		}
		lines = append(lines, fmt.Sprintf("group of %s %d..%d, %d", role, *g.MinSize, *g.MaxSize, *g.DesiredCapacity))
	}
	return lines
}

// Guard looks every second, from now until it is told to stop, whether the servers' stack
// has fewer servers of web and worker in service than now, or two schedulers. The end
// tells the lowest numbers that it saw.
func (l *Lab) Guard(stackName string) (stop func() map[string]int) {
	l.T.Helper()
	return l.GuardLeast(stackName, l.InService(l.Stack(stackName).Resources["WebTargets"].Physical))
}

// GuardLeast is a Guard of at least so many servers by role, which may be fewer than there
// are now: in the middle of a release there are two of each.
func (l *Lab) GuardLeast(stackName string, start map[string]int) (stop func() map[string]int) {
	l.T.Helper()
	targets := l.Stack(stackName).Resources["WebTargets"].Physical
	lowest := l.InService(targets)
	end := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for began, said := time.Now(), false; !said; {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			now := l.InService(targets)
			for _, role := range []string{"web", "worker"} {
				lowest[role] = min(lowest[role], now[role])
				if now[role] < start[role] {
					said = true
					l.T.Errorf("after %s %d servers of %s were in service, at least %d must be", time.Since(began), now[role], role, start[role])
				}
			}
			if now["scheduler"] > 1 {
				said = true
				l.T.Errorf("after %s there were %d schedulers", time.Since(began), now["scheduler"])
			}
		}
	})
	return func() map[string]int {
		close(end)
		looking.Wait()
		return lowest
	}
}

// InService are the servers that do their work at this moment, by role: those of web that
// the balancer calls healthy, and of other roles those that are up.
func (l *Lab) InService(targets string) map[string]int {
	count := map[string]int{}
	for _, t := range l.Cloud.Targets(targets) {
		if t.State == "healthy" {
			count["web"]++
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, role := range l.up {
		if role != "web" {
			count[role]++
		}
	}
	return count
}
