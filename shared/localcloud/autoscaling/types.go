package autoscaling

import (
	"maps"
	"slices"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Types are the CloudFormation types of Auto Scaling.
func (s *Service) Types() []resource.Type {
	return []resource.Type{
		{
			Name: "AWS::AutoScaling::AutoScalingGroup",
			Properties: []string{"MinSize", "MaxSize", "DesiredCapacity", "VPCZoneIdentifier", "LaunchTemplate", "TargetGroupARNs",
				"HealthCheckType", "HealthCheckGracePeriod", "LifecycleHookSpecificationList", "Cooldown", "DefaultInstanceWarmup",
				"MetricsCollection", "NewInstancesProtectedFromScaleIn", "Tags"},
			Create: s.createGroup,
			Update: s.updateGroup,
			Delete: s.deleteGroup,
			Stable: s.groupStable,
		},
		{
			Name:       "AWS::AutoScaling::ScalingPolicy",
			Properties: []string{"AutoScalingGroupName", "PolicyType", "TargetTrackingConfiguration"},
			Immutable:  []string{"AutoScalingGroupName"},
			Attributes: []string{"Arn", "PolicyName"},
			Create:     s.createPolicy,
			Update:     s.updatePolicy,
			Delete:     s.deletePolicy,
		},
	}
}

// keep says that a group's desired size stays what it is.
const keep = -1

// decodeGroup reads the settings of a group and checks them.
func (s *Service) decodeGroup(r resource.Request) (settings, error) {
	p := r.Properties.Reader()
	p.Need("MinSize")
	p.Need("MaxSize")
	in := settings{
		low: p.Int("MinSize", 0), high: p.Int("MaxSize", 0), desired: p.Int("DesiredCapacity", keep),
		subnets:  p.Strings("VPCZoneIdentifier"),
		template: p.Need("LaunchTemplate.LaunchTemplateId"), version: p.Need("LaunchTemplate.Version"),
		targetGroups:   p.Strings("TargetGroupARNs"),
		balancerHealth: p.OneOf("HealthCheckType", "EC2", "ELB") == "ELB",
		grace:          time.Duration(p.Int("HealthCheckGracePeriod", 0)) * time.Second,
		cooldown:       p.Int("Cooldown", 300), warmup: p.Int("DefaultInstanceWarmup", -1),
	}
	for _, h := range p.List("LifecycleHookSpecificationList") {
		in.hooks = append(in.hooks, decodeHook(h))
	}
	for _, m := range p.List("MetricsCollection") {
		m.OneOf("Granularity", "1Minute")
		in.metrics = append(in.metrics, m.Strings("Metrics")...)
	}
	p.OneOf("NewInstancesProtectedFromScaleIn", "false")
	in.tags = decodeTags(r, p)
	if err := p.Done(); err != nil {
		return in, err
	}
	return in, s.check(in)
}

func decodeHook(r *resource.Reader) hook {
	r.Need("LifecycleTransition")
	r.OneOf("LifecycleTransition", "", "autoscaling:EC2_INSTANCE_TERMINATING")
	h := hook{
		name: r.Need("LifecycleHookName"), heartbeat: time.Duration(r.Int("HeartbeatTimeout", 3600)) * time.Second,
		result: r.OneOf("DefaultResult", "ABANDON", "CONTINUE"),
	}
	if h.heartbeat < 30*time.Second || h.heartbeat > 2*time.Hour {
		r.Fail("HeartbeatTimeout must be between 30 and 7200, not %d", h.heartbeat/time.Second)
	}
	return h
}

// decodeTags are the stack's tags, all of which reach the servers, and those
// of the template, which say so themselves.
func decodeTags(r resource.Request, p *resource.Reader) []tag {
	own := map[string]tag{}
	for key, value := range r.Tags {
		own[key] = tag{key, value, true}
	}
	for _, t := range p.List("Tags") {
		key := t.Need("Key")
		if !t.Has("PropagateAtLaunch") {
			t.Fail("Property Tags.PropagateAtLaunch cannot be empty.")
		}
		own[key] = tag{key, t.String("Value"), t.Bool("PropagateAtLaunch", false)}
	}
	var tags []tag
	for _, key := range slices.Sorted(maps.Keys(own)) {
		tags = append(tags, own[key])
	}
	return tags
}

// check compares the settings with what exists.
func (s *Service) check(in settings) error {
	desired := in.desired
	if desired == keep {
		desired = in.low
	}
	if failure := checkSize(in.low, in.high, desired); failure != nil {
		return failure
	}
	if len(in.subnets) == 0 {
		return wire.Errorf("ValidationError", "At least one Availability Zone or VPC Subnet is required.")
	}
	for _, subnet := range in.subnets {
		if s.servers.Zone(subnet) == "" {
			return wire.Errorf("ValidationError", "The subnet ID '%s' does not exist", subnet)
		}
	}
	if _, err := s.servers.Template(in.template, in.version); err != nil {
		return wire.Errorf("ValidationError", "You must use a valid fully-formed launch template. %s", reasonOf(err))
	}
	for _, targets := range in.targetGroups {
		if !s.balancer.Exists(targets) {
			return wire.Errorf("ValidationError", "Provided Target Group ARN %s is not valid", targets)
		}
	}
	count := 0
	for _, t := range in.tags {
		tags := world.Tags{t.key: t.value}
		count += tags.Own()
	}
	if count > world.MaxTags {
		return world.ErrTooManyTags
	}
	return nil
}

// createGroup begins with the desired size, or the smallest.
func (s *Service) createGroup(r resource.Request) (resource.Made, error) {
	in, err := s.decodeGroup(r)
	if err != nil {
		return resource.Made{}, err
	}
	if in.desired == keep {
		in.desired = in.low
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.Stack + "-" + r.LogicalID + "-" + s.world.Key("group name", 12)
	s.ordinal++
	g := &group{
		name: name, arn: s.world.ARN("autoscaling", "autoScalingGroup:"+s.world.UUID("group")+":autoScalingGroupName/"+name),
		ordinal: s.ordinal, born: time.Now(), settings: in,
		suspended: map[string]bool{}, kick: make(chan struct{}, 1), failures: map[string]int{},
	}
	g.resized("a user request created an AutoScalingGroup changing the desired capacity from 0 to %d.", in.desired)
	s.groups[name] = g
	s.spawn(func() { s.tend(g) })
	return resource.Made{Physical: name}, nil
}

// updateGroup changes the settings. Servers that run keep the launch template
// they have: replacing them is what update policies are for.
func (s *Service) updateGroup(r resource.Request, _ resource.Properties, physical string) (resource.Made, error) {
	in, err := s.decodeGroup(r)
	if err != nil {
		return resource.Made{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, failure := s.group(physical)
	if failure != nil {
		return resource.Made{}, failure
	}
	if in.desired == keep {
		in.desired = min(max(g.desired, in.low), in.high)
	}
	low, high, desired := in.low, in.high, in.desired
	in.low, in.high, in.desired = g.low, g.high, g.desired
	s.retarget(g, in.targetGroups)
	g.settings = in
	if failure := g.resize(low, high, desired); failure != nil {
		return resource.Made{}, failure
	}
	return resource.Made{Physical: physical}, nil
}

// retarget moves the servers in service to other target groups. The lock is
// held.
func (s *Service) retarget(g *group, wanted []string) {
	for _, m := range g.members {
		if m.state != stateInService {
			continue
		}
		for _, old := range g.targetGroups {
			if !slices.Contains(wanted, old) {
				_, _ = s.balancer.Deregister(old, m.instance) // an error says that it is gone
			}
		}
		for _, added := range wanted {
			if !slices.Contains(g.targetGroups, added) {
				_ = s.balancer.Register(added, m.instance) // checked: it is there, and the server runs
			}
		}
	}
}

// deleteGroup lets all servers go as in any other end: drained, with hooks.
func (s *Service) deleteGroup(physical string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[physical]
	if g == nil || g.deleting {
		return nil
	}
	g.resized("a user request deleted the AutoScalingGroup changing the desired capacity from %d to 0.", g.desired)
	g.deleting, g.low, g.high, g.desired = true, 0, 0, 0
	g.wake()
	return nil
}

// groupStable: a group is made or changed at once, and gone with its last
// server. Whether its servers came up is for the signals to say.
func (s *Service) groupStable(physical string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[physical]
	return g == nil || !g.deleting, nil
}
