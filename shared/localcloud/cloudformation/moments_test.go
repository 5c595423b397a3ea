package cloudformation_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"
)

const alarm = "arn:aws:cloudwatch:us-east-1:111122223333:alarm:5xx"

func TestMonitoringTime(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.deploy(chain(3, "a"))
		began := time.Now()
		d.begin(chain(3, "b"), soak(5))
		pass(4 * time.Minute)
		if d.status() != "UPDATE_IN_PROGRESS" || len(d.things.exist) != 4 || !d.happened("T2 UPDATE_COMPLETE") {
			t.Error(d.status(), d.things.snapshot())
		}
		_, err := d.client.CreateChangeSet(t.Context(), &cfn.CreateChangeSetInput{
			StackName: aws.String("shop"), ChangeSetName: aws.String("c"), TemplateBody: aws.String(chain(3, "c").String())})
		wantCode(t, err, "ValidationError", "is in UPDATE_IN_PROGRESS state and can not be updated.")
		_, err = d.client.DeleteStack(t.Context(), &cfn.DeleteStackInput{StackName: aws.String("shop")})
		wantCode(t, err, "ValidationError", "cannot be deleted while in status UPDATE_IN_PROGRESS")
		d.reach("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
		_, err = d.client.CancelUpdateStack(t.Context(), &cfn.CancelUpdateStackInput{StackName: aws.String("shop")})
		wantCode(t, err, "ValidationError", "CancelUpdateStack cannot be called from current stack status")
		_, err = d.client.CreateChangeSet(t.Context(), &cfn.CreateChangeSetInput{
			StackName: aws.String("shop"), ChangeSetName: aws.String("c"), TemplateBody: aws.String(chain(3, "c").String())})
		wantCode(t, err, "ValidationError", "is in UPDATE_COMPLETE_CLEANUP_IN_PROGRESS state and can not be updated.")
		d.want("UPDATE_COMPLETE")
		if took := time.Since(began); took < 5*time.Minute+30*time.Second || took > 6*time.Minute+10*time.Second {
			t.Error(took)
		}
	})
}

func TestAlarms(t *testing.T) {
	for second, phase := range map[int]string{5: "while it works", 200: "while it is watched"} {
		simulate(t, func(t *testing.T, d *desk) {
			d.service.SetAlarm(alarm, "INSUFFICIENT_DATA")
			d.deploy(chain(3, "a"))
			before := d.things.snapshot()
			d.begin(chain(3, "b"), soak(5, alarm))
			pass(time.Duration(second) * time.Second)
			if d.status() != "UPDATE_IN_PROGRESS" {
				t.Error(phase, d.status())
			}
			d.service.SetAlarm(alarm, "ALARM")
			pass(0)
			if d.status() != "UPDATE_ROLLBACK_IN_PROGRESS" && d.status() != "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS" {
				t.Error(phase, d.status())
			}
			d.want("UPDATE_ROLLBACK_COMPLETE") // the alarm is not watched any more
			if diff := cmp.Diff(before, d.things.snapshot()); diff != "" {
				t.Error(phase, diff)
			}
			if !d.happened("shop UPDATE_ROLLBACK_IN_PROGRESS: Rollback trigger " + alarm + " went to ALARM.") {
				t.Error(phase, d.events())
			}
		})
	}
}

func TestAlarmThatIsMissing(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		if got := d.deploy(chain(2, "a"), soak(1, alarm)); got != "ROLLBACK_COMPLETE" || len(d.things.calls) != 0 {
			t.Error(got, d.events())
		}
	})
}

func TestRollbackConfigurationIsRemembered(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.service.SetAlarm(alarm, "OK")
		d.deploy(chain(1, "a"), soak(7, alarm))
		c := d.propose(chain(1, "b"), "UPDATE").RollbackConfiguration
		if *c.MonitoringTimeInMinutes != 7 || len(c.RollbackTriggers) != 1 {
			t.Error(*c.MonitoringTimeInMinutes, c.RollbackTriggers)
		}
		c = d.propose(chain(1, "b"), "UPDATE", soak(0)).RollbackConfiguration
		if *c.MonitoringTimeInMinutes != 0 || len(c.RollbackTriggers) != 0 {
			t.Error(*c.MonitoringTimeInMinutes, c.RollbackTriggers)
		}
	})
}

func TestRequestTokens(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		c := d.propose(chain(1, "a"), "CREATE")
		d.execute(c, "deploy-1")
		d.execute(c, "deploy-1") // the same request again
		_, err := d.client.DeleteStack(t.Context(), &cfn.DeleteStackInput{StackName: aws.String("shop"), ClientRequestToken: aws.String("deploy-1")})
		wantCode(t, err, "TokenAlreadyExistsException", "deploy-1")
		d.want("CREATE_COMPLETE")
		d.execute(c, "deploy-1")
		if d.status() != "CREATE_COMPLETE" {
			t.Error(d.status())
		}
		for _, e := range d.service.Events("shop")[1:] {
			if e.Token != "deploy-1" {
				t.Error(e)
			}
		}
		_, err = d.client.ExecuteChangeSet(t.Context(), &cfn.ExecuteChangeSetInput{ChangeSetName: d.propose(chain(1, "b"), "UPDATE").ChangeSetId, ClientRequestToken: aws.String("-")})
		wantCode(t, err, "ValidationError", "clientRequestToken")
	})
}

func TestEventsInPages(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		resources := object{}
		for n := range 70 {
			resources[fmt.Sprintf("T%02d", n)] = res(plain, object{"Name": n})
		}
		d.deploy(stackOf(resources))
		var ids []string
		var last time.Time
		pages := cfn.NewDescribeStackEventsPaginator(d.client, &cfn.DescribeStackEventsInput{StackName: aws.String("shop")})
		count := 0
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if count++; count == 1 {
				d.begin(stackOf(object{"T00": res(plain, object{"Name": "changed"})})) // more events while we read
			}
			for _, e := range page.StackEvents {
				if !last.IsZero() && e.Timestamp.After(last) {
					t.Error("older events come later")
				}
				last = *e.Timestamp
				ids = append(ids, *e.EventId)
			}
		}
		d.settled()
		slices.Sort(ids)
		if len(ids) != 2+3*70+1 || len(slices.Compact(ids)) != len(ids) || count != 11 {
			t.Error(len(ids), count)
		}
		_, err := d.client.DescribeStackEvents(t.Context(), &cfn.DescribeStackEventsInput{StackName: aws.String("shop"), NextToken: aws.String("x")})
		wantCode(t, err, "InvalidNextToken", "")
		_, err = d.client.DescribeStackEvents(t.Context(), &cfn.DescribeStackEventsInput{StackName: aws.String("other")})
		wantCode(t, err, "ValidationError", "Stack [other] does not exist")
	})
}

func TestResourcesOfAStack(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.deploy(chain(3, "a"))
		list, err := d.client.ListStackResources(t.Context(), &cfn.ListStackResourcesInput{StackName: aws.String("shop")})
		if err != nil || len(list.StackResourceSummaries) != 3 || *list.StackResourceSummaries[1].PhysicalResourceId != "t1-2" {
			t.Error(list, err)
		}
		one, err := d.client.DescribeStackResources(t.Context(), &cfn.DescribeStackResourcesInput{StackName: aws.String("shop"), LogicalResourceId: aws.String("T2")})
		if err != nil || len(one.StackResources) != 1 || one.StackResources[0].ResourceStatus != "CREATE_COMPLETE" || *one.StackResources[0].ResourceType != plain {
			t.Error(one, err)
		}
		d.deploy(chain(1, "a"))
		if rows := d.service.Stacks()[0].Resources; len(rows) != 1 {
			t.Error(rows)
		}
	})
}

func TestDeletionPolicies(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		keep := func(name string) document {
			return stackOf(object{
				"Kept": res(plain, object{"Kind": name}, "DeletionPolicy", "Retain", "UpdateReplacePolicy", "Retain"),
				"Once": res(plain, object{}, "DeletionPolicy", "RetainExceptOnCreate"),
				"Last": res(plain, object{}, "DependsOn", []any{"Kept", "Once"}),
			})
		}
		d.things.refuse("create Last", errors.New("no"))
		if got := d.deploy(keep("a")); got != "ROLLBACK_COMPLETE" || !slices.Equal(sortedKeys(d.things.exist), []string{"kept-1"}) {
			t.Error(got, d.things.snapshot())
		}
		d.remove()
		d.settled()
		d.things.refuse("create Last", nil)
		d.deploy(keep("a"))
		d.deploy(keep("b"))
		if n := len(d.things.exist); n != 5 {
			t.Error("the replaced one is kept", d.things.snapshot())
		}
		d.remove()
		d.want("DELETE_COMPLETE")
		if n := len(d.things.exist); n != 4 || !d.happened("Once DELETE_SKIPPED") {
			t.Error(d.things.snapshot(), d.events())
		}
	})
}

// leave executes a change set whose failure is not undone.
func (d *desk) leave(c *cfn.DescribeChangeSetOutput) {
	d.t.Helper()
	_, err := d.client.ExecuteChangeSet(d.t.Context(), &cfn.ExecuteChangeSetInput{ChangeSetName: c.ChangeSetId, DisableRollback: aws.Bool(false)})
	wantCode(d.t, err, "ValidationError", "DisableRollback")
	if _, err := d.client.ExecuteChangeSet(d.t.Context(), &cfn.ExecuteChangeSetInput{ChangeSetName: c.ChangeSetId}); err != nil {
		d.t.Fatal(err)
	}
	d.settled()
}

// Every state of a stack is reached by some story here or beside it; this is
// the list, so that a state that nobody reaches is noticed.
func TestStatesAreReached(t *testing.T) {
	seen := map[string]bool{}
	stories := []func(d *desk){
		func(d *desk) { d.deploy(chain(3, "a")); d.deploy(chain(3, "b")); d.remove(); d.settled() },
		func(d *desk) { d.things.refuse("create T1", errors.New("no")); d.deploy(chain(3, "a")) },
		func(d *desk) {
			d.things.refuse("create T1", errors.New("no"))
			d.things.refuse("delete T0", errors.New("no"))
			d.deploy(chain(3, "a"))
			d.remove()
			d.settled()
		},
		func(d *desk) {
			d.deploy(chain(3, "a"))
			d.things.refuse("create T2", errors.New("no"))
			d.deploy(chain(3, "b"))
		},
		func(d *desk) {
			d.deploy(chain(3, "a"))
			d.things.refuse("update T1", errors.New("no"))
			d.deploy(chain(3, "b"))
		},
		func(d *desk) {
			d.things.refuse("create T1", errors.New("no"))
			d.leave(d.propose(chain(3, "a"), "CREATE", func(in *cfn.CreateChangeSetInput) { in.OnStackFailure = types.OnStackFailureDoNothing }))
		},
		func(d *desk) {
			d.deploy(chain(3, "a"))
			d.things.refuse("update T1", errors.New("no"))
			d.leave(d.propose(chain(3, "b"), "UPDATE", func(in *cfn.CreateChangeSetInput) { in.OnStackFailure = types.OnStackFailureDoNothing }))
		},
	}
	for _, story := range stories {
		simulate(t, func(_ *testing.T, d *desk) {
			story(d)
			for _, s := range d.states() {
				seen[s] = true
			}
		})
	}
	var missing []string
	for _, s := range types.StackStatus("").Values() {
		if !seen[string(s)] && !strings.HasPrefix(string(s), "IMPORT_") {
			missing = append(missing, string(s))
		}
	}
	if missing != nil {
		t.Error("no story reaches", missing)
	}
}
