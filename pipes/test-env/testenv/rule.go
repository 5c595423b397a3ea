package testenv

import (
	"context"
	"fmt"
	"hash/fnv"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
)

const (
	// band is where the rules of deploy-env begin that ask for a host or a path only.
	// Those of test environments come before them, since testing's own may take every
	// host of the domain.
	band = 10000

	// mostRules is what a balancer has, unless AWS was asked for more.
	mostRules = 100
)

// rule is one of the listener's, as far as it matters for another one.
type rule struct {
	priority int
	hosts    []string // patterns; empty: every host
}

// takes reports whether requests for a host may come to the rule.
func (r rule) takes(host string) bool {
	return len(r.hosts) == 0 || slices.ContainsFunc(r.hosts, func(pattern string) bool {
		ok, err := path.Match(strings.ToLower(pattern), host) // * and ?, and hosts have no slash
		return ok || err != nil
	})
}

// priority is a place for a new rule: free, and before every rule that would take the
// host away. It depends on the name, so that two environments that are created at once
// rarely want the same one; turn counts how often that has happened.
func priority(rules []rule, name, host string, turn int) (int, error) {
	before := band
	taken := map[int]bool{}
	for _, r := range rules {
		taken[r.priority] = true
		if r.takes(host) {
			before = min(before, r.priority)
		}
	}
	if len(rules) >= mostRules {
		return 0, exit.Refusedf("the balancer of testing has %d rules already, and %d are possible", len(rules), mostRules).
			Hint("destroy test environments that nobody needs: ACTION: list shows them")
	}
	if room := before - 1; room > 0 {
		h := fnv.New32a()
		fmt.Fprintf(h, "%s/%d", name, turn)
		first := int(h.Sum32() % uint32(room)) //nolint:gosec // below 10000
		for n := range room {
			if at := (first+n)%room + 1; !taken[at] {
				return at, nil
			}
		}
	}
	return 0, exit.Refusedf("a rule of testing's listener with priority %d takes every request for %s, and there is no room before it", before, host).
		Hint("give that rule a priority above 10000 (http: priority in environments/testing.yml), and deploy testing again")
}

// listener is testing's, as far as addresses are made of it.
type listener struct {
	arn    string
	scheme string // http or https
	port   int
	rules  []rule
}

// look reads the listener and its rules.
func (r *run) look(ctx context.Context, arn string) (*listener, error) {
	out, err := r.ELB.DescribeListeners(ctx, &elb.DescribeListenersInput{ListenerArns: []string{arn}})
	if err != nil {
		return nil, exit.Unablef("testing's listener cannot be looked up: %w", err)
	}
	if len(out.Listeners) == 0 {
		return nil, exit.Unablef("testing's listener %s is not there", arn)
	}
	l := &listener{arn: arn, scheme: "http", port: int(aws.ToInt32(out.Listeners[0].Port))}
	if out.Listeners[0].Protocol == types.ProtocolEnumHttps {
		l.scheme = "https"
	}
	pages := elb.NewDescribeRulesPaginator(r.ELB, &elb.DescribeRulesInput{ListenerArn: &arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, exit.Unablef("the rules of testing's listener cannot be listed: %w", err)
		}
		for _, one := range page.Rules {
			at, err := strconv.Atoi(aws.ToString(one.Priority))
			if err != nil {
				continue // the default
			}
			l.rules = append(l.rules, rule{at, hosts(one)})
		}
	}
	return l, nil
}

func hosts(r types.Rule) []string {
	var all []string
	for _, c := range r.Conditions {
		if aws.ToString(c.Field) != "host-header" {
			continue
		}
		if c.HostHeaderConfig != nil && len(c.HostHeaderConfig.Values) > 0 {
			all = append(all, c.HostHeaderConfig.Values...)
			continue
		}
		all = append(all, c.Values...)
	}
	return all
}

// url is the address of a host behind the listener.
func (l *listener) url(host string) string {
	if l.scheme == "https" && l.port == 443 || l.scheme == "http" && l.port == 80 {
		return l.scheme + "://" + host
	}
	return l.scheme + "://" + host + ":" + strconv.Itoa(l.port)
}

// domain is that of all test environments: what comes after the star in a host name of
// the base.
func domain(outputs map[string]string) (string, bool) {
	for host := range strings.SplitSeq(outputs[environment.OutputHosts], ",") {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(host), "*."); ok && rest != "" {
			return rest, true
		}
	}
	return "", false
}
