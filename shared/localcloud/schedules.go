package localcloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/scheduler"
)

// scheduling makes EventBridge Scheduler, which calls CloudFormation as
// everybody does: over the API, with a session of the schedule's role.
func (c *Cloud) scheduling() *scheduler.Service {
	return scheduler.New(c.world, scheduler.Surroundings{
		Takes:  func(role string) bool { return c.iam.Trusts(role, "scheduler.amazonaws.com") },
		Delete: c.deleteStackAs,
	})
}

// Schedules are all schedules, in the order of creation.
func (c *Cloud) Schedules() []scheduler.Schedule { return c.schedules.Schedules() }

// FailSchedules lets the next calls of schedules whose GROUP/NAME begins with
// prefix fail, so many times, before they reach their target.
func (c *Cloud) FailSchedules(prefix, reason string, times int) {
	c.schedules.Fail(prefix, reason, times)
}

// deleteStackAs calls DeleteStack with a session of a role.
func (c *Cloud) deleteStackAs(role string, what scheduler.Deletion) error {
	form := url.Values{"Action": {"DeleteStack"}, "Version": {"2010-05-15"}, "StackName": {what.StackName}}
	for name, value := range map[string]string{"RoleARN": what.RoleARN, "ClientRequestToken": what.ClientRequestToken} {
		if value != "" {
			form.Set(name, value)
		}
	}
	session := c.sts.Issue(role[strings.LastIndex(role, "/")+1:], "schedule", time.Hour)
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://cloud.local/", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Amz-Security-Token", session.SessionToken)
	// The cloud reads the scope of a signature and does not compute it.
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s/%s/cloudformation/aws4_request, SignedHeaders=host, Signature=none",
		session.AccessKey, time.Now().UTC().Format("20060102"), c.world.Region))
	return refusal(c.Transport().RoundTrip(r))
}

var refusalParts = regexp.MustCompile(`<Code>([^<]*)</Code><Message>([^<]*)</Message>`)

// refusal is what an answer of CloudFormation complains about.
func refusal(answer *http.Response, err error) error {
	if err != nil {
		return err
	}
	body, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil || answer.StatusCode == http.StatusOK {
		return err
	}
	if m := refusalParts.FindSubmatch(body); m != nil {
		return fmt.Errorf("%s: %s", m[1], m[2])
	}
	return fmt.Errorf("CloudFormation answered %d", answer.StatusCode)
}
