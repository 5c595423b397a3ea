package cloudformation_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"
)

// servers is a template of a launch template and a group of it.
func servers(version string, policy object, more ...any) document {
	template := res(plain, object{"Name": "template " + version})
	g := res(group, object{
		"MinSize": "3", "MaxSize": "9",
		"LaunchTemplate": object{"LaunchTemplateId": object{"Ref": "Template"}, "Version": object{"Fn::GetAtt": []any{"Template", "Version"}}},
	}, "UpdatePolicy", policy)
	for n := 0; n < len(more); n += 2 {
		if name := more[n].(string); name == "CreationPolicy" {
			g[name] = more[n+1]
		} else {
			g["Properties"].(object)[name] = more[n+1]
		}
	}
	return stackOf(object{"Template": template, "Group": g})
}

var (
	replacingUpdate = object{"AutoScalingReplacingUpdate": object{"WillReplace": true}}
	threeSignals    = object{"ResourceSignal": object{"Count": 3, "Timeout": "PT10M"}}
)

func TestReplacingUpdate(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.fleet.vote = map[string]types.ResourceSignalStatus{"1": "SUCCESS", "2": "SUCCESS"}
		d.deploy(servers("a", replacingUpdate, "CreationPolicy", threeSignals))
		if diff := cmp.Diff(map[string]int{"1": 3}, d.fleet.servers()); diff != "" {
			t.Fatal(diff, d.events())
		}
		d.begin(servers("b", replacingUpdate, "CreationPolicy", threeSignals), soak(5))
		for range 100 {
			pass(time.Second)
			if d.fleet.servers()["1"] != 3 {
				t.Fatal("the old servers are gone", d.events())
			}
		}
		if diff := cmp.Diff(map[string]int{"1": 3, "2": 3}, d.fleet.servers()); diff != "" {
			t.Fatal(diff) // soaking: both serve
		}
		d.want("UPDATE_COMPLETE")
		if diff := cmp.Diff(map[string]int{"2": 3}, d.fleet.servers()); diff != "" {
			t.Fatal(diff)
		}
		if r := d.service.Stacks()[0].Resources["Group"]; r.Status != "UPDATE_COMPLETE" || !slices.Contains(sortedKeys(d.fleet.groups), r.Physical) || len(d.fleet.groups) != 1 {
			t.Error(r, sortedKeys(d.fleet.groups))
		}
		err := d.signal("Group", "i-99", "SUCCESS")
		wantCode(t, err, "ValidationError", "Resource Group is in UPDATE_COMPLETE state and cannot be signaled")
	})
}

func TestReplacingUpdateThatFails(t *testing.T) {
	for vote, want := range map[types.ResourceSignalStatus]string{
		"FAILURE": "Group UPDATE_FAILED: Received 1 FAILURE signal(s) out of 3.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement",
		"":        "Group UPDATE_FAILED: Failed to receive 3 resource signal(s) within the specified duration",
	} {
		simulate(t, func(t *testing.T, d *desk) {
			d.fleet.vote = map[string]types.ResourceSignalStatus{"1": "SUCCESS", "2": vote}
			d.deploy(servers("a", replacingUpdate, "CreationPolicy", threeSignals))
			old := d.service.Stacks()[0].Resources["Group"].Physical
			began := time.Now()
			if got := d.deploy(servers("b", replacingUpdate, "CreationPolicy", threeSignals)); got != "UPDATE_ROLLBACK_COMPLETE" {
				t.Fatal(got, d.events())
			}
			if !d.happened(want) || !d.happened("shop UPDATE_ROLLBACK_IN_PROGRESS: The following resource(s) failed to update: [Group]. ") {
				t.Error(d.events())
			}
			if took := time.Since(began); (took < 3*time.Minute) != (vote == "FAILURE") {
				t.Error("took", took)
			}
			if diff := cmp.Diff(map[string]int{"1": 3}, d.fleet.servers()); diff != "" || d.service.Stacks()[0].Resources["Group"].Physical != old {
				t.Error(diff)
			}
			// The template has a third version with the old content now; the
			// group, which has not changed, is left alone.
			if c := d.propose(servers("a", replacingUpdate, "CreationPolicy", threeSignals), "UPDATE"); c.Status != "FAILED" {
				t.Error(c.Status, c.Changes)
			}
		})
	}
}

func TestSignalsCountByUniqueID(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		policy := object{"ResourceSignal": object{"Count": 4, "Timeout": "PT5M"}, "AutoScalingCreationPolicy": object{"MinSuccessfulInstancesPercent": 75}}
		d.begin(servers("a", replacingUpdate, "CreationPolicy", policy))
		pass(15 * time.Second)
		for _, vote := range []struct {
			id     string
			status types.ResourceSignalStatus
		}{{"i-a", "SUCCESS"}, {"i-a", "SUCCESS"}, {"i-a", "FAILURE"}, {"i-b", "FAILURE"}, {"i-c", "SUCCESS"}} {
			if err := d.signal("Group", vote.id, vote.status); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Minute)
		if d.status() != "CREATE_IN_PROGRESS" {
			t.Fatal(d.events())
		}
		if err := d.signal("Group", "i-d", "SUCCESS"); err != nil {
			t.Fatal(err)
		}
		d.want("CREATE_COMPLETE")
		if n := strings.Count(strings.Join(d.events(), "\n"), "signal with UniqueId"); n != 4 {
			t.Error(n, d.events())
		}
		err := d.signal("Nobody", "i-1", "SUCCESS")
		wantCode(t, err, "ValidationError", "Resource Nobody does not exist for stack shop")
	})
}

func TestInstanceThatFails(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		doc := stackOf(object{
			"Release": res(instance, object{}, "CreationPolicy", object{"ResourceSignal": object{"Timeout": "PT15M"}}),
			"Later":   res(plain, object{}, "DependsOn", "Release"),
		})
		d.begin(doc)
		pass(time.Minute)
		if err := d.signal("Release", "i-1", "FAILURE"); err != nil {
			t.Fatal(err)
		}
		d.want("ROLLBACK_COMPLETE")
		if !d.happened("Release CREATE_FAILED: Received FAILURE signal with UniqueId i-1") || slices.Contains(d.things.calls, "create Later") {
			t.Error(d.events())
		}
	})
}

// rolling is an AutoScalingRollingUpdate that waits for signals.
func rolling(batch, inService int) object {
	return object{"AutoScalingRollingUpdate": object{
		"MaxBatchSize": batch, "MinInstancesInService": inService, "PauseTime": "PT5M", "WaitOnResourceSignals": true,
		"SuspendProcesses": []any{"AlarmNotification"},
	}}
}

// The scenarios of a public study of rolling updates, with its figures: what
// the group was like, what the events say, and how it ends.
func TestRollingUpdates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		desired     int // the template has none: a scaled-out group
		batch, keep int
		bad         bool
		events      []string
		size        string // at the end
		fewest      int    // old or new servers in service at any time
	}{
		"healthy to healthy": {
			desired: 3, batch: 6, keep: 3, size: "3 3 9", fewest: 3,
			events: []string{"Temporarily setting autoscaling group MinSize and DesiredCapacity to 6.",
				"Rolling update initiated. Terminating 3 obsolete instance(s) in batches of 3, while keeping at least 3 instance(s) in service. Waiting on resource signals with a timeout of PT5M when new instances are added to the autoscaling group.",
				"New instance(s) added to autoscaling group - Waiting on 3 resource signal(s) with a timeout of PT5M."},
		},
		"partially scaled, fixed minimum": {
			desired: 6, batch: 6, keep: 3, size: "3 6 9", fewest: 3,
			events: []string{"Temporarily setting autoscaling group MinSize and DesiredCapacity to 9."},
		},
		"partially scaled, minimum of the moment": {
			desired: 6, batch: 6, keep: 6, size: "3 6 9", fewest: 6,
			events: []string{"Temporarily setting autoscaling group MinSize and DesiredCapacity to 9."},
		},
		"fully scaled, fixed minimum": {desired: 9, batch: 6, keep: 3, size: "3 9 9", fewest: 3},
		"fully scaled, one less": {
			desired: 9, batch: 6, keep: 8, size: "3 9 9", fewest: 8,
			events: []string{"Successfully terminated instance(s) [i-2] (Progress 11%)."},
		},
		"healthy to unhealthy": {
			desired: 3, batch: 6, keep: 3, bad: true, size: "3 6 9", fewest: 3, // left too big: the template has no size
			events: []string{"Failed to receive 3 resource signal(s) for the current batch.  Each resource signal timeout is counted as a FAILURE."},
		},
		"partially scaled to unhealthy": {desired: 6, batch: 6, keep: 6, bad: true, size: "3 9 9", fewest: 6},
		"fully scaled to unhealthy":     {desired: 9, batch: 6, keep: 8, bad: true, size: "3 9 9", fewest: 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, func(t *testing.T, d *desk) {
				d.fleet.vote = map[string]types.ResourceSignalStatus{"1": "SUCCESS", "2": "SUCCESS"}
				if c.bad {
					d.fleet.vote["2"] = ""
				}
				d.deploy(servers("a", rolling(c.batch, c.keep)))
				name := sortedKeys(d.fleet.groups)[0]
				_ = d.fleet.SetSize(name, 3, 9, c.desired)
				pass(time.Minute)
				d.begin(servers("b", rolling(c.batch, c.keep)))
				fewest := 99
				for strings.HasSuffix(d.status(), "_IN_PROGRESS") {
					serving := d.fleet.servers()
					if c.bad {
						serving["2"] = 0
					}
					fewest = min(fewest, serving["1"]+serving["2"])
					pass(time.Second)
				}
				status, version := "UPDATE_COMPLETE", "2"
				if c.bad {
					status, version = "UPDATE_ROLLBACK_COMPLETE", "1"
				}
				if d.status() != status || fewest != c.fewest {
					t.Errorf("%s, fewest %d\n%s", d.status(), fewest, strings.Join(d.events(), "\n"))
				}
				low, high, desired, _ := d.fleet.Size(name)
				if size := fmt.Sprint(low, desired, high); size != c.size {
					t.Errorf("the size is %s", size)
				}
				pass(time.Minute)
				if diff := cmp.Diff(map[string]int{version: desired}, d.fleet.servers()); diff != "" {
					t.Errorf("servers: %s\n%s", diff, strings.Join(d.events(), "\n"))
				}
				for _, e := range c.events {
					if !d.happened("Group UPDATE_IN_PROGRESS: " + e) {
						t.Errorf("did not happen: %s\n%s", e, strings.Join(d.events(), "\n"))
					}
				}
				if len(d.fleet.groups[name].suspended) != 0 {
					t.Error("suspended:", d.fleet.groups[name].suspended)
				}
			})
		})
	}
}

func TestScaleOutDuringARollingUpdate(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.fleet.vote = map[string]types.ResourceSignalStatus{"1": "SUCCESS", "2": "SUCCESS"}
		d.deploy(servers("a", rolling(6, 3)))
		name := sortedKeys(d.fleet.groups)[0]
		d.begin(servers("b", rolling(6, 3)))
		pass(25 * time.Second) // three new servers are booting
		_ = d.fleet.SetSize(name, 6, 9, 8)
		d.want("UPDATE_COMPLETE")
		pass(time.Minute)
		if low, _, desired, _ := d.fleet.Size(name); low != 3 || desired != 3 || d.fleet.servers()["2"] != 3 {
			t.Error(low, desired, d.fleet.servers()) // the scale-out is lost
		}
	})
}

// Exactly one: the old server is gone before the new one is launched.
func TestRollingAtZero(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.fleet.vote = map[string]types.ResourceSignalStatus{"1": "SUCCESS", "2": "FAILURE", "3": "SUCCESS"}
		policy := rolling(1, 0)
		one := func(version string) document { return servers(version, policy, "MinSize", 1, "MaxSize", 1) }
		d.deploy(one("a"))
		pass(time.Minute) // or its server would vote for the next one
		if got := d.deploy(one("b")); got != "UPDATE_ROLLBACK_COMPLETE" {
			t.Fatal(got, d.events())
		}
		if !d.happened("Group UPDATE_FAILED: Received 0 SUCCESS signal(s) out of 1.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement") {
			t.Error(d.events())
		}
		if diff := cmp.Diff([]string{"terminate 1", "terminate 2"}, d.fleet.log); diff != "" {
			t.Error(diff) // two rolls: there and back
		}
		if diff := cmp.Diff(map[string]int{"1": 1}, d.fleet.servers()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRollingWithoutSignals(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		policy := object{"AutoScalingRollingUpdate": object{"MinInstancesInService": "2", "PauseTime": "PT1M"}}
		d.deploy(servers("a", policy))
		began := time.Now()
		if got := d.deploy(servers("b", policy)); got != "UPDATE_COMPLETE" {
			t.Fatal(got, d.events())
		}
		// Three batches of one: boot, while the old server ends, and pause.
		if took := time.Since(began); took < 3*90*time.Second || took > 3*90*time.Second+time.Minute {
			t.Error(took, d.events())
		}
		if diff := cmp.Diff(map[string]int{"2": 3}, d.fleet.servers()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestCancelDuringARollingUpdate(t *testing.T) {
	t.Parallel()
	for second := 5; second < 300; second += 17 {
		simulate(t, func(t *testing.T, d *desk) {
			d.fleet.vote = map[string]types.ResourceSignalStatus{"1": "SUCCESS", "2": "SUCCESS", "3": "SUCCESS"}
			sized := func(v string) document { return servers(v, rolling(1, 2), "DesiredCapacity", 3) }
			d.deploy(sized("a"))
			d.begin(sized("b"), soak(10))
			pass(time.Duration(second) * time.Second)
			if _, err := d.client.CancelUpdateStack(t.Context(), &cfn.CancelUpdateStackInput{StackName: aws.String("shop")}); err != nil {
				t.Fatal(err)
			}
			d.want("UPDATE_ROLLBACK_COMPLETE")
			pass(time.Minute)
			name := sortedKeys(d.fleet.groups)[0]
			low, high, desired, _ := d.fleet.Size(name)
			if diff := cmp.Diff(map[string]int{"1": 3}, d.fleet.servers()); diff != "" || low != 3 || high != 9 || desired != 3 || len(d.fleet.groups[name].suspended) != 0 {
				t.Errorf("after %d s: %s, size %d %d %d, suspended %v\n%s", second, diff, low, desired, high, d.fleet.groups[name].suspended, strings.Join(d.events(), "\n"))
			}
		})
	}
}

func TestMinInstancesInServiceBelowMaxSize(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.fleet.vote = map[string]types.ResourceSignalStatus{"1": "SUCCESS"}
		d.deploy(servers("a", rolling(1, 9)))
		if got := d.deploy(servers("b", rolling(1, 9))); got != "UPDATE_ROLLBACK_FAILED" {
			t.Fatal(got, d.events())
		}
		if !d.happened("Group UPDATE_FAILED: MinInstancesInService must be less than the autoscaling group's MaxSize") {
			t.Error(d.events())
		}
	})
}

func TestWithoutPolicyServersStayOld(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		d.deploy(servers("a", object{}))
		if got := d.deploy(servers("b", object{})); got != "UPDATE_COMPLETE" {
			t.Fatal(got)
		}
		pass(time.Hour)
		if diff := cmp.Diff(map[string]int{"1": 3}, d.fleet.servers()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPolicyErrors(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		for n, c := range []struct {
			doc  document
			want string
		}{
			{servers("a", object{"AutoScalingRollingUpdate": object{"MaxBatchSizes": 1}}), "MaxBatchSizes"},
			{servers("a", object{"AutoScalingRollingUpdate": object{"PauseTime": "5m"}}), "PT15M"},
			{servers("a", object{"AutoScalingRollingUpdate": object{"PauseTime": "PT2H"}}), "longer"},
			{servers("a", replacingUpdate, "CreationPolicy", object{"ResourceSignal": object{"Timeout": "PT13H"}}), "longer"},
			{servers("a", replacingUpdate, "CreationPolicy", object{"ResourceSignal": object{"Counts": 1}}), "Counts"},
			{stackOf(object{"A": res(plain, object{}, "CreationPolicy", threeSignals)}), "not supported for resource type Test::Plain::Thing (A)"},
			{stackOf(object{"A": res(plain, object{}, "UpdatePolicy", replacingUpdate)}), "not supported for resource type Test::Plain::Thing (A)"},
		} {
			_, err := d.client.CreateChangeSet(t.Context(), &cfn.CreateChangeSetInput{
				StackName: aws.String("shop"), ChangeSetName: aws.String("c" + strconv.Itoa(n)), ChangeSetType: "CREATE", TemplateBody: aws.String(c.doc.String()),
			})
			wantCode(t, err, "ValidationError", c.want)
		}
	})
}
