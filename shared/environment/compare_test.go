package environment_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/environment"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	servers := func(file string) []byte {
		f, err := environment.Load("environments/staging.yml", "shop", []byte(file))
		if err != nil {
			t.Fatal(err)
		}
		return text(t, f.Servers(values))
	}
	before := servers("roles: {web: {http: {drain: 20s}}, worker: {}}")
	after := servers("roles: {web: {http: {health: /up}, max: 3}, clock: {exactly: 1}}")
	changes, err := environment.Compare(before, after)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		got = append(got, fmt.Sprintf("%s %s | %s", c.Section, c.Type, c))
	}
	want := []string{
		`Parameters  | ClockCapacity is new`,
		`Parameters  | WebCapacity: MaxValue 1 → 3`,
		`Parameters  | WorkerCapacity goes`,
		`Resources AWS::AutoScaling::AutoScalingGroup | ClockGroup is new`,
		`Resources AWS::EC2::LaunchTemplate | ClockTemplate is new`,
		`Resources AWS::AutoScaling::AutoScalingGroup | WebGroup: DependsOn ["WebRule","WorkerGroup"] → ["WebRule"]`,
		`Resources AWS::AutoScaling::AutoScalingGroup | WebGroup: Properties.MaxSize "1" → "3"`,
		`Resources AWS::AutoScaling::ScalingPolicy | WebScaling is new`,
		`Resources AWS::ElasticLoadBalancingV2::TargetGroup | WebTargets: Properties.HealthCheckPath "/health" → "/up"`,
		`Resources AWS::ElasticLoadBalancingV2::TargetGroup | WebTargets: Properties.TargetGroupAttributes.0.Value "20" → "30"`,
		`Resources AWS::AutoScaling::AutoScalingGroup | WorkerGroup goes`,
		`Resources AWS::EC2::LaunchTemplate | WorkerTemplate goes`,
	}
	// The user data of WebTemplate has the health path as well; its text is long.
	at := -1
	for i, line := range got {
		if strings.Contains(line, "WebTemplate: Properties.LaunchTemplateData.UserData.Fn::Base64.Fn::Sub ") {
			at = i
		}
	}
	if at < 0 {
		t.Fatal(got)
	}
	got = append(got[:at], got[at+1:]...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCompareEdges(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ before, after, want string }{
		"order and space":      {`{"Resources":{"A":{"Type":"T","P":1}}}`, "{ \"Resources\": {\"A\":{\"P\":1, \"Type\":\"T\"}}}", ``},
		"a section comes":      {`{}`, `{"Outputs":{"A":{"Value":"x"}}}`, `A is new`},
		"a section goes":       {`{"Outputs":{"A":{"Value":"x"}}}`, `{}`, `A goes`},
		"a text":               {`{"Description":"a"}`, `{"Description":"b"}`, `Description: "a" → "b"`},
		"a list gets longer":   {`{"Resources":{"A":{"D":["x"]}}}`, `{"Resources":{"A":{"D":["x","y"]}}}`, `A: D ["x"] → ["x","y"]`},
		"a value of null":      {`{"Resources":{"A":{"D":null}}}`, `{"Resources":{"A":{"D":1}}}`, `A: D nothing → 1`},
		"another kind of part": {`{"Resources":{"A":"x"}}`, `{"Resources":{"A":{"Type":"T"}}}`, `A: "x" → {"Type":"T"}`},
		"not JSON":             {`AWSTemplateFormatVersion: x`, `{}`, `the live template is not JSON`},
		"new is not JSON":      {`{}`, `[]`, `the new template is not JSON`},
	} {
		changes, err := environment.Compare([]byte(test.before), []byte(test.after))
		var got []string
		for _, c := range changes {
			got = append(got, c.String())
		}
		if err != nil {
			got = []string{err.Error()[:strings.Index(err.Error(), "JSON")+4]}
		}
		if strings.Join(got, "; ") != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
