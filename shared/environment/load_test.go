package environment_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
)

func parse(t *testing.T, name, file string) *environment.File {
	t.Helper()
	f, err := environment.Load(name, "shop", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	f := parse(t, "environments/staging.yml", "\ufeffroles: {web: {http: }, worker: }\r\n")
	if f.Environment != "staging" || f.Protected || f.Soak != 5*time.Minute || f.BaseStack() != "shop-staging-base" || f.ServersStack() != "shop-staging" {
		t.Errorf("got %+v", f)
	}
	network := environment.NewNetwork{CIDR: netip.MustParsePrefix("10.20.0.0/16"), Zones: 2, Egress: environment.EgressPublic}
	if *f.Network.Create != network || f.Balancer.Create.Idle != time.Minute || f.Balancer.Create.Certificate != nil || f.Profile != nil {
		t.Errorf("got %+v, %+v", f.Network, f.Balancer)
	}
	if f.Release.When != environment.WhenChanged || f.Release.Timeout != 15*time.Minute || f.Release.Instance != "t3.small" || f.Architecture() != "x86_64" {
		t.Errorf("got %+v", f.Release)
	}
	web, _ := f.Role("web")
	if web.Min != 1 || web.Max != 1 || web.Start != 10*time.Minute || web.Drain != 30*time.Second || web.CPU != 0 || web.Instance != "t3.small" {
		t.Errorf("got %+v", web)
	}
	if h := web.HTTP; h.Health != "/health" || h.Port != 8000 || h.Drain != 30*time.Second || h.Priority == 0 {
		t.Errorf("got %+v", h)
	}
	if parse(t, "environments/production.yml", "roles: {worker: }").Balancer != nil {
		t.Error("a balancer that nobody needs")
	}
	for file, want := range map[string]bool{"roles: {web: }": true, "protected: false\nroles: {web: }": false} {
		if f := parse(t, "environments/production.yml", file); f.Protected != want {
			t.Errorf("%q: protected %v", file, f.Protected)
		}
	}
	scaling := parse(t, "x.yaml", "roles: {web: {min: 2, max: 9, instance: m7g.large}, worker: {instance: t4g.nano}}")
	role := scaling.Roles[0]
	if role.CPU != 60 || role.Clamp(1) != 2 || role.Clamp(5) != 5 || role.Clamp(10) != 9 || scaling.Architecture() != "arm64" {
		t.Errorf("got %+v", role)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ path, application, want string }{
		{"environments/staging.yml", "Shop", `application "Shop": expected 2 to 40`},
		{"environments/staging.yml", "test-shop", `application "test-shop": reserved`},
		{"environments/staging.yml", "test", `application "test": reserved`},
		{"environments/Staging.yml", "shop", `environments/Staging.yml: "Staging" cannot be an environment`},
		{"environments/" + strings.Repeat("a", 31) + ".yml", "shop", `cannot be an environment`},
		{"environments/.yml", "shop", `environments/.yml: "" cannot be an environment`},
		{"environments/eu-base.yml", "shop", `an environment cannot be called "eu-base"`},
	} {
		_, err := environment.Load(test.path, test.application, []byte("roles: {web: }"))
		if err == nil || !strings.Contains(err.Error(), test.want) || exit.CodeOf(err) != exit.Invalid {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

// Rules with more conditions are asked first, wherever the roles stand.
func TestPriorities(t *testing.T) {
	t.Parallel()
	order := func(file string) map[string]int {
		all := map[string]int{}
		for _, r := range parse(t, "staging.yml", file).Roles {
			all[r.Name] = r.HTTP.Priority
		}
		return all
	}
	got := order(`roles:
  web: {http: {}}
  api: {processes: [web], http: {paths: [/api/*]}}
  blog: {processes: [web], http: {paths: [/blog/*], hosts: [blog.example.com]}}
`)
	if got["blog"] >= got["api"] || got["api"] >= got["web"] || got["blog"] < 1 || got["web"] > 30000 {
		t.Errorf("got %v", got)
	}
	turned := order(`roles:
  blog: {processes: [web], http: {paths: [/blog/*], hosts: [blog.example.com]}}
  api: {processes: [web], http: {paths: [/api/*]}}
  web: {http: {}}
`)
	if diff := cmp.Diff(got, turned); diff != "" {
		t.Error(diff)
	}
}

func TestProcesses(t *testing.T) {
	t.Parallel()
	f := parse(t, "environments/staging.yml", `roles:
  web:
  mail: {processes: [mailer, worker]}
  clock: {exactly: 1}
release: {when: always}
`)
	types := []string{"web", "worker", "clock", "spare"}
	err := f.CheckProcesses(types, "the Procfile")
	want := `environments/staging.yml:3:3: roles.mail: runs the process type mailer, which the Procfile does not have (it has web, worker, clock, spare)
environments/staging.yml:5:1: release: is to run always, but the Procfile has no process type release`
	if err == nil || err.Error() != want || exit.CodeOf(err) != exit.Invalid {
		t.Errorf("got %v", err)
	}
	types = append(types, "mailer", "release")
	if err := f.CheckProcesses(types, "the Procfile"); err != nil || !f.HasRelease(types) {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"spare"}, f.Idle(types)); diff != "" {
		t.Error(diff)
	}
	all := parse(t, "environments/staging.yml", "roles: {all: }\nrelease: {when: never}\n")
	if err := all.CheckProcesses(types, "the Procfile"); err != nil || all.Idle(types) != nil || all.HasRelease(types) {
		t.Errorf("%v, idle %v", err, all.Idle(types))
	}
}

// Subnets do not overlap, lie in the network, and leave room.
func TestSubnets(t *testing.T) {
	t.Parallel()
	for _, cidr := range []string{"10.0.0.0/16", "192.168.240.0/20", "172.31.254.0/23"} {
		f := parse(t, "staging.yml", "network: {create: {cidr: "+cidr+", zones: 3, egress: nat}}\nroles: {web: }")
		var all []netip.Prefix
		for id, r := range read(t, f.Base()).Resources {
			if r.Type != "AWS::EC2::Subnet" {
				continue
			}
			p := netip.MustParsePrefix(r.Properties["CidrBlock"].(string))
			if p != p.Masked() || !netip.MustParsePrefix(cidr).Contains(p.Addr()) || p.Bits() > 27 {
				t.Errorf("%s: %s is %s", cidr, id, p)
			}
			for _, other := range all {
				if other.Overlaps(p) {
					t.Errorf("%s: %s and %s", cidr, p, other)
				}
			}
			all = append(all, p)
		}
		if len(all) != 6 {
			t.Errorf("%s: %v", cidr, all)
		}
	}
}

func TestInline(t *testing.T) {
	t.Parallel()
	if !environment.Inline(make([]byte, 51200)) || environment.Inline(make([]byte, 51201)) {
		t.Error("the limit is 51,200 bytes")
	}
}

// FuzzLoad is for files that nobody thought of: they are read or refused, and
// what is read makes templates.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/files/*.yml")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, test := range bad {
		f.Add([]byte(test.file))
	}
	f.Add([]byte(strings.Repeat("[", 2000)))
	f.Add([]byte("roles: {web: {http: {hosts: [stack:a/b, a:1, {b: c}, {d:e}, ? ]}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := environment.Load("environments/staging.yml", "shop", data)
		if err != nil {
			if exit.CodeOf(err) != exit.Invalid {
				t.Errorf("exit code %d: %v", exit.CodeOf(err), err)
			}
			return
		}
		for _, template := range []*environment.Template{file.Base(), file.Servers(environment.Values{})} {
			if _, err := template.JSON(); err != nil {
				t.Error(err)
			}
		}
	})
}
