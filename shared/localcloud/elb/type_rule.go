package elb

import (
	"slices"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

func (s *Service) ruleType() resource.Type {
	return resource.Type{
		Name:       "AWS::ElasticLoadBalancingV2::ListenerRule",
		Properties: []string{"ListenerArn", "Priority", "Conditions", "Actions"},
		Immutable:  []string{"ListenerArn"},
		Attributes: []string{"RuleArn", "IsDefault"},
		Create:     s.createRule,
		Update:     s.updateRule,
		Delete:     s.deleteRule,
	}
}

// decodeRule reads a rule that is not registered yet. The lock is held.
func (s *Service) decodeRule(r resource.Request) (*rule, error) {
	p := r.Properties.Reader()
	in := &rule{listener: s.listeners[p.Need("ListenerArn")], priority: number(p, "Priority", 1, 50000, 0)}
	in.tags = tagsOf(r, nil)
	values := 0
	for _, c := range p.List("Conditions") {
		decoded := decodeCondition(c)
		values += len(decoded.values)
		in.conditions = append(in.conditions, decoded)
	}
	in.action = s.decodeAction(p, "Actions")
	switch {
	case p.Done() != nil:
		return nil, p.Done()
	case in.listener == nil:
		return nil, wire.Errorf("ListenerNotFound", "One or more listeners not found")
	case len(in.conditions) == 0:
		return nil, wire.Errorf("ValidationError", "A condition must be specified")
	case values > 5:
		return nil, wire.Errorf("ValidationError", "A rule can only have '5' condition values")
	}
	return in, nil
}

// decodeCondition takes the values at the top or in the field's own part.
func decodeCondition(r *resource.Reader) condition {
	c := condition{field: r.OneOf("Field", "", hostHeader, pathPattern)}
	r.Need("Field")
	part := map[string]string{hostHeader: "HostHeaderConfig", pathPattern: "PathPatternConfig"}[c.field]
	if part != "" && r.Has(part) {
		c.values = r.Map(part).Strings("Values")
	} else {
		c.values = r.Strings("Values")
	}
	if len(c.values) == 0 {
		r.Fail("A condition value must be specified")
	}
	for _, value := range c.values {
		if value == "" || len(value) > 128 {
			r.Fail("Condition value '%s' must have 1 to 128 characters", value)
		}
	}
	return c
}

// taken tells whether another rule has the priority. The lock is held.
func (l *listener) taken(priority int, except *rule) *wire.Error {
	if slices.ContainsFunc(l.rules, func(r *rule) bool { return r != except && r.priority == priority }) {
		return wire.Errorf("PriorityInUse", "Priority '%d' is currently in use", priority)
	}
	return nil
}

func (s *Service) createRule(r resource.Request) (resource.Made, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in, err := s.decodeRule(r)
	if err != nil {
		return resource.Made{}, err
	}
	l := in.listener
	if failure := l.taken(in.priority, nil); failure != nil {
		return resource.Made{}, failure
	}
	if failure := in.action.use(l.balancer); failure != nil {
		return resource.Made{}, failure
	}
	in.named = s.register(s.arn("listener-rule/"+l.balancer.fullName()+"/"+l.id+"/"+s.id("rule")), "", in.tags)
	s.rules[in.arn] = in
	l.rules = append(l.rules, in)
	l.order()
	return in.made(), nil
}

func (r *rule) made() resource.Made {
	return resource.Made{Physical: r.arn, Attributes: map[string]any{"RuleArn": r.arn, "IsDefault": "false"}}
}

// updateRule changes a rule between two requests: each sees the old or the
// new one.
func (s *Service) updateRule(r resource.Request, _ resource.Properties, physical string) (resource.Made, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.rules[physical]
	if old == nil {
		return resource.Made{}, wire.Errorf("RuleNotFound", "One or more rules not found")
	}
	in, err := s.decodeRule(r)
	if err != nil {
		return resource.Made{}, err
	}
	l := old.listener
	if failure := l.taken(in.priority, old); failure != nil {
		return resource.Made{}, failure
	}
	if failure := in.action.use(l.balancer); failure != nil {
		return resource.Made{}, failure
	}
	old.action.leave()
	old.priority, old.conditions, old.action, old.tags = in.priority, in.conditions, in.action, in.tags
	l.order()
	return old.made(), nil
}

func (s *Service) deleteRule(physical string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rules[physical]
	if r == nil {
		return nil
	}
	delete(s.rules, physical)
	r.action.leave()
	l := r.listener
	l.rules = slices.DeleteFunc(l.rules, func(other *rule) bool { return other == r })
	return nil
}
