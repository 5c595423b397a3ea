package elb

import (
	"fmt"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Types are the CloudFormation types of load balancing.
func (s *Service) Types() []resource.Type {
	return []resource.Type{s.balancerType(), s.groupType(), s.listenerType(), s.ruleType()}
}

// tagsOf are those of the template over those of the stack.
func tagsOf(r resource.Request, own map[string]string) world.Tags {
	return world.Tags(r.Tags).With(own)
}

// name is a name as CloudFormation makes one, within the 32 characters that
// load balancers and target groups may have.
func (s *Service) name(r resource.Request) string {
	unique := s.world.Key("name", 12)
	logical := r.LogicalID[:min(len(r.LogicalID), 8)]
	stack := r.Stack[:min(len(r.Stack), 32-2-len(unique)-len(logical))]
	return strings.Trim(stack, "-") + "-" + logical + "-" + unique
}

// id is the last part of an ARN: 16 hex digits.
func (s *Service) id(kind string) string {
	return strings.ReplaceAll(s.world.UUID(kind), "-", "")[:16]
}

func (s *Service) arn(path string) string { return s.world.ARN("elasticloadbalancing", path) }

// attributes reads a list of Key and Value in which only some keys are
// understood.
func attributes(r *resource.Reader, property string, known map[string]func(value string) error) {
	for _, a := range r.List(property) {
		key, value := a.Need("Key"), a.String("Value")
		set := known[key]
		if set == nil {
			a.Fail("the local cloud does not know the attribute %q of %s", key, property)
			continue
		}
		if err := set(value); err != nil {
			a.Fail("the value %q of the attribute %q is not valid: %w", value, key, err)
		}
	}
}

// seconds reads a number of seconds into d.
func seconds(d *time.Duration, low, high int) func(string) error {
	return func(value string) error {
		var n int
		if _, err := fmt.Sscanf(value+"\n", "%d\n", &n); err != nil || n < low || n > high {
			return fmt.Errorf("expected a number of seconds from %d to %d", low, high)
		}
		*d = time.Duration(n) * time.Second
		return nil
	}
}

// truth reads true or false into b.
func truth(b *bool) func(string) error {
	return func(value string) error {
		if value != "true" && value != "false" {
			return fmt.Errorf("expected true or false")
		}
		*b = value == "true"
		return nil
	}
}

// number reads a number within bounds.
func number(r *resource.Reader, property string, low, high, fallback int) int {
	n := r.Int(property, fallback)
	if n < low || n > high {
		r.Fail("%s must be between %d and %d, not %d", property, low, high, n)
	}
	return n
}
