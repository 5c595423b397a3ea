package fleet_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/boot/fleet"
)

// page is an answer of DescribeInstances with instances "id state".
func page(token string, instances ...string) string {
	var b strings.Builder
	b.WriteString(`<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet>`)
	for _, i := range instances {
		id, state, _ := strings.Cut(i, " ")
		if state != "" {
			state = "<instanceState><code>0</code><name>" + state + "</name></instanceState>"
		}
		fmt.Fprintf(&b, "<item><instancesSet><item><instanceId>%s</instanceId>%s</item></instancesSet></item>", id, state)
	}
	fmt.Fprintf(&b, "</reservationSet><nextToken>%s</nextToken></DescribeInstancesResponse>", token)
	return b.String()
}

func open(t *testing.T, answer http.HandlerFunc) fleet.Fleet {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return fleet.Open(aws.Config{
		Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("AKID", "k", ""), HTTPClient: server.Client(),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}, &server.URL)
}

func TestLiving(t *testing.T) {
	t.Parallel()
	var asked []string
	f := open(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		asked = append(asked, r.PostForm.Encode())
		if r.PostForm.Get("NextToken") == "" {
			_, _ = io.WriteString(w, page("more", "i-1 terminated", "i-2 shutting-down", "i-me running"))
			return
		}
		_, _ = io.WriteString(w, page("", "i-3 stopped", "i-4 stopping", "i-5 pending", "i-6 running", "i-7 hibernating", "i-8"))
	})
	got, err := f.Living(t.Context(), "shop-staging", "SchedulerGroup", "i-me")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"i-2 (shutting-down)", "i-4 (stopping)", "i-5 (pending)", "i-6 (running)", "i-7 (hibernating)", "i-8 (state unknown)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	first := "Action=DescribeInstances&Filter.1.Name=tag%3Aaws%3Acloudformation%3Astack-name&Filter.1.Value.1=shop-staging" +
		"&Filter.2.Name=tag%3Aaws%3Acloudformation%3Alogical-id&Filter.2.Value.1=SchedulerGroup"
	if diff := cmp.Diff([]string{first + "&Version=2016-11-15", first + "&NextToken=more&Version=2016-11-15"}, asked); diff != "" {
		t.Error(diff)
	}
}

// A page that is missing may hold the one server that counts.
func TestNoAnswerIsNobody(t *testing.T) {
	t.Parallel()
	f := open(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		if r.PostForm.Get("NextToken") == "" {
			_, _ = io.WriteString(w, page("more"))
			return
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>")
	})
	if got, err := f.Living(t.Context(), "s", "r", "i-me"); err == nil || got != nil || !strings.Contains(err.Error(), "cannot list the servers of s: ") {
		t.Errorf("got %v, %v", got, err)
	}
}
