package environment_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
)

const shownCommit = "4f2c9b7a1d3e4f2c9b7a1d3e4f2c9b7a1d3e4f2c"

// shown is what a test environment is made of.
var shown = environment.TestValues{
	Stack: "test-shop-4f2c9b7a", URL: "https://shop-4f2c9b7a.test.example.com", Host: "shop-4f2c9b7a.test.example.com",
	Image: "ami-0123456789abcdef0", Commit: shownCommit, Instance: "t4g.micro", Processes: []string{"release", "web", "worker"}, Priority: 137,
	Base: map[string]string{
		environment.OutputVPC: "vpc-0123456789abcdef0", environment.OutputSubnets: "subnet-1,subnet-2", environment.OutputServerGroup: "sg-0123456789abcdef0",
		environment.OutputProfile: "arn:aws:iam::111122223333:instance-profile/p", environment.OutputListener: "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/a/b/c",
	},
}

func TestFileOfTestEnvironments(t *testing.T) {
	t.Parallel()
	whole := "application: shop\nprocesses: [web, worker]\ninstance: t3.small\nhttp: {health: /healthz, port: 9000}\nready: test -e up\n" +
		"start: 5m\ndrain: 10s\nsettings: [/shop/common, /shop/test]\ndatabase: server\nseed: bin/seed --small\n"
	got, err := environment.LoadTest("environments/test.yml", "shop", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := &environment.Test{
		Path: "environments/test.yml", Application: "shop", Processes: []string{"web", "worker"}, Instance: "t3.small", Health: "/healthz", Port: 9000,
		Ready: "test -e up", Start: 5 * time.Minute, Drain: 10 * time.Second, Settings: []string{"/shop/common", "/shop/test"},
		Database: environment.DatabaseServer, Seed: "bin/seed --small",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	least, err := environment.LoadTest("environments/test.yml", "shop", []byte("seed: bin/seed\n"))
	if err != nil || least.Health != "/health" || least.Port != 8000 || least.Database != environment.DatabaseNone || least.Settings[0] != "/shop/test" {
		t.Errorf("%+v, %v", least, err)
	}
	for text, part := range map[string]string{
		"proceses: [web]":     "environments/test.yml:1:1: proceses: unknown key, did you mean processes?",
		"database: snapshot":  `environments/test.yml:1:11: database: `,
		"http: {port: 80}":    "http.port: 80 is not within 1024 and 65535",
		"application: blog":   `"blog" is not shop, the application that is shown`,
		"settings: [shop]":    "is not a Parameter Store path",
		"start: 2h":           "is not within 1m and 1h",
		"instance: micro":     "is not a type of server",
		"":                    "the file is empty",
		"seed: [a]\nready: 3": "environments/test.yml:2:8: ready",
	} {
		if _, err := environment.LoadTest("environments/test.yml", "shop", []byte(text)); err == nil || !strings.Contains(err.Error(), part) || exit.CodeOf(err) != exit.Invalid {
			t.Errorf("%q: %v, want %q", text, err, part)
		}
	}
}

// What was made once is deleted by its template of then; new ones may look otherwise, but
// not by accident.
func TestTemplateOfTestEnvironments(t *testing.T) {
	t.Parallel()
	test := environment.DefaultTest("shop")
	test.Seed, test.Database = `bin/seed "${SIZE:-small}"`, environment.DatabaseServer
	golden(t, "test.json", test.Template(shown))
	c := read(t, test.Template(shown))
	if ids(c.Resources) != "AllGroup AllRule AllTargets AllTemplate" || environment.GroupOfTests != "AllGroup" {
		t.Errorf("resources %s", ids(c.Resources))
	}
	if diff := cmp.Diff(contract.UserData{
		Contract: contract.Version, Application: "shop", Environment: "test", Role: "all", Processes: []string{"release", "web", "worker"},
		Stack: "<AWS::StackName>", Resource: "AllGroup", TargetGroups: []string{"<AllTargets>"}, HealthPath: "/health",
		SettingsPaths: []string{"/shop/test"}, PublicHosts: []string{"shop-4f2c9b7a.test.example.com"}, Commit: "<Commit>", Drain: 30,
		Logs: "s3://fearless-<AWS::AccountId>-<AWS::Region>/logs/shop/test/test-shop-4f2c9b7a", Region: "<AWS::Region>",
		Signal: true, ReadyTimeout: 600, Seed: `bin/seed "${SIZE:-small}"`, Database: "server",
	}, userData(t, c, "AllTemplate")); diff != "" {
		t.Error(diff)
	}
	for id, r := range c.Resources {
		for property := range r.Properties {
			if !strings.Contains(" "+used[r.Type]+" ", " "+property+" ") {
				t.Errorf("%s: %s of %s", id, property, r.Type)
			}
		}
	}
	if n := test.UserDataSize(shown); n < 500 || n > 1500 {
		t.Errorf("%d bytes of user data", n)
	}
}

// Servers on testing's base may do what test environments need, and those on no other.
func TestRightsOfTestEnvironments(t *testing.T) {
	t.Parallel()
	policies := func(name string) string {
		file, err := environment.Load("environments/"+name+".yml", "shop", []byte("roles: {web: {http: {}}}\n"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text(t, file.Base()))
	}
	testing, staging := policies("testing"), policies("staging")
	for _, right := range []string{":stack/test-shop-*/*", "/logs/shop/test/*", "parameter/shop/test", "parameter/shop/test/*"} {
		if !strings.Contains(testing, right) || strings.Contains(staging, right) {
			t.Errorf("%s: on testing's base %v, on staging's %v", right, strings.Contains(testing, right), strings.Contains(staging, right))
		}
	}
}

func TestProcessesOfTestEnvironments(t *testing.T) {
	t.Parallel()
	all := []string{"web", "release", "worker"}
	for _, test := range []struct {
		types, named []string
		want         string
	}{
		{all, nil, "release web worker"}, {all, []string{"worker", "web"}, "release worker web"}, {all, []string{"web", "release", "web"}, "release web"},
		{[]string{"web"}, nil, "web"}, {all, []string{"worker"}, "nothing would answer"}, {[]string{"worker"}, nil, "nothing would answer"},
		{all, []string{"web", "mail"}, "no process type mail in the image, its Procfile has web, release, worker"},
	} {
		got, err := environment.TestProcesses(test.types, test.named, "PROCESSES")
		if err == nil && strings.Join(got, " ") != test.want || err != nil && (!strings.Contains(err.Error(), test.want) || exit.CodeOf(err) != exit.Invalid) {
			t.Errorf("%v of %v: %v %v, want %q", test.named, test.types, got, err, test.want)
		}
	}
	if environment.Micro("arm64") != "t4g.micro" || environment.Micro("x86_64") != "t3.micro" || environment.Runs("t3.micro", "arm64") || !environment.Runs("t4g.micro", "arm64") {
		t.Error("types of servers and processors")
	}
}
