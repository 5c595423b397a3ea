package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	cfn "bitbucket.org/fearless/pipes/shared/localcloud/cloudformation"
)

const (
	baseStack    = "shop-staging-base"
	serversStack = "shop-staging"
)

// stack finds a stack that is not deleted; the zero value when there is none.
func (l *lab) stack(name string) cfn.Stack {
	for _, s := range l.cloud.Stacks() {
		if s.Name == name && s.Status != "DELETE_COMPLETE" {
			return s
		}
	}
	return cfn.Stack{}
}

// state is everything in the account that a run may change: a line each, sorted, without
// names that chance gives, and without the servers' logs.
func (l *lab) state() []string {
	l.t.Helper()
	ctx, api := l.t.Context(), reach(l.cloud.Transport())
	var lines []string
	for _, s := range l.cloud.Stacks() {
		if s.Status == "DELETE_COMPLETE" {
			continue
		}
		lines = append(lines, "stack "+s.Name+" "+s.Status)
		sets, err := api.cfn.ListChangeSets(ctx, &cloudformation.ListChangeSetsInput{StackName: &s.Name})
		if err != nil {
			l.t.Error(err)
			continue
		}
		for _, c := range sets.Summaries {
			if strings.HasPrefix(string(c.ExecutionStatus), "EXECUTE_") {
				continue // the record of what was done
			}
			lines = append(lines, fmt.Sprintf("change set of %s %s", s.Name, c.ExecutionStatus))
		}
	}
	groups, err := api.asg.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{})
	if err != nil {
		l.t.Error(err)
		return nil
	}
	for _, g := range groups.AutoScalingGroups {
		role := ""
		for _, tag := range g.Tags {
			if strings.HasSuffix(aws.ToString(tag.Key), "role") {
				role = aws.ToString(tag.Value)
			}
		}
		lines = append(lines, fmt.Sprintf("group of %s %d..%d, %d", role, *g.MinSize, *g.MaxSize, *g.DesiredCapacity))
	}
	for _, line := range l.cloud.Leftovers("/logs/", "/ledger/", "image ", "snapshot ", "instance ") {
		if strings.HasPrefix(line, "load balancer") {
			line = "load balancer"
		}
		lines = append(lines, line)
	}
	lines = append(lines, l.instances()...)
	slices.Sort(lines)
	return lines
}

// instances are the servers that exist, in whatever state they are.
func (l *lab) instances() []string {
	names := map[string]string{}
	for _, img := range l.cloud.Images() {
		names[img.ID] = img.Name
	}
	var lines []string
	for _, i := range l.cloud.Instances() {
		if i.State != "terminated" && i.State != "shutting-down" {
			lines = append(lines, "server of "+names[i.Image]+" "+i.State)
		}
	}
	return lines
}

// inService are the servers that do their work at this moment, by role: those that the
// balancer calls healthy, and of other roles those that are up.
func (l *lab) inService(targets string) map[string]int {
	count := map[string]int{}
	for _, t := range l.cloud.Targets(targets) {
		if t.State == "healthy" {
			count["web"]++
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for instance := range l.up {
		if role := l.role[instance]; role != "web" {
			count[role]++
		}
	}
	return count
}

// guard looks every second, from now until it is told to stop, whether a role has fewer
// servers in service than now, and whether there are two schedulers. It tells the lowest
// counts that it saw.
func (l *lab) guard() (stop func() map[string]int) {
	l.t.Helper()
	targets := l.stack(serversStack).Resources["WebTargets"].Physical
	start := l.inService(targets)
	lowest := map[string]int{"web": start["web"], "worker": start["worker"]}
	end := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for began := time.Now(); ; {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			now := l.inService(targets)
			for _, role := range []string{"web", "worker"} {
				if now[role] < lowest[role] {
					l.t.Errorf("after %s %d servers of %s were in service, at the start %d", time.Since(began), now[role], role, start[role])
					lowest[role] = now[role]
				}
			}
			if now["scheduler"] > 1 {
				l.t.Errorf("after %s there were %d schedulers", time.Since(began), now["scheduler"])
			}
		}
	})
	return func() map[string]int {
		close(end)
		looking.Wait()
		return lowest
	}
}
