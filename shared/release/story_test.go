package release

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// roles of a stack with two.
var roles = []Role{{Name: "web", Group: "WebGroup", Targets: "WebTargets", Min: 2, Max: 4}, {Name: "worker", Group: "WorkerGroup", Min: 1, Max: 1}}

func groupEvent(id, status, reason string) stack.Event {
	return stack.Event{LogicalID: id, Type: "AWS::AutoScaling::AutoScalingGroup", Status: status, Reason: reason}
}

func inLog(t *testing.T, log *bytes.Buffer, parts ...string) {
	t.Helper()
	for _, want := range parts {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in:\n%s", want, log.String())
		}
	}
}

func TestStory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := newStory(console.New(&log, false), roles, map[string]int{"WebGroup": 2, "WorkerGroup": 1}, 5*time.Minute)
		watch := func(news ...stack.Event) {
			t.Helper()
			if err := s.watch(t.Context(), &stack.Stack{Status: stack.UpdateInProgress}, news); err != nil {
				t.Fatal(err)
			}
		}
		watch(
			stack.Event{LogicalID: "Release", Type: "AWS::EC2::Instance", Status: "CREATE_COMPLETE"},
			groupEvent("WorkerGroup", "UPDATE_IN_PROGRESS", "Received SUCCESS signal with UniqueId i-9"),
			groupEvent("WorkerGroup", "UPDATE_COMPLETE", ""),
		)
		watch(
			groupEvent("WebGroup", "UPDATE_IN_PROGRESS", "Received SUCCESS signal with UniqueId i-1"),
			groupEvent("WebGroup", "UPDATE_IN_PROGRESS", "Received SUCCESS signal with UniqueId i-2"),
		)
		time.Sleep(time.Minute) //nolint:forbidigo // simulated
		watch()
		if strings.Contains(log.String(), "is watched") {
			t.Errorf("this is no soak yet, web is not complete:\n%s", log.String())
		}
		watch(groupEvent("WebGroup", "UPDATE_COMPLETE", ""))
		time.Sleep(time.Minute) //nolint:forbidigo // simulated
		watch()
		inLog(t, &log, "The release process is done", "worker: 1 of 1 servers ready (i-9)", "web: 1 of 2 servers ready (i-1)",
			"web: 2 of 2 servers ready (i-2)", "web: all servers ready", "while the release is watched, for 5m")
		watch(groupEvent("WebGroup", "UPDATE_IN_PROGRESS", "Received FAILURE signal with UniqueId i-7"),
			groupEvent("WebGroup", "UPDATE_IN_PROGRESS", "Received FAILURE signal with UniqueId i-8"))
		if s.failing != "i-7" {
			t.Errorf("the first server that failed is %q", s.failing)
		}
	})
}

// Who joins an update in the middle counts what was said before.
func TestStoryFromTheMiddle(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newStory(console.New(&log, false), roles, map[string]int{"WebGroup": 3, "WorkerGroup": 1}, 5*time.Minute)
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s.catchUp([]stack.Event{
		{LogicalID: "shop-staging", Type: "AWS::CloudFormation::Stack", Status: "UPDATE_IN_PROGRESS", Time: began},
		groupEvent("WorkerGroup", "UPDATE_IN_PROGRESS", "Received SUCCESS signal with UniqueId i-9"),
		groupEvent("WorkerGroup", "UPDATE_COMPLETE", ""),
		groupEvent("WebGroup", "UPDATE_IN_PROGRESS", "Received SUCCESS signal with UniqueId i-1"),
	})
	s.event(groupEvent("WebGroup", "UPDATE_IN_PROGRESS", "Received SUCCESS signal with UniqueId i-2"))
	inLog(t, &log, "worker: all servers ready", "web: 1 of 3 servers ready so far", "web: 2 of 3 servers ready (i-2)")
	if strings.Contains(log.String(), "(i-1)") {
		t.Errorf("old news were told one by one:\n%s", log.String())
	}
	if !s.open["WebGroup"] || s.open["WorkerGroup"] || !s.began.Equal(began) {
		t.Errorf("at work: %v, since %s", s.open, s.began)
	}
}

// A timeout is a consequence when servers could not be launched, and only then.
func TestFailure(t *testing.T) {
	t.Parallel()
	s := newStory(console.New(&bytes.Buffer{}, false), roles, nil, 0)
	timeout := []stack.Event{groupEvent("WebGroup", "UPDATE_FAILED", "Failed to receive 1 resource signal(s) within the specified duration")}
	failed := []stack.Event{groupEvent("WebGroup", "UPDATE_FAILED", "Received 1 FAILURE signal(s) out of 2.")}
	final := &stack.Stack{Status: stack.UpdateRollbackComplete}
	check := func(events []stack.Event, want string, launch bool) {
		t.Helper()
		if why, r := s.failure(final, events); why != want || (r != nil) != launch {
			t.Errorf("%q, %v; want %q", why, r, want)
		}
	}
	check(timeout, "WebGroup: "+timeout[0].Reason, false)
	s.refuse(Group{Logical: "WebGroup", Role: "web"}, refusal{words: "no servers left"})
	check(timeout, "role web: not all servers could be launched: no servers left", true)
	check(failed, "WebGroup: "+failed[0].Reason, false)
	s.words = "server i-1: no database"
	check(failed, s.words, false)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"We currently do not have sufficient t3.small capacity in the Availability Zone you requested (eu-central-1b). Our system will be working on provisioning additional capacity.": "AWS has no t3.small servers left in eu-central-1b",
		"There is no sufficient capacity. Launching EC2 instance failed.":                                                                                         "AWS has no servers of this type left",
		"You have requested more vCPU capacity than your current vCPU limit of 16 allows for the instance bucket":                                                 "the account may have 16 virtual processors of this kind, and they are in use",
		"You have requested more instances (21) than your current instance limit of 20 allows for the specified instance type.":                                   "the account may have 20 servers of this type, and they are in use",
		"There are not enough free addresses in subnet 'subnet-0a' to satisfy the requested number of instances. Launching EC2 instance failed.":                  "subnet subnet-0a has no free addresses",
		"The subnet ID 'subnet-0b' does not exist. Launching EC2 instance failed.":                                                                                "subnet subnet-0b is not there",
		"The security group 'sg-0c' does not exist":                                                                                                               "security group sg-0c is not there",
		"The image id '[ami-0d]' does not exist":                                                                                                                  "image ami-0d is not there any more",
		"Value (shop-web) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name":                                                    "the instance profile shop-web is not there",
		"Your requested instance type (t4g.small) is not supported in your requested Availability Zone (us-east-1e). Please retry your request by not specifying": "there are no t4g.small servers in us-east-1e",
		"Client.InternalError: Client error on launch":                                                                                                            "the server's disk cannot be read: it is encrypted with a key that Auto Scaling may not use",
		"Something new. Launching EC2 instance failed.":                                                                                                           "Something new",
		"": "AWS does not say why",
	} {
		if got := refusalOf(message); got.words != want {
			t.Errorf("%s\n got %q\nwant %q", message, got.words, want)
		}
	}
}
