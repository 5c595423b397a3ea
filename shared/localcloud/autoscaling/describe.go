package autoscaling

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// pages is the paging that all Describe actions share.
type pages struct {
	size  int
	token string
}

func decodePages(p *wire.Params, most, usual int) pages {
	return pages{p.Int("MaxRecords", 1, most, usual), p.String("NextToken")}
}

type describeGroupsInput struct {
	pages
	names   []string
	filters []filter
}

// filter is tag-key, or tag:KEY, with the values of which one must fit.
type filter struct {
	name   string
	values []string
}

func decodeDescribeGroups(p *wire.Params) describeGroupsInput {
	in := describeGroupsInput{pages: decodePages(p, 100, 50), names: p.Strings("AutoScalingGroupNames")}
	for _, f := range p.Groups("Filters") {
		one := filter{f.Need("Name"), f.Strings("Values")}
		if one.name != "tag-key" && !strings.HasPrefix(one.name, "tag:") {
			p.Fail(wire.Unsupported("the filter %s of DescribeAutoScalingGroups", one.name))
		}
		in.filters = append(in.filters, one)
	}
	return in
}

func (f filter) picks(g *group) bool {
	key, byKey := strings.CutPrefix(f.name, "tag:")
	return slices.ContainsFunc(g.tags, func(t tag) bool {
		if !byKey {
			return slices.Contains(f.values, t.key)
		}
		return t.key == key && slices.Contains(f.values, t.value)
	})
}

type groupsAnswer struct {
	Groups []groupXML `xml:"AutoScalingGroups>member"`
	Next   string     `xml:"NextToken,omitempty"`
}

// describeGroups leaves names out that there is no group of.
func (s *Service) describeGroups(_ context.Context, _ *wire.Call, in describeGroupsInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := slices.DeleteFunc(s.sorted(), func(g *group) bool {
		return len(in.names) > 0 && !slices.Contains(in.names, g.name) ||
			slices.ContainsFunc(in.filters, func(f filter) bool { return !f.picks(g) })
	})
	page, next, err := wire.Page(found, func(g *group) int64 { return g.ordinal }, in.size, in.token)
	if err != nil {
		return nil, err
	}
	out := groupsAnswer{Next: next}
	for _, g := range page {
		out.Groups = append(out.Groups, s.groupXML(g))
	}
	return out, nil
}

// sorted are the groups in the order of their creation. The lock is held.
func (s *Service) sorted() []*group {
	return slices.SortedFunc(maps.Values(s.groups), func(a, b *group) int { return cmp.Compare(a.ordinal, b.ordinal) })
}

type describeInstancesInput struct {
	pages
	ids []string
}

func decodeDescribeInstances(p *wire.Params) describeInstancesInput {
	return describeInstancesInput{decodePages(p, 50, 50), p.Strings("InstanceIds")}
}

type instancesAnswer struct {
	Instances []instanceXML `xml:"AutoScalingInstances>member"`
	Next      string        `xml:"NextToken,omitempty"`
}

func (s *Service) describeInstances(_ context.Context, _ *wire.Call, in describeInstancesInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	group := map[*member]string{}
	var found []*member
	for _, g := range s.sorted() {
		for _, m := range g.members {
			if m.instance != "" && (len(in.ids) == 0 || slices.Contains(in.ids, m.instance)) {
				group[m] = g.name
				found = append(found, m)
			}
		}
	}
	slices.SortFunc(found, func(a, b *member) int { return cmp.Compare(a.ordinal, b.ordinal) })
	page, next, err := wire.Page(found, func(m *member) int64 { return m.ordinal }, in.size, in.token)
	if err != nil {
		return nil, err
	}
	out := instancesAnswer{Next: next}
	for _, m := range page {
		one := m.xml()
		one.Group = group[m]
		out.Instances = append(out.Instances, one)
	}
	return out, nil
}

type describeActivitiesInput struct {
	pages
	group   string
	ids     []string
	deleted bool
}

func decodeDescribeActivities(p *wire.Params) describeActivitiesInput {
	return describeActivitiesInput{
		pages: decodePages(p, 100, 100), group: p.String("AutoScalingGroupName"),
		ids: p.Strings("ActivityIds"), deleted: p.Bool("IncludeDeletedGroups", false),
	}
}

type activitiesAnswer struct {
	Activities []activityXML `xml:"Activities>member"`
	Next       string        `xml:"NextToken,omitempty"`
}

// describeActivities gives the newest first, as the console does.
func (s *Service) describeActivities(_ context.Context, _ *wire.Call, in describeActivitiesInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := s.sorted()
	if in.deleted {
		groups = append(groups, s.deleted...)
	}
	known := false
	var found []*activity
	for _, g := range groups {
		if in.group == "" || g.name == in.group {
			known = true
			found = append(found, g.activities...)
		}
	}
	if in.group != "" && !known {
		_, failure := s.group(in.group)
		return nil, failure
	}
	found = slices.DeleteFunc(found, func(a *activity) bool { return len(in.ids) > 0 && !slices.Contains(in.ids, a.id) })
	slices.SortFunc(found, func(a, b *activity) int { return cmp.Compare(b.ordinal, a.ordinal) })
	page, next, err := wire.Page(found, func(a *activity) int64 { return math.MaxInt64 - a.ordinal }, in.size, in.token)
	if err != nil {
		return nil, err
	}
	out := activitiesAnswer{Next: next}
	for _, a := range page {
		out.Activities = append(out.Activities, a.xml())
	}
	return out, nil
}
