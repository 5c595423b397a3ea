package environment_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/procfile"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// values are those of some release.
var values = environment.Values{
	Image: "ami-0123456789abcdef0", Commit: "4f2c9b7a1d3e", SettingsDigest: "d1", RunRelease: true,
	Capacity: map[string]int{"web": 4},
	Base: map[string]string{
		"VpcId": "vpc-1", "Subnets": "subnet-1,subnet-2", "ServerSecurityGroup": "sg-1",
		"InstanceProfileArn": "arn:profile", "ListenerArn": "arn:listener",
	},
}

func load(t *testing.T, file, application string) *environment.File {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := environment.Load(filepath.ToSlash(file), application, data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func text(t *testing.T, template *environment.Template) []byte {
	t.Helper()
	data, err := template.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// golden compares with a file that holds the same in a form for people.
func golden(t *testing.T, name string, template *environment.Template) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, text(t, template), "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
		t.Errorf("%s (-want +got), write it anew with -update:\n%s", name, diff)
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"staging", "production", "shared", "zones"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := load(t, filepath.Join("testdata", "files", name+".yml"), "shop")
			golden(t, name+".base.json", f.Base())
			golden(t, name+".servers.json", f.Servers(values))
			for range 5 {
				if !bytes.Equal(text(t, f.Base()), text(t, f.Base())) || !bytes.Equal(text(t, f.Servers(values)), text(t, f.Servers(values))) {
					t.Fatal("a template is not always the same text")
				}
			}
		})
	}
}

// A release must not change the template, or it could not be told from a
// change of the file.
func TestValuesAreParametersOnly(t *testing.T) {
	t.Parallel()
	f := load(t, "testdata/files/production.yml", "shop")
	if diff := cmp.Diff(text(t, f.Servers(values)), text(t, f.Servers(environment.Values{}))); diff != "" {
		t.Error(diff)
	}
	got := f.Servers(values).Values()
	want := map[string]string{
		"ImageId": "ami-0123456789abcdef0", "Commit": "4f2c9b7a1d3e", "SettingsDigest": "d1", "RunRelease": "true",
		"WebCapacity": "4", "BlogApiCapacity": "1", "WorkerCapacity": "1", "MailCapacity": "1", "SchedulerCapacity": "1",
		"VpcId": "vpc-1", "Subnets": "subnet-1,subnet-2", "ServerSecurityGroup": "sg-1",
		"InstanceProfileArn": "arn:profile", "ListenerArn": "arn:listener",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	unknown := f.Servers(environment.Values{Image: "ami-1", Commit: "c", SettingsDigest: "d"}).Unknown()
	if diff := cmp.Diff([]string{"InstanceProfileArn", "ListenerArn", "ServerSecurityGroup", "Subnets", "VpcId"}, unknown); diff != "" {
		t.Error(diff)
	}
}

func TestExamples(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../examples/web/Procfile")
	if err != nil {
		t.Fatal(err)
	}
	processes, err := procfile.Parse("Procfile", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for name, roles := range map[string]int{"testing": 1, "staging": 3, "production": 3} {
		f := load(t, "../../examples/web/environments/"+name+".yml", "web")
		if err := f.CheckProcesses(procfile.Types(processes), "the Procfile"); err != nil {
			t.Error(err)
		}
		if f.Protected != (name == "production") || len(f.Roles) != roles || len(f.Idle(procfile.Types(processes))) != 0 {
			t.Errorf("%s: got %+v", name, f)
		}
		for _, template := range []*environment.Template{f.Base(), f.Servers(values)} {
			if !environment.Inline(text(t, template)) {
				t.Errorf("%s: a template of %d bytes", name, len(text(t, template)))
			}
		}
	}
}

// The example's test environments run its processes.
func TestExampleOfTests(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../examples/web/environments/test.yml")
	if err != nil {
		t.Fatal(err)
	}
	file, err := environment.LoadTest("environments/test.yml", "web", data)
	if err != nil {
		t.Fatal(err)
	}
	got, err := environment.TestProcesses([]string{"release", "web", "worker", "scheduler"}, file.Processes, file.Path)
	if diff := cmp.Diff([]string{"release", "web", "worker", "scheduler"}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// A used part is a parameter: the id itself, the path that CloudFormation
// reads, or what the caller finds in another stack's outputs.
func TestReferences(t *testing.T) {
	t.Parallel()
	base := load(t, "testdata/files/shared.yml", "shop").Base()
	if diff := cmp.Diff([]string{"ListenerArn", "Subnets"}, base.Unknown()); diff != "" {
		t.Error(diff)
	}
	err := base.Resolve(func(stack, output string) (string, error) {
		return map[string]string{
			"platform-network PrivateSubnets": "subnet-a,subnet-b", "platform-balancer Listener": "arn:listener",
		}[stack+" "+output], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"VpcId": "/network/vpc", "Subnets": "subnet-a,subnet-b,subnet-0123456789abcdef0", "BalancerSubnets": "/network/public-subnets",
		"ListenerArn": "arn:listener", "BalancerSecurityGroup": "sg-0123456789abcdef0",
		"InstanceProfileArn": "arn:aws:iam::111122223333:instance-profile/shop",
	}
	if diff := cmp.Diff(want, base.Values()); diff != "" {
		t.Error(diff)
	}
	for _, p := range base.Parameters {
		if p.Name == "BalancerSubnets" && p.Type != "AWS::SSM::Parameter::Value<List<String>>" {
			t.Errorf("got %+v", p)
		}
	}
	again := load(t, "testdata/files/shared.yml", "shop").Base()
	err = again.Resolve(func(_, _ string) (string, error) { return "", os.ErrNotExist })
	if err == nil || !strings.Contains(err.Error(), "stack:platform-network/PrivateSubnets: file does not exist") || len(again.Unknown()) != 2 {
		t.Errorf("got %v", err)
	}
	if !base.Set("VpcId", "vpc-2") || base.Values()["VpcId"] != "vpc-2" || base.Set("None", "") {
		t.Error("Set is wrong")
	}
}

// A parameter of the Parameter Store cannot be an item of a list.
func TestListOfStoredParameters(t *testing.T) {
	t.Parallel()
	f := parse(t, "staging.yml", `network: {use: {vpc: vpc-01234567, subnets: [ssm:/net/a, stack:net/B, subnet-01234567], balancer_subnets: [stack:net/B, stack:net/C]}}
roles: {web: {http: {}}}
`)
	base := f.Base()
	if diff := cmp.Diff([]string{"BalancerSubnets", "Subnets2"}, base.Unknown()); diff != "" {
		t.Error(diff)
	}
	if err := base.Resolve(func(_, name string) (string, error) { return "subnet-" + name, nil }); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"VpcId": "vpc-01234567", "Subnets1": "/net/a", "Subnets2": "subnet-B", "Subnets3": "subnet-01234567",
		"BalancerSubnets": "subnet-B,subnet-C", "ServerBoundary": "none",
	}
	if diff := cmp.Diff(want, base.Values()); diff != "" {
		t.Error(diff)
	}
	list := []any{map[string]any{"Ref": "Subnets1"}, map[string]any{"Ref": "Subnets2"}, map[string]any{"Ref": "Subnets3"}}
	joined := read(t, base).Outputs["Subnets"].(map[string]any)["Value"]
	if diff := cmp.Diff(map[string]any{"Fn::Join": []any{",", list}}, joined); diff != "" {
		t.Error(diff)
	}
}
