package autoscaling

import (
	"strconv"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// policy is a target tracking policy on the average load of processors.
type policy struct {
	arn, name, group string
	target           float64
}

// Policy is a scaling policy as a test sees it.
type Policy struct {
	ARN, Group string
	Target     float64
}

// Policies are all policies of a group.
func (s *Service) Policies(group string) []Policy {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Policy
	for _, p := range s.policies {
		if p.group == group {
			all = append(all, Policy{p.arn, p.group, p.target})
		}
	}
	return all
}

func (s *Service) decodePolicy(r resource.Request) (policy, error) {
	p := r.Properties.Reader()
	p.Need("PolicyType")
	p.OneOf("PolicyType", "TargetTrackingScaling")
	p.Need("TargetTrackingConfiguration.PredefinedMetricSpecification.PredefinedMetricType")
	p.OneOf("TargetTrackingConfiguration.PredefinedMetricSpecification.PredefinedMetricType", "ASGAverageCPUUtilization")
	target, err := strconv.ParseFloat(p.Need("TargetTrackingConfiguration.TargetValue"), 64)
	if err != nil {
		p.Fail("TargetTrackingConfiguration.TargetValue must be a number")
	}
	in := policy{group: p.Need("AutoScalingGroupName"), target: target}
	return in, p.Done()
}

func (s *Service) createPolicy(r resource.Request) (resource.Made, error) {
	in, err := s.decodePolicy(r)
	if err != nil {
		return resource.Made{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, failure := s.group(in.group); failure != nil {
		return resource.Made{}, failure
	}
	in.name = r.Stack + "-" + r.LogicalID + "-" + s.world.Key("policy name", 12)
	in.arn = s.world.ARN("autoscaling", "scalingPolicy:"+s.world.UUID("policy")+":autoScalingGroupName/"+in.group+":policyName/"+in.name)
	s.policies[in.arn] = &in
	return in.made(), nil
}

func (p *policy) made() resource.Made {
	return resource.Made{Physical: p.arn, Attributes: map[string]any{"Arn": p.arn, "PolicyName": p.name}}
}

func (s *Service) updatePolicy(r resource.Request, _ resource.Properties, physical string) (resource.Made, error) {
	in, err := s.decodePolicy(r)
	if err != nil {
		return resource.Made{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.policies[physical]
	if p == nil {
		return resource.Made{}, wire.Errorf("ValidationError", "PolicyARN %s not found", physical)
	}
	p.target = in.target
	return p.made(), nil
}

// deletePolicy is no error for a policy that went with its group.
func (s *Service) deletePolicy(physical string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.policies, physical)
	return nil
}
