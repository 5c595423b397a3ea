package operation_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
)

func TestOf(t *testing.T) {
	signed := func(service string) http.Header {
		return http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=AK/20261123/eu-west-1/" + service + "/aws4_request, SignedHeaders=host, Signature=1"}}
	}
	for _, test := range []struct {
		request  string
		header   http.Header
		body     string
		protocol operation.Protocol
		want     string
	}{
		{"POST /", signed("ec2"), "Action=RunInstances&Version=2016-11-15", operation.EC2Query, "ec2:RunInstances"},
		{"POST /", signed("cloudformation"), "Action=CreateChangeSet&Version=2010-05-15", operation.Query, "cloudformation:CreateChangeSet"},
		{"POST /", nil, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15", operation.Query, "sts:AssumeRoleWithWebIdentity"},
		{"POST /", http.Header{"X-Amz-Target": {"AmazonSSM.GetParameter"}, "Authorization": signed("ssm")["Authorization"]}, "", operation.JSON, "ssm:GetParameter"},
		{"PUT /bucket/key?x-id=PutObject", signed("s3"), "", operation.REST, "s3:PutObject"},
		{"PUT /bucket/key?X-Amz-Credential=AK%2F20261123%2Feu-west-1%2Fs3%2Faws4_request", nil, "", operation.REST, "s3:PutObject"},
		{"GET /bucket?list-type=2", nil, "", operation.REST, "s3:ListObjectsV2"},
		{"HEAD /bucket/a/b", nil, "", operation.REST, "s3:HeadObject"},
		{"GET http://bucket.s3.eu-west-1.amazonaws.com/key", nil, "", operation.REST, "s3:GetObject"},
		{"POST /bucket?delete", nil, "", operation.REST, "s3:DeleteObjects"},
		{"POST /schedules/one", signed("scheduler"), "", operation.RESTJSON, "scheduler:CreateSchedule"},
		{"GET /schedules?ScheduleGroup=x", signed("scheduler"), "", operation.RESTJSON, "scheduler:ListSchedules"},
		{"PUT /tags/one", signed("scheduler"), "", operation.RESTJSON, "scheduler:PUT /tags/one"},
		{"POST /2013-04-01/hostedzone", signed("route53"), "", operation.REST, "route53:POST /2013-04-01/hostedzone"},
	} {
		method, url, _ := strings.Cut(test.request, " ")
		r := httptest.NewRequestWithContext(t.Context(), method, url, strings.NewReader(test.body))
		for name, values := range test.header {
			r.Header[name] = values
		}
		if test.body != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		}
		r.Header.Set("User-Agent", "aws-sdk-go-v2/1.47 os/linux app/run-7 m/E")
		if needs := operation.NeedsBody(r); needs != (test.body != "") {
			t.Errorf("%s: needs its body: %t", test.request, needs)
		}
		o := operation.Of(r, []byte(test.body))
		if got := o.Service + ":" + o.Action; got != test.want || o.Protocol != test.protocol || o.Application != "run-7" {
			t.Errorf("%s is %s in protocol %d by %s, want %s in %d", test.request, got, o.Protocol, o.Application, test.want, test.protocol)
		}
		if unsigned := test.header == nil && !strings.Contains(test.request, "Credential"); unsigned != (o.AccessKey == "") || !unsigned && o.Region != "eu-west-1" {
			t.Errorf("%s: key %q of region %q", test.request, o.AccessKey, o.Region)
		}
	}
}
