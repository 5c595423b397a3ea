package wire

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

// routed sends one request to a router with a query service that fails.
func routed(t *testing.T, change func(*http.Request)) (answer *httptest.ResponseRecorder, service, code string) {
	t.Helper()
	failing := func(context.Context, *Call) (any, error) { return nil, errors.New("the disk is full") }
	rt := NewRouter("us-east-1", Hooks{
		RequestID: func() string { return "r-1" },
		Authorize: func(string, operation.Operation) *Error { return nil },
		Observe:   func(s string, _ operation.Operation, _ int, c string) { service, code = s, c },
	}, Service{Name: "thing", Protocol: operation.Query, Version: "2026-01-01", Actions: map[string]Action{"Break": failing}},
		Service{Name: "s3", Protocol: operation.REST, Handler: http.NotFoundHandler()})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("Action=Break&Version=2026-01-01"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	change(r)
	answer = httptest.NewRecorder()
	rt.ServeHTTP(answer, r)
	return answer, service, code
}

func TestOurOwnFailureIsNotTheCallers(t *testing.T) {
	answer, service, code := routed(t, func(*http.Request) {})
	if answer.Code != http.StatusInternalServerError || code != "InternalError" || service != "thing" ||
		!contains(answer.Body.String(), "<Type>Receiver</Type>") || !contains(answer.Body.String(), "the disk is full") {
		t.Errorf("%d %s of %s: %s", answer.Code, code, service, answer.Body)
	}
	if id := answer.Header().Get("X-Amzn-Requestid"); id != "r-1" {
		t.Errorf("the request id is %q", id)
	}
}

func TestUnknownServicesAreNamed(t *testing.T) {
	answer, _, code := routed(t, func(r *http.Request) {
		r.Header.Set("X-Amz-Target", "Secrets.GetSecret")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AK/20261123/us-east-1/secrets/aws4_request, SignedHeaders=host, Signature=1")
	})
	if code != "UnsupportedOperation" || !contains(answer.Body.String(), "GetSecret") || !contains(answer.Body.String(), "secrets") {
		t.Errorf("%s: %s", code, answer.Body)
	}
}

func TestScopeOfAnotherService(t *testing.T) {
	_, _, code := routed(t, func(r *http.Request) {
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AK/20261123/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=1")
	})
	if code != "SignatureDoesNotMatch" {
		t.Errorf("got %q", code)
	}
}

func TestErrorsOfHandlersAreObserved(t *testing.T) {
	_, service, code := routed(t, func(r *http.Request) {
		r.Header.Del("Content-Type")
		r.Method, r.URL.Path = http.MethodHead, "/bucket/key"
	})
	if service != "s3" || code != "Not Found" {
		t.Errorf("%s of %s", code, service)
	}
}

func TestPagesNeitherRepeatNorHide(t *testing.T) {
	ordinal := func(n int64) int64 { return n }
	first, token, err := Page([]int64{1, 2, 3, 4}, ordinal, 2, "")
	if err != nil || token == "" {
		t.Fatal(token, err)
	}
	// 2 has gone and 5 has come between the two pages.
	second, end, err := Page([]int64{1, 3, 4, 5}, ordinal, 3, token)
	if diff := cmp.Diff([]int64{1, 2, 3, 4, 5}, append(first, second...)); diff != "" || end != "" || err != nil {
		t.Errorf("pages (-want +got):\n%s, %q, %v", diff, end, err)
	}
	for _, bad := range []string{"x", "YWZ0ZXI6eA", "OTk"} {
		if _, _, err := Page([]int64{1}, ordinal, 1, bad); err == nil {
			t.Errorf("the token %q was accepted", bad)
		}
	}
}
