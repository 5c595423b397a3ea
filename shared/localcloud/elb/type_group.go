package elb

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

func (s *Service) groupType() resource.Type {
	return resource.Type{
		Name: "AWS::ElasticLoadBalancingV2::TargetGroup",
		Properties: []string{"VpcId", "Protocol", "Port", "TargetType", "HealthCheckPath", "HealthCheckProtocol", "HealthCheckPort",
			"HealthCheckIntervalSeconds", "HealthCheckTimeoutSeconds", "HealthyThresholdCount", "UnhealthyThresholdCount",
			"Matcher", "TargetGroupAttributes", "Tags"},
		Immutable:  []string{"VpcId", "Protocol", "Port", "TargetType"},
		Attributes: []string{"TargetGroupFullName"},
		Create:     s.createGroup,
		Update:     s.updateGroup,
		Delete:     s.deleteGroup,
	}
}

// decodeGroup reads the settings of a target group into a group that is not
// registered yet.
func decodeGroup(r resource.Request) (*group, error) {
	p := r.Properties.Reader()
	p.OneOf("Protocol", "HTTP")
	p.OneOf("TargetType", "instance")
	p.OneOf("HealthCheckProtocol", "HTTP")
	if !p.Has("Protocol") || !p.Has("Port") || !p.Has("VpcId") {
		p.Fail("A target group of instances needs Protocol, Port and VpcId")
	}
	g := &group{
		vpc: p.Need("VpcId"), port: number(p, "Port", 1, 65535, 1),
		healthPath: or(p.String("HealthCheckPath"), "/"), healthPort: or(p.String("HealthCheckPort"), "traffic-port"),
		interval:  time.Duration(number(p, "HealthCheckIntervalSeconds", 5, 300, 30)) * time.Second,
		timeout:   time.Duration(number(p, "HealthCheckTimeoutSeconds", 2, 120, 5)) * time.Second,
		healthy:   number(p, "HealthyThresholdCount", 2, 10, 5),
		unhealthy: number(p, "UnhealthyThresholdCount", 2, 10, 2),
		matcher:   or(p.String("Matcher.HttpCode"), "200"),
		delay:     5 * time.Minute, algorithm: roundRobin,
	}
	g.tags = tagsOf(r, p.Tags("Tags"))
	var sticky bool
	attributes(p, "TargetGroupAttributes", map[string]func(string) error{
		"deregistration_delay.timeout_seconds": seconds(&g.delay, 0, 3600),
		"load_balancing.algorithm.type":        oneOf(&g.algorithm, roundRobin, leastOutstanding),
		"stickiness.enabled":                   truth(&sticky),
	})
	_, notNumber := strconv.Atoi(g.healthPort)
	switch {
	case p.Done() != nil:
		return nil, p.Done()
	case sticky:
		return nil, wire.Unsupported("stickiness.enabled=true of target groups")
	case g.timeout >= g.interval:
		return nil, wire.Errorf("ValidationError", "Health check timeout '%d' must be smaller than the interval '%d'", g.timeout/time.Second, g.interval/time.Second)
	case !strings.HasPrefix(g.healthPath, "/"):
		return nil, wire.Errorf("ValidationError", "Health check path '%s' must begin with a '/' character", g.healthPath)
	case g.healthPort != "traffic-port" && notNumber != nil:
		return nil, wire.Errorf("ValidationError", "Health check port '%s' must be 'traffic-port' or a port", g.healthPort)
	case !validMatcher(g.matcher):
		return nil, wire.Errorf("ValidationError", "Health check matcher HTTP code '%s' must be within '200-499' inclusive", g.matcher)
	}
	return g, nil
}

func oneOf(into *string, allowed ...string) func(string) error {
	return func(value string) error {
		for _, a := range allowed {
			if a == value {
				*into = value
				return nil
			}
		}
		return fmt.Errorf("the local cloud knows %s", strings.Join(allowed, ", "))
	}
}

func (s *Service) createGroup(r resource.Request) (resource.Made, error) {
	g, err := decodeGroup(r)
	if err != nil {
		return resource.Made{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := s.name(r)
	g.named = s.register(s.arn("targetgroup/"+name+"/"+s.id("target group")), name, g.tags)
	s.groups[g.arn] = g
	return g.made(), nil
}

// fullName is the last part of the ARN, as metrics have it.
func (g *group) fullName() string { return g.arn[strings.Index(g.arn, "targetgroup/"):] }

func (g *group) made() resource.Made {
	return resource.Made{Physical: g.arn, Attributes: map[string]any{"TargetGroupFullName": g.fullName()}}
}

// updateGroup changes the settings; the targets stay, and their health.
func (s *Service) updateGroup(r resource.Request, _ resource.Properties, physical string) (resource.Made, error) {
	in, err := decodeGroup(r)
	if err != nil {
		return resource.Made{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, failure := s.group(physical)
	if failure != nil {
		return resource.Made{}, failure
	}
	g.healthPath, g.healthPort, g.matcher = in.healthPath, in.healthPort, in.matcher
	g.interval, g.timeout, g.healthy, g.unhealthy = in.interval, in.timeout, in.healthy, in.unhealthy
	g.delay, g.algorithm, g.tags = in.delay, in.algorithm, in.tags
	return g.made(), nil
}

// deleteGroup refuses a group that a rule forwards to. Targets go with it,
// and what is in flight to them.
func (s *Service) deleteGroup(physical string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[physical]
	if g == nil {
		return nil
	}
	if g.uses > 0 {
		return wire.Errorf("ResourceInUse", "Target group '%s' is currently in use by a listener or a rule", physical)
	}
	for _, t := range g.targets {
		t.health = draining // ends its checks
		t.wake()
		t.finish()
	}
	g.targets = nil
	delete(s.groups, physical)
	return nil
}
