package fault

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
)

// throttling is how a service says that it is asked too often.
func throttling(o operation.Operation) (status int, code string) {
	switch {
	case o.Protocol == operation.EC2Query:
		return http.StatusServiceUnavailable, "RequestLimitExceeded"
	case o.Protocol == operation.Query:
		return http.StatusBadRequest, "Throttling"
	case o.Service == "s3":
		return http.StatusServiceUnavailable, "SlowDown"
	case o.Protocol == operation.RESTJSON:
		return http.StatusTooManyRequests, "ThrottlingException"
	}
	return http.StatusBadRequest, "ThrottlingException"
}

// answer is an error in the form that clients of the protocol parse. The
// codes are ours, so nothing has to be escaped.
func answer(r *http.Request, p operation.Protocol, status int, code string) *http.Response {
	message := "injected by the test"
	kind, form := "text/xml", ""
	switch p {
	case operation.EC2Query:
		form = "<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>fault</RequestID></Response>"
	case operation.Query:
		form = "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>fault</RequestId></ErrorResponse>"
	case operation.JSON:
		kind, form = "application/x-amz-json-1.1", `{"__type":"%s","message":"%s"}`
	case operation.RESTJSON:
		kind, form = "application/json", `{"code":"%s","Message":"%s"}`
	default:
		kind, form = "application/xml", "<Error><Code>%s</Code><Message>%s</Message><RequestId>fault</RequestId></Error>"
	}
	body := fmt.Sprintf(form, code, message)
	if r.Method == http.MethodHead {
		body = ""
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {kind}, "X-Amzn-Requestid": {"fault"}},
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)), Request: r,
	}
}
