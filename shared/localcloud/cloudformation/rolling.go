package cloudformation

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

// activeWait is how long new servers may take to be in service when no
// signals are asked for.
const activeWait = time.Hour

// roller is a rolling update of one group: old servers are terminated batch
// by batch, and the group replaces them.
type roller struct {
	r      *run
	item   *item
	group  string
	policy *rollingPolicy
	p      pause

	minimum, maximum, desired int // what the group is left with
	size                      int // what it is set to meanwhile
	obsolete                  []string
	known                     []string // servers that are not counted as new
	batch                     int
	terminated                int
	heard                     int // signals that earlier batches used up
	successes, failures       int
}

// roll replaces the servers of a group that do not fit its launch template.
func (r *run) roll(old resource.Properties, l *live, p pause) error {
	groups := r.s.around.Groups
	minimum, maximum, desired, err := groups.Size(l.physical)
	if err != nil {
		return err
	}
	b := &roller{
		r: r, item: l.item, group: l.physical, policy: l.item.update.rolling, p: p,
		minimum: minimum, maximum: maximum, desired: desired, size: desired,
	}
	if b.policy.inService >= maximum {
		return errors.New("MinInstancesInService must be less than the autoscaling group's MaxSize")
	}
	moved := !equal(old["VPCZoneIdentifier"], l.properties["VPCZoneIdentifier"])
	template := l.properties.Reader().Map("LaunchTemplate")
	for _, m := range groups.Members(l.physical) {
		b.known = append(b.known, m.Instance)
		if moved || m.Template != template.String("LaunchTemplateId") || m.Version != template.String("Version") {
			b.obsolete = append(b.obsolete, m.Instance)
		}
	}
	if len(b.obsolete) == 0 {
		return nil
	}
	r.listen(l.item)
	defer r.stopListening(l.item)
	if len(b.policy.suspend) == 0 {
		return b.all() // no processes would mean all processes
	}
	if err := groups.Suspend(l.physical, b.policy.suspend); err != nil {
		return err
	}
	return errors.Join(b.all(), groups.Resume(l.physical, b.policy.suspend))
}

func (b *roller) say(format string, args ...any) {
	b.r.say(b.item, b.group, updateInProgress, fmt.Sprintf(format, args...))
}

// all rolls batch by batch. As many servers as a batch has are launched first
// where the group would otherwise fall below MinInstancesInService.
func (b *roller) all() error {
	b.batch = min(b.policy.batch, len(b.obsolete), b.maximum-b.policy.inService)
	text := fmt.Sprintf("Rolling update initiated. Terminating %d obsolete instance(s) in batches of %d", len(b.obsolete), b.batch)
	if b.policy.inService > 0 {
		text += fmt.Sprintf(", while keeping at least %d instance(s) in service", b.policy.inService)
	}
	text += "."
	switch {
	case b.policy.signals:
		text += fmt.Sprintf(" Waiting on resource signals with a timeout of %s when new instances are added to the autoscaling group.", b.policy.pause.text)
	case b.policy.pause.Duration > 0:
		text += fmt.Sprintf(" Pausing for %s when new instances are added to the autoscaling group.", b.policy.pause.text)
	}
	b.say("%s", text)
	if higher := b.policy.inService + b.batch; higher > b.desired {
		if err := b.r.s.around.Groups.SetSize(b.group, higher, b.maximum, higher); err != nil {
			return err
		}
		b.size = higher
		b.say("Temporarily setting autoscaling group MinSize and DesiredCapacity to %d.", higher)
		if err := b.arrivals(higher - b.desired); err != nil {
			return err
		}
	}
	for left := b.obsolete; len(left) > 0; left = left[min(b.batch, len(left)):] {
		if err := b.exchange(left[:min(b.batch, len(left))], len(left) <= b.batch); err != nil {
			return err
		}
	}
	return nil
}

// exchange terminates a batch and waits for what replaces it: as many, but
// in the last batch only what the group is left with needs.
func (b *roller) exchange(batch []string, last bool) error {
	groups := b.r.s.around.Groups
	replaced := len(batch)
	if last {
		replaced = max(0, b.desired-(b.size-len(batch)))
	}
	b.say("Terminating instance(s) [%s]; replacing with %d new instance(s).", strings.Join(batch, ","), replaced)
	if last {
		// The group must not replace what it will not need.
		if err := groups.Suspend(b.group, []string{"Launch"}); err != nil {
			return err
		}
	}
	err := b.terminate(batch)
	if last {
		if err == nil {
			err = groups.SetSize(b.group, b.minimum, b.maximum, b.desired)
		}
		if !slices.Contains(b.policy.suspend, "Launch") {
			err = errors.Join(err, groups.Resume(b.group, []string{"Launch"}))
		}
	}
	if err != nil || replaced == 0 {
		return err
	}
	return b.arrivals(replaced)
}

// terminate ends servers and waits until they are gone.
func (b *roller) terminate(batch []string) error {
	groups := b.r.s.around.Groups
	for _, instance := range batch {
		if err := groups.Terminate(instance); err != nil {
			return err
		}
	}
	for slices.ContainsFunc(groups.Members(b.group), func(m resource.Member) bool { return slices.Contains(batch, m.Instance) }) {
		if err := b.p(); err != nil {
			return err
		}
	}
	b.terminated += len(batch)
	progress := math.Round(100 * float64(b.terminated) / float64(len(b.obsolete)))
	b.say("Successfully terminated instance(s) [%s] (Progress %.0f%%).", strings.Join(batch, ","), progress)
	return nil
}

// arrivals waits for n new servers.
func (b *roller) arrivals(n int) error {
	if b.policy.signals {
		return b.signals(n)
	}
	needed := required(n, b.policy.active)
	end := time.Now().Add(activeWait)
	for b.fresh() < needed {
		if !time.Now().Before(end) {
			//nolint:staticcheck // as AWS writes
			return fmt.Errorf("Unable to satisfy %d%% MinActiveInstancesPercent requirement", b.policy.active)
		}
		if err := b.p(); err != nil {
			return err
		}
	}
	for _, m := range b.r.s.around.Groups.Members(b.group) {
		b.known = append(b.known, m.Instance)
	}
	for end := time.Now().Add(b.policy.pause.Duration); time.Now().Before(end); {
		if err := b.p(); err != nil {
			return err
		}
	}
	return nil
}

// fresh counts new servers that are in service.
func (b *roller) fresh() int {
	n := 0
	for _, m := range b.r.s.around.Groups.Members(b.group) {
		if m.InService && !slices.Contains(b.known, m.Instance) {
			n++
		}
	}
	return n
}

// signals waits for the signals of n new servers. One that does not come
// counts as a failure; a failure that may not be ends the update at once.
func (b *roller) signals(n int) error {
	b.say("New instance(s) added to autoscaling group - Waiting on %d resource signal(s) with a timeout of %s.", n, b.policy.pause.text)
	total := len(b.obsolete)
	bearable := total - required(total, b.policy.percent)
	end := time.Now().Add(b.policy.pause.Duration)
	for {
		successes, failures := b.r.received(b.item, b.heard)
		missing := n - successes - failures
		late := !time.Now().Before(end)
		if missing > 0 && late {
			b.say("Failed to receive %d resource signal(s) for the current batch.  Each resource signal timeout is counted as a FAILURE.", missing)
			failures += missing
		}
		if b.failures+failures > bearable {
			return unsatisfied("SUCCESS", b.successes+successes, total, b.policy.percent)
		}
		if missing <= 0 || late {
			b.heard, b.successes, b.failures = b.heard+min(n, n-missing), b.successes+successes, b.failures+failures
			return nil
		}
		if err := b.p(); err != nil {
			return err
		}
	}
}
