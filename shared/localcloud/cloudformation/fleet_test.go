package cloudformation_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

// fleet is a small Auto Scaling: groups whose servers boot, signal and end in
// simulated time.
type fleet struct {
	d *desk

	mu     sync.Mutex
	made   int
	groups map[string]*fakeGroup

	// vote is what a server of a launch template's version signals; "" is
	// silence.
	vote map[string]types.ResourceSignalStatus
	boot time.Duration
	end  time.Duration
	log  []string
}

type fakeGroup struct {
	logical            string
	low, high, desired int
	template, version  string
	members            []*fakeMember
	suspended          []string
}

type fakeMember struct {
	resource.Member
	up, gone time.Time // gone is zero while it is not terminating
}

func newFleet(d *desk) *fleet {
	return &fleet{d: d, groups: map[string]*fakeGroup{}, vote: map[string]types.ResourceSignalStatus{}, boot: 30 * time.Second, end: 20 * time.Second}
}

func (f *fleet) groupType() resource.Type {
	return resource.Type{
		Name: group, Properties: []string{"MinSize", "MaxSize", "DesiredCapacity", "VPCZoneIdentifier", "LaunchTemplate", "Tags"},
		Create: f.create, Update: f.update, Delete: f.remove, Stable: f.stable,
	}
}

func (f *fleet) create(r resource.Request) (resource.Made, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made++
	name := fmt.Sprintf("%s-%s-%d", r.Stack, r.LogicalID, f.made)
	g := &fakeGroup{logical: r.LogicalID}
	f.groups[name] = g
	f.configure(g, r.Properties, true)
	f.tend(g)
	return resource.Made{Physical: name}, nil
}

func (f *fleet) configure(g *fakeGroup, p resource.Properties, fresh bool) {
	r := p.Reader()
	g.low, g.high = r.Int("MinSize", 0), r.Int("MaxSize", 0)
	if fresh {
		g.desired = g.low
	}
	g.desired = max(r.Int("DesiredCapacity", g.desired), g.low)
	g.template, g.version = r.String("LaunchTemplate.LaunchTemplateId"), r.String("LaunchTemplate.Version")
}

func (f *fleet) update(r resource.Request, _ resource.Properties, name string) (resource.Made, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.groups[name]
	f.configure(g, r.Properties, false)
	f.tend(g)
	return resource.Made{Physical: name}, nil
}

func (f *fleet) remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if g := f.groups[name]; g != nil {
		g.low, g.high, g.desired = 0, 0, 0
		f.tend(g)
	}
	return nil
}

func (f *fleet) stable(name string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.groups[name]
	if g == nil {
		return true, nil
	}
	f.tend(g)
	if g.high == 0 && len(g.members) == 0 {
		delete(f.groups, name)
	}
	return g.high > 0 || len(g.members) == 0, nil
}

// tend buries, launches and takes down what the desired size asks for. The
// oldest launch templates go first.
func (f *fleet) tend(g *fakeGroup) {
	now := time.Now()
	g.members = slices.DeleteFunc(g.members, func(m *fakeMember) bool { return !m.gone.IsZero() && !now.Before(m.gone) })
	count := 0
	for _, m := range g.members {
		if m.gone.IsZero() {
			count++
		}
	}
	for ; count < g.desired && !slices.Contains(g.suspended, "Launch"); count++ {
		f.made++
		m := &fakeMember{Member: resource.Member{Instance: fmt.Sprintf("i-%d", f.made), Template: g.template, Version: g.version}, up: now.Add(f.boot)}
		g.members = append(g.members, m)
		if vote := f.vote[g.version]; vote != "" {
			// One after the other, so that the first failure is one.
			time.AfterFunc(f.boot+time.Duration(f.made)*time.Millisecond, func() { _ = f.d.signal(g.logical, m.Instance, vote) })
		}
	}
	for ; count > g.desired; count-- {
		n := slices.IndexFunc(g.members, func(m *fakeMember) bool { return m.gone.IsZero() && m.Version != g.version })
		if n < 0 {
			n = slices.IndexFunc(g.members, func(m *fakeMember) bool { return m.gone.IsZero() })
		}
		g.members[n].gone = now.Add(f.end)
	}
}

func (f *fleet) Size(name string) (low, high, desired int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.groups[name]
	if g == nil {
		return 0, 0, 0, errors.New("no group " + name)
	}
	return g.low, g.high, g.desired, nil
}

func (f *fleet) SetSize(name string, low, high, desired int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.groups[name]
	g.low, g.high, g.desired = low, high, desired
	f.tend(g)
	return nil
}

func (f *fleet) Members(name string) []resource.Member {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.groups[name]
	if g == nil {
		return nil
	}
	f.tend(g)
	var all []resource.Member
	for _, m := range g.members {
		x := m.Member
		x.InService = m.gone.IsZero() && !time.Now().Before(m.up)
		all = append(all, x)
	}
	return all
}

func (f *fleet) Terminate(id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, g := range f.groups {
		for _, m := range g.members {
			if m.Instance == id && m.gone.IsZero() {
				m.gone = time.Now().Add(f.end)
				f.log = append(f.log, "terminate "+m.Version)
				f.tend(g)
			}
		}
	}
	return nil
}

func (f *fleet) Suspend(name string, processes []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.groups[name].suspended = append(f.groups[name].suspended, processes...)
	return nil
}

func (f *fleet) Resume(name string, processes []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.groups[name]
	g.suspended = slices.DeleteFunc(g.suspended, func(p string) bool { return slices.Contains(processes, p) })
	f.tend(g)
	return nil
}

// servers counts a fleet's servers in service by version.
func (f *fleet) servers() map[string]int {
	counts := map[string]int{}
	for _, name := range sortedKeys(f.groups) {
		for _, m := range f.Members(name) {
			if m.InService {
				counts[m.Version]++
			}
		}
	}
	return counts
}
