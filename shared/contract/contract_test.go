package contract_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/contract"
)

func TestUserDataRoundTrip(t *testing.T) {
	t.Parallel()
	want := contract.UserData{
		Application: "shop", Environment: "production", Role: "web", Processes: []string{"web", "worker"},
		Stack: "shop-production", Resource: "WebGroup", TargetGroups: []string{"arn:1"},
		Ports: map[string]int{"web": 8080}, HealthPath: "/health", SettingsPaths: []string{"/shop/common"},
		PublicHosts: []string{"shop.example.com"}, Commit: "abc", Drain: 25, Ready: "./ready",
		Logs: "s3://b/p", Region: "eu-central-1", Release: true, Database: "server", Seed: "bin/seed",
		Signal: true, ReadyTimeout: 900, Singleton: true, Hook: "drain",
	}
	data, err := want.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := contract.ParseUserData(data)
	if err != nil {
		t.Fatal(err)
	}
	want.Contract = contract.Version
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The keys are read by images baked long ago; renaming one breaks them.
func TestUserDataKeys(t *testing.T) {
	t.Parallel()
	data, err := contract.UserData{
		Application: "a", Environment: "e", Role: "r", Processes: []string{"p"}, Stack: "s", Resource: "l",
		TargetGroups: []string{"t"}, Ports: map[string]int{"w": 1}, HealthPath: "/", SettingsPaths: []string{"/"},
		PublicHosts: []string{"h"}, Commit: "c", Drain: 1, Ready: "x", Logs: "s3://b", Region: "g", Release: true, Database: "b", Seed: "d",
		Signal: true, ReadyTimeout: 2, Singleton: true, Hook: "k",
	}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"contract":1,"application":"a","environment":"e","role":"r","processes":["p"],"stack":"s","resource":"l",` +
		`"target_groups":["t"],"ports":{"w":1},"health_path":"/","settings_paths":["/"],"public_hosts":["h"],` +
		`"commit":"c","drain":1,"ready":"x","logs":"s3://b","region":"g","release":true,"database":"b","seed":"d",` +
		`"signal":true,"ready_timeout":2,"singleton":true,"hook":"k"}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Error(diff)
	}
}

func TestParseUserData(t *testing.T) {
	t.Parallel()
	whole := `"application":"a","environment":"e","role":"web","region":"r"`
	tests := map[string]struct {
		in, want string // want: part of the error, empty for none
		contract int
	}{
		"unknown keys are ignored":    {in: `{"contract":1,` + whole + `,"later":{"x":1}}`, contract: 1},
		"newer contract is tolerated": {in: `{"contract":7,` + whole + `}`, contract: 7},
		"every missing key is named":  {in: `{"contract":1,"role":"","region":null}`, want: "missing application, environment, role, region"},
		"not JSON":                    {in: "#!/bin/sh\n", want: "user data: not valid JSON"},
		"empty":                       {in: "", want: "user data: not valid JSON"},
		"a list":                      {in: `[1]`, want: "it is a JSON array, expected an object"},
		"wrong kind":                  {in: `{"contract":1,` + whole + `,"ports":"8000"}`, want: "ports holds a string where an object is expected"},
		"wrong kind inside":           {in: `{"contract":1,` + whole + `,"ports":{"web":"8000"}}`, want: "ports holds a string where a number is expected"},
		"list expected":               {in: `{"contract":1,` + whole + `,"processes":"web"}`, want: "processes holds a string where a list is expected"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := contract.ParseUserData([]byte(test.in))
			if test.want == "" {
				if err != nil || got.Contract != test.contract {
					t.Fatalf("got contract %d, error %v", got.Contract, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestOtherDocuments(t *testing.T) {
	t.Parallel()
	provisioning := contract.Provisioning{
		Application: "shop", Commit: "abc", Script: "deploy/provision.sh", ParametersPath: "/shop/bake",
		LogURL: "https://b/log", ResultURL: "https://b/result", Region: "eu-central-1",
		Deadline: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC),
	}
	data, err := provisioning.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	provisioning.Contract = contract.Version
	if got, err := contract.ParseProvisioning(data); err != nil || got != provisioning {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := contract.ParseProvisioning([]byte(`{"contract":1}`)); err == nil ||
		!strings.Contains(err.Error(), "missing application, commit, script, log_url, result_url, deadline") {
		t.Errorf("got %v", err)
	}
	provisioned := contract.Provisioned{ExitCode: 3, Reason: "why", Seconds: 1.5, Processes: []string{"web"}}
	if data, err = provisioned.Marshal(); err != nil {
		t.Fatal(err)
	}
	provisioned.Contract = contract.Version
	got, err := contract.ParseProvisioned(data)
	if diff := cmp.Diff(provisioned, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if got.OK() || !(contract.Provisioned{}).OK() || (contract.Provisioned{Reason: "x"}).OK() {
		t.Error("OK is wrong")
	}
	if _, err := contract.ParseImage([]byte(`{"contract":1,"application":"a"}`)); err == nil ||
		!strings.Contains(err.Error(), "image description: missing commit, processes") {
		t.Errorf("got %v", err)
	}
	if _, err := contract.ParseState([]byte(`{"contract":1}`)); err == nil {
		t.Error("a state without ready was read")
	}
}

func TestDrainTime(t *testing.T) {
	t.Parallel()
	for in, want := range map[contract.Seconds]time.Duration{0: 30 * time.Second, -1: 30 * time.Second, 5: 5 * time.Second, 900: 4 * time.Minute} {
		if got := (contract.UserData{Drain: in}).DrainTime(); got != want {
			t.Errorf("drain %d: got %v, want %v", in, got, want)
		}
	}
}

func TestReadyTime(t *testing.T) {
	t.Parallel()
	for in, want := range map[contract.Seconds]time.Duration{0: 5 * time.Minute, -1: 5 * time.Minute, 900: 15 * time.Minute} {
		if got := (contract.UserData{ReadyTimeout: in}).ReadyTime(); got != want {
			t.Errorf("ready timeout %d: got %v, want %v", in, got, want)
		}
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		types []string
		given map[string]int
		base  int
		want  map[string]int
	}{
		"web first":          {[]string{"web", "worker", "release"}, nil, 8000, map[string]int{"web": 8000, "worker": 8100}},
		"web not first":      {[]string{"release", "worker", "web", "clock"}, nil, 8000, map[string]int{"web": 8000, "worker": 8100, "clock": 8200}},
		"no web":             {[]string{"worker"}, nil, 8000, map[string]int{"worker": 8100}},
		"given":              {[]string{"web", "worker"}, map[string]int{"web": 8080}, 8000, map[string]int{"web": 8080, "worker": 8100}},
		"given one is taken": {[]string{"web", "worker", "api"}, map[string]int{"api": 8100}, 8000, map[string]int{"web": 8000, "worker": 8200, "api": 8100}},
		"another base":       {[]string{"web", "worker", "api"}, map[string]int{"api": 9000}, 20000, map[string]int{"web": 20000, "worker": 20100, "api": 21000}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, contract.Ports(test.types, test.given, test.base)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	p, err := contract.ParsePlace("s3://bucket/logs/shop/")
	if err != nil {
		t.Fatal(err)
	}
	if p.Log("web", "i-1") != "logs/shop/web/i-1.log" || p.State("web", "i-1") != "logs/shop/web/i-1.json" || p.String() != "s3://bucket/logs/shop" {
		t.Errorf("got %+v", p)
	}
	if p, err = contract.ParsePlace("s3://bucket"); err != nil || p.Log("web", "i-1") != "web/i-1.log" {
		t.Errorf("got %+v, %v", p, err)
	}
	for _, bad := range []string{"", "bucket/x", "s3://", "https://bucket/x"} {
		if _, err := contract.ParsePlace(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
