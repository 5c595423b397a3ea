package pipe_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"bitbucket.org/fearless/pipes/shared/pipe"
)

func TestBrief(t *testing.T) {
	t.Parallel()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("x-amzn-RequestId", "r-1")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`)
	}))
	defer refusing.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()

	for name, test := range map[string]struct{ address, want string }{
		"answer":  {refusing.URL, "who: STS GetCallerIdentity: AccessDenied: not you (request r-1)"},
		"network": {"http://" + closed.Addr().String(), "who: STS GetCallerIdentity: dial tcp " + closed.Addr().String()},
	} {
		client := sts.New(sts.Options{
			Region: "us-east-1", BaseEndpoint: &test.address, Retryer: aws.NopRetryer{},
			Credentials: credentials.NewStaticCredentialsProvider("A", "b", ""),
		})
		_, err := client.GetCallerIdentity(t.Context(), nil)
		if got := pipe.Brief(fmt.Errorf("who: %w", err)); !strings.HasPrefix(got, test.want) || len(got) > len(test.want)+40 {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	if got := pipe.Brief(errors.New("plain")); got != "plain" {
		t.Errorf("got %q", got)
	}
}
