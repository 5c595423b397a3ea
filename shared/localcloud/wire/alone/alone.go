// Package alone puts one service of the local cloud behind the SDK's client of it, without
// the others and without a socket. It belongs to the tests of services.
package alone

import (
	"net/http"
	"net/http/httptest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// Config is for a client that reaches the service in the caller's goroutine, so a call
// takes no simulated time. An error is not tried again.
func Config(service wire.Service) aws.Config {
	router := wire.NewRouter("us-east-1", wire.Hooks{
		RequestID: func() string { return "r-1" },
		Authorize: func(string, operation.Operation) *wire.Error { return nil },
		Observe:   func(string, operation.Operation, int, string) {},
	}, service)
	return aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
		HTTPClient: &http.Client{Transport: within{router}}, BaseEndpoint: aws.String("http://cloud.test"), RetryMaxAttempts: 1,
	}
}

// within is the way to a service in the same process.
type within struct{ http.Handler }

// RoundTrip is one call, as a server would have read it.
func (h within) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, in)
	return recorder.Result(), nil
}
