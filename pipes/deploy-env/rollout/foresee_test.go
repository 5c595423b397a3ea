package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPreviewMarkdown(t *testing.T) {
	t.Parallel()
	p := preview{
		Environment: "staging", Application: "shop", Commit: "4f2c9b7a1d3e4f2c9b7a1d3e4f2c9b7a1d3e4f2c", Image: "ami-1", Pipeline: 41,
		Stacks: []previewed{
			{Title: "Base", Stack: "shop-staging-base"},
			{Title: "Servers", Stack: "shop-staging", Lines: []string{"+ Release (EC2::Instance)", "~ WebTemplate (EC2::LaunchTemplate): LaunchTemplateData"}},
		},
		Notes: []string{"The release process runs: it does"},
	}
	want := "**A deploy of commit `4f2c9b7a1d3e` to staging of shop would change**\n\n" +
		"Base `shop-staging-base`: nothing\n\n" +
		"Servers `shop-staging`:\n\n```\n+ Release (EC2::Instance)\n~ WebTemplate (EC2::LaunchTemplate): LaunchTemplateData\n```\n\n" +
		"- The release process runs: it does\n\n" +
		"Image `ami-1`, pipeline 41. Nothing was changed for this preview.\n"
	if diff := cmp.Diff(want, p.markdown()); diff != "" {
		t.Error(diff)
	}
	other := p
	if other.Commit = "other"; other.marker() != p.marker() {
		t.Error("each commit would have a comment of its own")
	}
	if other.Environment = "production"; other.marker() == p.marker() {
		t.Error("two environments would share a comment")
	}
}
