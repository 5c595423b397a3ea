package elb

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// maxPage is the most that one answer holds.
const maxPage = 400

// describeInput are the questions that all Describe actions share. An empty
// list of names asks for everything.
type describeInput struct {
	arns, names []string
	parent      string // ARN of what they belong to
	size        int
	marker      string
}

func decodePaged(p *wire.Params) describeInput {
	return describeInput{size: p.Int("PageSize", 1, maxPage, maxPage), marker: p.String("Marker")}
}

func decodeDescribeBalancers(p *wire.Params) describeInput {
	in := decodePaged(p)
	in.arns, in.names = p.Strings("LoadBalancerArns"), p.Strings("Names")
	return in
}

func decodeDescribeListeners(p *wire.Params) describeInput {
	in := decodePaged(p)
	in.arns, in.parent = p.Strings("ListenerArns"), p.String("LoadBalancerArn")
	return in
}

func decodeDescribeRules(p *wire.Params) describeInput {
	in := decodePaged(p)
	in.arns, in.parent = p.Strings("RuleArns"), p.String("ListenerArn")
	return in
}

func decodeDescribeGroups(p *wire.Params) describeInput {
	in := decodePaged(p)
	in.arns, in.names, in.parent = p.Strings("TargetGroupArns"), p.Strings("Names"), p.String("LoadBalancerArn")
	return in
}

// selected are the things that a question asks for, in the order of their
// creation; missing is the answer when a name has none.
func selected[T any](all map[string]T, in describeInput, of func(T) named, missing *wire.Error) ([]T, *wire.Error) {
	var names []string
	for _, one := range all {
		names = append(names, of(one).name)
	}
	for _, arn := range in.arns {
		if _, ok := all[arn]; !ok {
			return nil, missing
		}
	}
	for _, name := range in.names {
		if !slices.Contains(names, name) {
			return nil, missing
		}
	}
	found := slices.SortedFunc(maps.Values(all), func(a, b T) int { return cmp.Compare(of(a).ordinal, of(b).ordinal) })
	return slices.DeleteFunc(found, func(one T) bool {
		n := of(one)
		return len(in.arns) > 0 && !slices.Contains(in.arns, n.arn) || len(in.names) > 0 && !slices.Contains(in.names, n.name)
	}), nil
}

type balancersAnswer struct {
	Balancers []balancerXML `xml:"LoadBalancers>member"`
	Next      string        `xml:"NextMarker,omitempty"`
}

func (s *Service) describeBalancers(_ context.Context, _ *wire.Call, in describeInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, failure := selected(s.balancers, in, func(b *balancer) named { return b.named },
		wire.Errorf("LoadBalancerNotFound", "One or more load balancers not found"))
	if failure != nil {
		return nil, failure
	}
	page, next, err := wire.Page(found, func(b *balancer) int64 { return b.ordinal }, in.size, in.marker)
	if err != nil {
		return nil, err
	}
	out := balancersAnswer{Next: next}
	for _, b := range page {
		out.Balancers = append(out.Balancers, s.balancerXML(b, time.Now()))
	}
	return out, nil
}

type listenersAnswer struct {
	Listeners []listenerXML `xml:"Listeners>member"`
	Next      string        `xml:"NextMarker,omitempty"`
}

func (s *Service) describeListeners(_ context.Context, _ *wire.Call, in describeInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case in.parent == "" && len(in.arns) == 0:
		return nil, wire.Errorf("ValidationError", "You must specify either listener ARNs or a load balancer ARN")
	case in.parent != "" && s.balancers[in.parent] == nil:
		return nil, wire.Errorf("LoadBalancerNotFound", "One or more load balancers not found")
	}
	found, failure := selected(s.listeners, in, func(l *listener) named { return l.named },
		wire.Errorf("ListenerNotFound", "One or more listeners not found"))
	if failure != nil {
		return nil, failure
	}
	found = slices.DeleteFunc(found, func(l *listener) bool { return in.parent != "" && l.balancer.arn != in.parent })
	page, next, err := wire.Page(found, func(l *listener) int64 { return l.ordinal }, in.size, in.marker)
	if err != nil {
		return nil, err
	}
	out := listenersAnswer{Next: next}
	for _, l := range page {
		out.Listeners = append(out.Listeners, l.xml())
	}
	return out, nil
}

type rulesAnswer struct {
	Rules []ruleXML `xml:"Rules>member"`
	Next  string    `xml:"NextMarker,omitempty"`
}

// describeRules shows a listener's rules by priority, the default last.
func (s *Service) describeRules(_ context.Context, _ *wire.Call, in describeInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.listeners[in.parent]; l != nil && len(in.arns) == 0 {
		var out rulesAnswer
		for _, r := range l.rules {
			out.Rules = append(out.Rules, r.xml())
		}
		out.Rules = append(out.Rules, l.defaultXML())
		return out, nil
	}
	if in.parent != "" || len(in.arns) == 0 {
		return nil, wire.Errorf("ListenerNotFound", "One or more listeners not found")
	}
	found, failure := selected(s.rules, in, func(r *rule) named { return r.named }, wire.Errorf("RuleNotFound", "One or more rules not found"))
	if failure != nil {
		return nil, failure
	}
	var out rulesAnswer
	for _, r := range found {
		out.Rules = append(out.Rules, r.xml())
	}
	return out, nil
}

type groupsAnswer struct {
	Groups []groupXML `xml:"TargetGroups>member"`
	Next   string     `xml:"NextMarker,omitempty"`
}

func (s *Service) describeGroups(_ context.Context, _ *wire.Call, in describeInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.parent != "" && s.balancers[in.parent] == nil {
		return nil, wire.Errorf("LoadBalancerNotFound", "One or more load balancers not found")
	}
	found, failure := selected(s.groups, in, func(g *group) named { return g.named }, wire.Errorf("TargetGroupNotFound", "One or more target groups not found"))
	if failure != nil {
		return nil, failure
	}
	found = slices.DeleteFunc(found, func(g *group) bool { return in.parent != "" && (g.user == nil || g.user.arn != in.parent) })
	page, next, err := wire.Page(found, func(g *group) int64 { return g.ordinal }, in.size, in.marker)
	if err != nil {
		return nil, err
	}
	out := groupsAnswer{Next: next}
	for _, g := range page {
		out.Groups = append(out.Groups, g.xml())
	}
	return out, nil
}

type healthAnswer struct {
	Targets []targetHealthXML `xml:"TargetHealthDescriptions>member"`
}

// describeTargetHealth also answers for targets that are not registered, when
// they are asked for by name.
func (s *Service) describeTargetHealth(_ context.Context, _ *wire.Call, in targetsInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, failure := s.group(in.group)
	if failure != nil {
		return nil, failure
	}
	var out healthAnswer
	if len(in.targets) == 0 {
		for _, t := range g.targets {
			out.Targets = append(out.Targets, healthXML(t.instance, t.port, strconv.Itoa(g.checkedPort(t)), t.shown()))
		}
		return out, nil
	}
	for _, name := range in.targets {
		t := g.find(name.instance, name.port)
		if t == nil {
			out.Targets = append(out.Targets, healthXML(name.instance, cmp.Or(name.port, g.port), "", notRegistered))
			continue
		}
		out.Targets = append(out.Targets, healthXML(t.instance, t.port, strconv.Itoa(g.checkedPort(t)), t.shown()))
	}
	return out, nil
}
