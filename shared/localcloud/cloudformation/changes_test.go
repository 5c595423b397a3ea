package cloudformation_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"
)

// tell is a change set's changes in short, a line per detail.
func tell(c *cfn.DescribeChangeSetOutput) []string {
	var lines []string
	for _, x := range c.Changes {
		r := x.ResourceChange
		head := strings.Join(strings.Fields(fmt.Sprint(r.Action, " ", aws.ToString(r.LogicalResourceId), " ", r.Replacement, " ", r.PolicyAction)), " ")
		if len(r.Details) == 0 {
			lines = append(lines, head)
		}
		for _, e := range r.Details {
			t := e.Target
			lines = append(lines, strings.Join(strings.Fields(fmt.Sprintf("%s: %s %s %s %s %s %s %q -> %q", head, t.Attribute, aws.ToString(t.Path), t.RequiresRecreation,
				e.Evaluation, e.ChangeSource, aws.ToString(e.CausingEntity), aws.ToString(t.BeforeValue), aws.ToString(t.AfterValue))), " "))
		}
	}
	return lines
}

func TestChangesOfAnUpdate(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		doc := func(kind string) document {
			return document{
				"Parameters": object{"Size": object{"Type": "String", "Default": "small"}, "Secret": object{"Type": "String", "NoEcho": true, "Default": "x"}},
				"Resources": object{
					"Base": res(plain, object{"Name": object{"Ref": "Size"}, "Kind": kind, "Tags": []any{object{"Key": "a", "Value": kind}}}),
					"Refs": res(plain, object{"Uses": object{"Ref": "Base"}}),
					"Gets": res(plain, object{"Kind": object{"Fn::GetAtt": "Base.Arn"}}),
					"Same": res(plain, object{"Name": "same"}),
				},
			}
		}
		first := doc("one")
		first["Resources"].(object)["Gone"] = res(plain, object{}, "DeletionPolicy", "Retain")
		d.deploy(first)

		c := d.propose(doc("one"), "UPDATE", parameter("Size", "large"))
		want := []string{
			`Modify Base False: Properties /Properties/Name Never Static ParameterReference Size "small" -> "large"`,
			`Modify Gets Conditional ReplaceAndDelete: Properties /Properties/Kind Always Dynamic ResourceAttribute Base.Arn "arn:thing:base-1" -> "{{changeSet:KNOWN_AFTER_APPLY}}"`,
			`Remove Gone Retain`,
		}
		if diff := cmp.Diff(want, tell(c)); diff != "" {
			t.Error(diff)
		}
		if before := aws.ToString(c.Changes[0].ResourceChange.BeforeContext); before != `{"Properties":{"Kind":"one","Name":"small","Tags":[{"Key":"a","Value":"one"}]}}` {
			t.Error(before)
		}
		second := doc("two")
		second["Resources"].(object)["New"] = res(plain, object{"Name": object{"Ref": "Refs"}})
		c = d.propose(second, "UPDATE")
		want = []string{
			`Modify Base True ReplaceAndDelete: Properties /Properties/Kind Always Static DirectModification "one" -> "two"`,
			`Modify Base True ReplaceAndDelete: Properties /Properties/Tags/0/Value Never Static DirectModification "one" -> "two"`,
			`Modify Gets Conditional ReplaceAndDelete: Properties /Properties/Kind Always Dynamic ResourceAttribute Base.Arn "arn:thing:base-1" -> "{{changeSet:KNOWN_AFTER_APPLY}}"`,
			`Remove Gone Retain`,
			`Add New`,
			`Modify Refs False: Properties /Properties/Uses Never Dynamic ResourceReference Base "base-1" -> "{{changeSet:KNOWN_AFTER_APPLY}}"`,
		}
		if diff := cmp.Diff(want, tell(c)); diff != "" {
			t.Error(diff)
		}
		// Executing does what was said: Refs follows, Same is not touched.
		d.things.calls = nil
		d.execute(c, "")
		d.want("UPDATE_COMPLETE")
		if diff := cmp.Diff([]string{"create Base", "create Gets", "update Refs", "create New", "delete Gets", "delete Base"}, d.things.calls); diff != "" {
			t.Error(diff)
		}
		if !d.happened("Gone DELETE_SKIPPED") {
			t.Error(d.events())
		}
	})
}

// What is Dynamic may turn out to be no change.
func TestDynamicChangeThatIsNone(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		doc := func(name string) document {
			return stackOf(object{
				"Base": res(plain, object{"Name": name}),
				"User": res(plain, object{"Kind": object{"Fn::Sub": "${Base.Arn}/x"}}),
				"Next": res(plain, object{"Kind": object{"Fn::Sub": "${User.Arn}/x"}}),
			})
		}
		d.deploy(doc("a"))
		c := d.propose(doc("b"), "UPDATE")
		if len(c.Changes) != 3 || c.Changes[2].ResourceChange.Replacement != types.ReplacementConditional {
			t.Error(tell(c))
		}
		d.things.calls = nil
		d.execute(c, "")
		d.want("UPDATE_COMPLETE")
		if diff := cmp.Diff([]string{"update Base"}, d.things.calls); diff != "" {
			t.Error(diff)
		}
		if d.happened("User UPDATE_IN_PROGRESS") {
			t.Error(d.events())
		}
	})
}

func TestReplacingGroupIsConditional(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.fleet.vote = map[string]types.ResourceSignalStatus{"1": "SUCCESS"}
		d.deploy(servers("a", replacingUpdate, "CreationPolicy", threeSignals))
		c := d.propose(servers("b", replacingUpdate, "CreationPolicy", object{"ResourceSignal": object{"Count": 4}}), "UPDATE")
		want := []string{
			`Modify Group Conditional ReplaceAndDelete: Properties /Properties/LaunchTemplate Conditionally Dynamic ResourceAttribute Template.Version "{\"LaunchTemplateId\":\"template-1\",\"Version\":\"1\"}" -> "{{changeSet:KNOWN_AFTER_APPLY}}"`,
			`Modify Group Conditional ReplaceAndDelete: CreationPolicy Static DirectModification "" -> ""`,
			`Modify Template False: Properties /Properties/Name Never Static DirectModification "template a" -> "template b"`,
		}
		if diff := cmp.Diff(want, tell(c)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestNoChanges(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		doc := document{
			"Parameters": object{"Commit": object{"Type": "String", "Default": "1"}},
			"Resources":  object{"A": res(plain, object{"Name": "a"})},
			"Outputs":    object{"Commit": object{"Value": object{"Ref": "Commit"}}},
		}
		d.deploy(doc)
		doc["Description"] = "only the description"
		c := d.propose(doc, "UPDATE")
		if c.Status != "FAILED" || !strings.HasPrefix(aws.ToString(c.StatusReason), "The submitted information didn't contain changes.") || c.ExecutionStatus != "UNAVAILABLE" {
			t.Error(c.Status, aws.ToString(c.StatusReason), c.ExecutionStatus)
		}
		_, err := d.client.ExecuteChangeSet(t.Context(), &cfn.ExecuteChangeSetInput{ChangeSetName: c.ChangeSetId})
		wantCode(t, err, "InvalidChangeSetStatus", "[FAILED]")

		c = d.propose(nil, "UPDATE", parameter("Commit", "2"), func(in *cfn.CreateChangeSetInput) { in.UsePreviousTemplate = aws.Bool(true) })
		if c.Status != "CREATE_COMPLETE" || len(c.Changes) != 0 {
			t.Error(c.Status, tell(c)) // only an output changes
		}
		d.execute(c, "")
		d.want("UPDATE_COMPLETE")
		if got := d.service.Stacks()[0].Outputs["Commit"]; got != "2" {
			t.Error(got)
		}
	})
}

func TestTagsReachResources(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		tag := func(value string) func(*cfn.CreateChangeSetInput) {
			return func(in *cfn.CreateChangeSetInput) {
				in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String(value)}}
			}
		}
		doc := chain(1, "a")
		d.deploy(doc, tag("one"))
		c := d.propose(doc, "UPDATE", tag("two"))
		if diff := cmp.Diff([]string{`Modify T0 False: Tags Never Static DirectModification "" -> ""`}, tell(c)); diff != "" {
			t.Error(diff)
		}
		d.execute(c, "")
		d.want("UPDATE_COMPLETE")
		if c := d.propose(doc, "UPDATE"); c.Status != "FAILED" || aws.ToString(c.Tags[0].Value) != "two" {
			t.Error("the stack keeps its tags", tell(c), c.Tags)
		}
	})
}

func TestChangeSetsOfAStack(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		in := &cfn.CreateChangeSetInput{
			StackName: aws.String("shop"), ChangeSetName: aws.String("first"), ChangeSetType: "CREATE", TemplateBody: aws.String(chain(1, "a").String()), ClientToken: aws.String("t1"),
		}
		first, err := d.client.CreateChangeSet(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if d.status() != "REVIEW_IN_PROGRESS" {
			t.Error(d.status())
		}
		if c, _ := d.client.DescribeChangeSet(t.Context(), &cfn.DescribeChangeSetInput{ChangeSetName: first.Id}); c.Status != "CREATE_PENDING" || c.ExecutionStatus != "UNAVAILABLE" {
			t.Error(c.Status, c.ExecutionStatus)
		}
		_, err = d.client.ExecuteChangeSet(t.Context(), &cfn.ExecuteChangeSetInput{ChangeSetName: first.Id})
		wantCode(t, err, "InvalidChangeSetStatus", "CREATE_PENDING")
		again, err := d.client.CreateChangeSet(t.Context(), in)
		if err != nil || *again.Id != *first.Id {
			t.Error(again, err)
		}
		in.ClientToken = aws.String("t2")
		_, err = d.client.CreateChangeSet(t.Context(), in)
		wantCode(t, err, "AlreadyExistsException", "first")
		in.ChangeSetName, in.ChangeSetType = aws.String("second"), "UPDATE"
		_, err = d.client.CreateChangeSet(t.Context(), in)
		wantCode(t, err, "ValidationError", "is in REVIEW_IN_PROGRESS state and can not be updated.")

		second := d.propose(chain(2, "a"), "CREATE")
		list, err := d.client.ListChangeSets(t.Context(), &cfn.ListChangeSetsInput{StackName: aws.String("shop")})
		if err != nil || len(list.Summaries) != 2 || *list.Summaries[0].ChangeSetName != "first" {
			t.Error(list, err)
		}
		d.execute(second, "")
		_, err = d.client.DescribeChangeSet(t.Context(), &cfn.DescribeChangeSetInput{ChangeSetName: first.Id})
		wantCode(t, err, "ChangeSetNotFound", "does not exist")
		d.want("CREATE_COMPLETE")
		c, err := d.client.DescribeChangeSet(t.Context(), &cfn.DescribeChangeSetInput{ChangeSetName: second.ChangeSetId})
		if err != nil || c.ExecutionStatus != "EXECUTE_COMPLETE" {
			t.Error(c, err)
		}
		_, err = d.client.CreateChangeSet(t.Context(), &cfn.CreateChangeSetInput{
			StackName: aws.String("shop"), ChangeSetName: aws.String("third"), ChangeSetType: "CREATE", TemplateBody: aws.String(chain(1, "a").String())})
		wantCode(t, err, "ValidationError", "already exists and cannot be created again with the changeSet [third].")
		if _, err := d.client.DeleteChangeSet(t.Context(), &cfn.DeleteChangeSetInput{ChangeSetName: second.ChangeSetId}); err != nil {
			t.Error(err)
		}
	})
}

func TestReviewIsDeletedAtOnce(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.propose(chain(1, "a"), "CREATE")
		d.remove()
		d.want("DELETE_COMPLETE")
		_, err := d.client.CreateChangeSet(t.Context(), &cfn.CreateChangeSetInput{
			StackName: aws.String("shop"), ChangeSetName: aws.String("c"), TemplateBody: aws.String(chain(1, "a").String())})
		wantCode(t, err, "ValidationError", "Stack [shop] does not exist")
	})
}

func TestTypeOfAResourceStays(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.deploy(stackOf(object{"A": res(plain, object{})}))
		_, err := d.client.CreateChangeSet(t.Context(), &cfn.CreateChangeSetInput{
			StackName: aws.String("shop"), ChangeSetName: aws.String("c"), TemplateBody: aws.String(stackOf(object{"A": res(frozen, object{})}).String())})
		wantCode(t, err, "ValidationError", "Update of resource type is not permitted.")
	})
}

func TestTypeWithoutUpdateIsReplaced(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.deploy(stackOf(object{"A": res(frozen, object{"Name": "a"})}))
		if got := d.deploy(stackOf(object{"A": res(frozen, object{"Name": "b"})})); got != "UPDATE_COMPLETE" {
			t.Fatal(got)
		}
		if diff := cmp.Diff([]string{"create A", "create A", "delete A"}, d.things.calls); diff != "" {
			t.Error(diff)
		}
	})
}
