package release

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/stack"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	want := []string{
		"+ Release (EC2::Instance)",
		"- WorkerGroup (AutoScaling::AutoScalingGroup) shop-WorkerGroup-1",
		"~ WebTemplate (EC2::LaunchTemplate): LaunchTemplateData",
		"± Vpc (EC2::VPC) is replaced: CidrBlock",
		"± WebGroup (AutoScaling::AutoScalingGroup) may be replaced: LaunchTemplate",
	}
	if diff := cmp.Diff(want, Explain([]stack.Change{
		{Action: "Modify", LogicalID: "WebGroup", Type: "AWS::AutoScaling::AutoScalingGroup", Replacement: "Conditional", Properties: []string{"LaunchTemplate"}},
		{Action: "Modify", LogicalID: "WebTemplate", Type: "AWS::EC2::LaunchTemplate", Replacement: "False", Properties: []string{"LaunchTemplateData"}},
		{Action: "Add", LogicalID: "Release", Type: "AWS::EC2::Instance"},
		{Action: "Remove", LogicalID: "WorkerGroup", Type: "AWS::AutoScaling::AutoScalingGroup", Physical: "shop-WorkerGroup-1"},
		{Action: "Modify", LogicalID: "Vpc", Type: "AWS::EC2::VPC", Replacement: "True", Properties: []string{"CidrBlock"}},
	})); diff != "" {
		t.Error(diff)
	}
}

// Only a size that scaling has changed is no change.
func TestOnlySizes(t *testing.T) {
	t.Parallel()
	sized := stack.Change{Action: "Modify", Type: "AWS::AutoScaling::AutoScalingGroup", Properties: []string{"DesiredCapacity"}}
	more := stack.Change{Action: "Modify", Type: sized.Type, Properties: []string{"DesiredCapacity", "MaxSize"}}
	replaced := stack.Change{Action: "Modify", Type: sized.Type, Properties: sized.Properties, Replacement: "True"}
	for _, c := range []struct {
		changes []stack.Change
		only    bool
	}{
		{nil, false},
		{[]stack.Change{sized, sized}, true},
		{[]stack.Change{sized, more}, false},
		{[]stack.Change{replaced}, false},
		{[]stack.Change{{Action: "Remove", Type: sized.Type, Properties: sized.Properties}}, false},
	} {
		if got := OnlySizes(c.changes); got != c.only {
			t.Errorf("%v: %v", c.changes, got)
		}
	}
}
