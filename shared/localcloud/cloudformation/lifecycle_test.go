package cloudformation_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/google/go-cmp/cmp"
)

// chain is a template of n resources, each using the one before. Every third
// is replaced by a change of kind, the others are updated by one of name.
func chain(n int, version string) document {
	resources := object{}
	for i := range n {
		properties := object{"Name": fmt.Sprintf("thing %d %s", i, version)}
		if i%3 == 2 {
			properties = object{"Kind": "kind " + version, "Name": "fixed"}
		}
		if i > 0 {
			properties["Uses"] = []any{object{"Ref": fmt.Sprintf("T%d", i-1)}}
		}
		resources[fmt.Sprintf("T%d", i)] = res(plain, properties)
	}
	return stackOf(resources)
}

func TestCreateInOrder(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		began := time.Now()
		if got := d.deploy(chain(10, "a")); got != "CREATE_COMPLETE" {
			t.Fatal(got, d.events())
		}
		if took := time.Since(began); took < 100*time.Second || took > 120*time.Second {
			t.Errorf("took %s", took)
		}
		want := []string{}
		for i := range 10 {
			want = append(want, fmt.Sprintf("create T%d", i))
		}
		if diff := cmp.Diff(want, d.things.calls); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"}, d.states()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"T0 CREATE_IN_PROGRESS", "T0 CREATE_IN_PROGRESS: Resource creation Initiated", "T0 CREATE_COMPLETE"}, d.events()[2:5]); diff != "" {
			t.Error(diff)
		}
	})
}

func TestUpdateReplacesAndCleansUp(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.deploy(chain(6, "a"))
		before := d.things.snapshot()
		if got := d.deploy(chain(6, "b")); got != "UPDATE_COMPLETE" {
			t.Fatal(got, d.events())
		}
		after := d.things.snapshot()
		kept := 0
		for id := range before {
			if after[id] != "" {
				kept++
			}
		}
		// T2 and T5 were replaced; nothing else has gone.
		if kept != 4 || len(after) != 6 || d.things.highest != 8 {
			t.Errorf("kept %d, now %d, at most %d", kept, len(after), d.things.highest)
		}
		want := []string{"UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"}
		if diff := cmp.Diff(want, d.states()[3:]); diff != "" {
			t.Error(diff)
		}
		events := d.events()
		cleanup := slices.Index(events, "shop UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
		if slices.Index(events, "T5 DELETE_IN_PROGRESS") < cleanup || slices.Index(events, "T2 DELETE_IN_PROGRESS") < cleanup {
			t.Error("the old ones go after the update", events)
		}
		if !d.happened("T2 UPDATE_IN_PROGRESS: Requested update requires the creation of a new physical resource; hence creating one.") {
			t.Error(events)
		}
	})
}

// After a failed update everything is as it was, wherever it failed.
func TestEveryFailureOfAnUpdateIsUndone(t *testing.T) {
	t.Parallel()
	for i := range 10 {
		for _, verb := range []string{"update", "create", "stable"} {
			t.Run(fmt.Sprint(verb, i), func(t *testing.T) {
				t.Parallel()
				simulate(t, func(t *testing.T, d *desk) {
					d.deploy(chain(10, "a"))
					before := d.things.snapshot()
					d.things.refuse(fmt.Sprintf("%s T%d", verb, i), errors.New("no"))
					changed := chain(10, "b")
					changed["Resources"].(object)["Extra"] = res(plain, object{"Uses": object{"Ref": "T4"}})
					got := d.deploy(changed)
					if verb == "update" && i%3 == 2 || verb == "create" && i%3 != 2 {
						if got != "UPDATE_COMPLETE" {
							t.Fatal(got) // that verb is not used for this resource
						}
						return
					}
					if verb == "update" || verb == "stable" && i%3 != 2 {
						// The rollback needs the same call, which fails again.
						if got != "UPDATE_ROLLBACK_FAILED" {
							t.Fatal(got, d.events())
						}
						d.things.refuse(fmt.Sprintf("%s T%d", verb, i), nil)
						if _, err := d.client.ContinueUpdateRollback(t.Context(), &cfn.ContinueUpdateRollbackInput{StackName: aws.String("shop")}); err != nil {
							t.Fatal(err)
						}
						got = d.settled()
					}
					if got != "UPDATE_ROLLBACK_COMPLETE" {
						t.Fatal(got, d.events())
					}
					if diff := cmp.Diff(before, d.things.snapshot()); diff != "" {
						t.Errorf("not as before:\n%s\n%v", diff, d.events())
					}
					d.things.refuse(fmt.Sprintf("%s T%d", verb, i), nil)
					if got := d.deploy(changed); got != "UPDATE_COMPLETE" || len(d.things.exist) != 11 {
						t.Error("cannot be updated afterwards", got, d.events())
					}
				})
			})
		}
	}
}

// However late an update is cancelled, everything is as it was.
func TestCancelAtAnyMoment(t *testing.T) {
	t.Parallel()
	for second := 0; second < 400; second += 13 {
		simulate(t, func(t *testing.T, d *desk) {
			d.deploy(chain(10, "a"))
			before := d.things.snapshot()
			d.begin(chain(10, "b"), soak(5))
			pass(time.Duration(second) * time.Second)
			_, err := d.client.CancelUpdateStack(t.Context(), &cfn.CancelUpdateStackInput{StackName: aws.String("shop"), ClientRequestToken: aws.String("stop-1")})
			if err != nil {
				t.Fatal(second, err)
			}
			if got := d.settled(); got != "UPDATE_ROLLBACK_COMPLETE" {
				t.Fatal(second, got, d.events())
			}
			if diff := cmp.Diff(before, d.things.snapshot()); diff != "" {
				t.Errorf("after %d s not as before:\n%s", second, diff)
			}
			if !d.happened("shop UPDATE_ROLLBACK_IN_PROGRESS: Stack update cancelled") {
				t.Error(d.events())
			}
			all := d.service.Events("shop")
			if last := all[len(all)-1]; last.Token != "stop-1" {
				t.Errorf("the token is %q", last.Token)
			}
		})
	}
}

func TestFailedCreateIsRolledBack(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.things.refuse("create T4", errors.New("quota exceeded"))
		doc := chain(6, "a")
		doc["Resources"].(object)["Slow"] = res(plain, object{"Uses": object{"Ref": "T3"}})
		if got := d.deploy(doc); got != "ROLLBACK_COMPLETE" {
			t.Fatal(got, d.events())
		}
		if len(d.things.exist) != 0 {
			t.Error(d.things.snapshot())
		}
		want := "shop ROLLBACK_IN_PROGRESS: The following resource(s) failed to create: [T4]. Rollback requested by user."
		if !d.happened("T4 CREATE_FAILED: quota exceeded") || !d.happened(want) {
			t.Error(d.events())
		}
		_, err := d.client.CreateChangeSet(t.Context(), &cfn.CreateChangeSetInput{
			StackName: aws.String("shop"), ChangeSetName: aws.String("again"), TemplateBody: aws.String(doc.String()),
		})
		wantCode(t, err, "ValidationError", "is in ROLLBACK_COMPLETE state and can not be updated.")
		d.remove()
		d.want("DELETE_COMPLETE")
	})
}

func TestOthersAreCancelledWhenOneFails(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.things.refuse("stable B", errors.New("broke"))
		d.deploy(stackOf(object{"A": res(plain, object{}), "B": res(plain, object{}), "C": res(plain, object{})}))
		// All three become stable at the same time; A is looked at first.
		for _, line := range []string{"A CREATE_COMPLETE", "B CREATE_FAILED: broke", "C CREATE_FAILED: Resource creation cancelled",
			"shop ROLLBACK_IN_PROGRESS: The following resource(s) failed to create: [B, C]. Rollback requested by user."} {
			if !d.happened(line) {
				t.Error("did not happen:", line)
			}
		}
	})
}

func TestRollbackOfACreateThatFails(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.things.refuse("create T2", errors.New("no"))
		d.things.refuse("delete T1", errors.New("in use"))
		if got := d.deploy(chain(3, "a")); got != "ROLLBACK_FAILED" {
			t.Fatal(got, d.events())
		}
		if !d.happened("T1 DELETE_FAILED: in use") || !d.happened("shop ROLLBACK_FAILED: The following resource(s) failed to delete: [T1]. ") {
			t.Error(d.events())
		}
		d.things.refuse("delete T1", nil)
		d.remove()
		d.want("DELETE_COMPLETE")
		if len(d.things.exist) != 0 {
			t.Error(d.things.snapshot())
		}
	})
}

func (d *desk) remove(options ...func(*cfn.DeleteStackInput)) {
	d.t.Helper()
	in := &cfn.DeleteStackInput{StackName: aws.String("shop")}
	for _, o := range options {
		o(in)
	}
	if _, err := d.client.DeleteStack(d.t.Context(), in); err != nil {
		d.t.Fatal(err)
	}
	pass(0)
}

func TestDelete(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.deploy(chain(4, "a"))
		d.things.calls = nil
		d.things.refuse("delete T1", errors.New("in use"))
		d.remove()
		d.want("DELETE_FAILED")
		if diff := cmp.Diff([]string{"delete T3", "delete T2", "delete T1"}, d.things.calls); diff != "" {
			t.Error(diff)
		}
		d.remove(func(in *cfn.DeleteStackInput) { in.RetainResources = []string{"T1"} })
		d.want("DELETE_FAILED") // T0 is used by what was retained
		if !d.happened("T1 DELETE_SKIPPED") || !d.happened("T0 DELETE_FAILED: resource t0-1 has a dependent object t1-2 (Error Code: DependencyViolation)") {
			t.Error(d.events())
		}
		d.remove(func(in *cfn.DeleteStackInput) { in.DeletionMode = "FORCE_DELETE_STACK" })
		d.want("DELETE_COMPLETE")
		_, err := d.client.DescribeStacks(t.Context(), &cfn.DescribeStacksInput{StackName: aws.String("shop")})
		wantCode(t, err, "ValidationError", "Stack with id shop does not exist")
		out, err := d.client.DescribeStacks(t.Context(), &cfn.DescribeStacksInput{StackName: aws.String(d.service.Stacks()[0].ID)})
		if err != nil || out.Stacks[0].StackStatus != "DELETE_COMPLETE" || out.Stacks[0].DeletionTime == nil {
			t.Error(out, err)
		}
		d.remove() // there is no such stack any more: no error
	})
}

func TestDeleteWhileItIsCreated(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.begin(chain(6, "a"))
		pass(35 * time.Second)
		d.remove()
		d.want("DELETE_COMPLETE")
		if len(d.things.exist) != 0 || len(d.things.calls) == 0 {
			t.Error(d.things.snapshot(), d.events())
		}
	})
}

func TestTerminationProtection(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.deploy(chain(1, "a"))
		protect := func(on bool) {
			_, err := d.client.UpdateTerminationProtection(t.Context(), &cfn.UpdateTerminationProtectionInput{
				StackName: aws.String("shop"), EnableTerminationProtection: aws.Bool(on)})
			if err != nil {
				t.Fatal(err)
			}
		}
		protect(true)
		_, err := d.client.DeleteStack(t.Context(), &cfn.DeleteStackInput{StackName: aws.String("shop")})
		wantCode(t, err, "ValidationError", "Stack [shop] cannot be deleted while TerminationProtection is enabled")
		protect(false)
		d.remove()
		d.want("DELETE_COMPLETE")
	})
}

func TestCleanupLeavesBehindWhatCannotBeDeleted(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.deploy(chain(3, "a"))
		d.things.refuse("delete T2", errors.New("still in use"))
		if got := d.deploy(chain(3, "b")); got != "UPDATE_COMPLETE" {
			t.Fatal(got, d.events())
		}
		if !d.happened("T2 DELETE_FAILED: still in use") || len(d.things.exist) != 4 {
			t.Error(d.events(), d.things.snapshot())
		}
		if r := d.service.Stacks()[0].Resources["T2"]; r.Status != "UPDATE_COMPLETE" {
			t.Error(r)
		}
	})
}

func TestRollbackThatFailsIsContinued(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.deploy(chain(4, "a"))
		before := d.things.snapshot()
		d.things.refuse("update T3", errors.New("no"))
		if got := d.deploy(chain(4, "b")); got != "UPDATE_ROLLBACK_FAILED" {
			t.Fatal(got, d.events())
		}
		if !d.happened("shop UPDATE_ROLLBACK_FAILED: The following resource(s) failed to update: [T3]. ") {
			t.Error(d.events())
		}
		_, err := d.client.CreateChangeSet(t.Context(), &cfn.CreateChangeSetInput{
			StackName: aws.String("shop"), ChangeSetName: aws.String("again"), TemplateBody: aws.String(chain(4, "c").String())})
		wantCode(t, err, "ValidationError", "is in UPDATE_ROLLBACK_FAILED state and can not be updated.")
		_, err = d.client.ContinueUpdateRollback(t.Context(), &cfn.ContinueUpdateRollbackInput{StackName: aws.String("shop"), ResourcesToSkip: []string{"T0"}})
		wantCode(t, err, "ValidationError", "cannot be skipped")
		if _, err := d.client.ContinueUpdateRollback(t.Context(), &cfn.ContinueUpdateRollbackInput{StackName: aws.String("shop"), ResourcesToSkip: []string{"T3"}, ClientRequestToken: aws.String("go-on")}); err != nil {
			t.Fatal(err)
		}
		d.want("UPDATE_ROLLBACK_COMPLETE")
		after := d.things.snapshot()
		if len(after) != len(before) {
			t.Error(cmp.Diff(before, after))
		}
		_, err = d.client.ContinueUpdateRollback(t.Context(), &cfn.ContinueUpdateRollbackInput{StackName: aws.String("shop")})
		wantCode(t, err, "ValidationError", "UPDATE_ROLLBACK_COMPLETE")
	})
}

func TestDeleteAfterAFailedRollbackLeavesNothing(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.deploy(chain(6, "a"))
		d.things.refuse("update T4", errors.New("no"))
		changed := chain(6, "b")
		changed["Resources"].(object)["Extra"] = res(plain, object{})
		if got := d.deploy(changed); got != "UPDATE_ROLLBACK_FAILED" {
			t.Fatal(got)
		}
		d.remove()
		d.want("DELETE_COMPLETE")
		if len(d.things.exist) != 0 {
			t.Error(d.things.snapshot())
		}
	})
}

func TestWithoutRollback(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.things.refuse("create T1", errors.New("no"))
		c := d.propose(chain(3, "a"), "CREATE")
		if _, err := d.client.ExecuteChangeSet(t.Context(), &cfn.ExecuteChangeSetInput{ChangeSetName: c.ChangeSetId, DisableRollback: aws.Bool(true)}); err != nil {
			t.Fatal(err)
		}
		d.want("CREATE_FAILED")
		if len(d.things.exist) != 1 {
			t.Error(d.things.snapshot())
		}
		_, err := d.client.CreateChangeSet(t.Context(), &cfn.CreateChangeSetInput{
			StackName: aws.String("shop"), ChangeSetName: aws.String("again"), TemplateBody: aws.String(chain(1, "a").String())})
		wantCode(t, err, "ValidationError", "[CREATE_FAILED] state")
		d.remove()
		d.want("DELETE_COMPLETE")
		if len(d.things.exist) != 0 {
			t.Error(d.things.snapshot())
		}
	})
}

func TestCloseEndsOperations(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.begin(chain(10, "a"))
		pass(30 * time.Second)
		d.service.Close()
		if d.status() != "CREATE_IN_PROGRESS" {
			t.Error(d.status())
		}
	})
}
