package environment

import (
	"path"
	"regexp"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/settings"
)

var (
	applicationName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,38}[a-z0-9]$`)
	environmentName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$`)
	settingsPath    = regexp.MustCompile(`^(/[A-Za-z0-9_.-]+){1,15}$`)
)

// production is the environment that is protected without saying so.
const production = "production"

// Load reads an environment file for an application. The error names every
// problem of the file with its line and column; path stands before them, and
// its last part is the environment's name.
func Load(file, application string, data []byte) (*File, error) {
	f := &File{Path: file, Application: application, Soak: 5 * time.Minute}
	f.Environment = strings.TrimSuffix(strings.TrimSuffix(path.Base(file), ".yml"), ".yaml")
	if err := f.checkNames(); err != nil {
		return nil, err
	}
	doc := &document{name: file}
	if whole := doc.parse(data); whole != nil {
		f.read(whole.table("application", "protected", "network", "balancer", "instance_profile",
			"settings", "release", "roles", "soak"))
	}
	if err := doc.err(); err != nil {
		return nil, err
	}
	return f, nil
}

// checkNames keeps the names of stacks apart: those of test environments start
// with test, those of bases end with -base.
func (f *File) checkNames() error {
	switch app, env := f.Application, f.Environment; {
	case !applicationName.MatchString(app):
		return exit.Invalidf("application %q: expected 2 to 40 lower-case letters, digits and dashes, a letter first", short(app))
	case app == "test" || strings.HasPrefix(app, "test-"):
		return exit.Invalidf("application %q: reserved, stacks of test environments start with test", app)
	case !environmentName.MatchString(env):
		return exit.Invalidf("%s: %q cannot be an environment, expected at most 30 lower-case letters, digits and dashes, a letter first", f.Path, short(env))
	case env == "base" || strings.HasSuffix(env, "-base"):
		return exit.Invalidf("%s: an environment cannot be called %q, stacks that end with -base are the bases of others", f.Path, env)
	}
	return nil
}

func (f *File) read(t table) {
	if t.values == nil {
		return
	}
	if v, ok := t.get("application"); ok {
		if name, ok := v.text(); ok && name != f.Application {
			v.problemf("%q is not %s, the application that is deployed", short(name), f.Application)
		}
	}
	f.Protected = f.Environment == production
	if v, ok := t.get("protected"); ok {
		f.Protected = v.boolean()
	}
	if v, ok := t.get("settings"); ok {
		f.Settings = v.texts(settingsPath, "a Parameter Store path such as /shop/production", 10)
	}
	if v, ok := t.get("instance_profile"); ok {
		if r, ok := v.reference(profileARN); ok {
			f.Profile = &r
		}
	}
	f.readNetwork(t)
	f.readBalancer(t)
	f.readRoles(t)
	f.readRelease(t)
	f.readSoak(t)
	f.checkBalancer(t)
	f.checkRules(t)
	f.checkArchitecture(t)
	f.checkStacks(t)
	f.checkUserData(t)
}

// See LongestSoak.
const (
	longestSoak        = 180 * time.Minute
	longestScalingSoak = 10 * time.Minute
)

func (f *File) readSoak(t table) {
	v, ok := t.get("soak")
	if !ok {
		return
	}
	d, ok := v.duration(0, longestSoak)
	switch longest, role := f.LongestSoak(); {
	case !ok:
	case d%time.Minute != 0:
		v.problemf("%s is not a number of whole minutes", settings.Duration(d))
	case d > longest:
		v.problemf("%s is too long, at most %s while a role can scale, as %s can (max above min)", settings.Duration(d), settings.Duration(longest), role)
	}
	f.Soak = d
}

// mostUserData leaves room for what CloudFormation fills in: EC2 takes 16 KB.
const mostUserData = 15_000

func (f *File) checkUserData(t table) {
	for _, r := range f.Roles {
		if n := len(f.userData(r).text()); n > mostUserData {
			t.doc.problemf(r.at, "roles.%s: a server would be told %d bytes (ready, hosts, settings and so on), at most %d are possible", r.Name, n, mostUserData)
		}
	}
}

// checkStacks refuses a base that would be made from its own outputs.
func (f *File) checkStacks(t table) {
	for _, r := range f.references() {
		if stack, _, ok := r.Output(); ok && (stack == f.BaseStack() || stack == f.ServersStack()) {
			t.doc.problemf(r.at, "%s is this environment itself, it cannot be used by it", short(r.Text))
		}
	}
}

// references are all that the file refers to.
func (f *File) references() []Reference {
	var all []Reference
	if u := f.Network.Use; u != nil {
		all = append(append(append(all, u.VPC), u.Subnets...), u.BalancerSubnets...)
	}
	if f.Balancer != nil {
		if u := f.Balancer.Use; u != nil {
			all = append(all, u.Listener, u.SecurityGroup)
		}
		if c := f.Balancer.Create; c != nil && c.Certificate != nil {
			all = append(all, *c.Certificate)
		}
	}
	if f.Profile != nil {
		all = append(all, *f.Profile)
	}
	return all
}
