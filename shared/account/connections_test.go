package account_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/shared/account"
)

// Many calls at once use their connections again.
func TestConnections(t *testing.T) {
	t.Parallel()
	const calls = 100
	var opened atomic.Int32
	var together sync.WaitGroup // all calls of a round are there at the same time
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		together.Done()
		together.Wait()
		w.WriteHeader(http.StatusOK)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	sts := httptest.NewServer(&fakeSTS{})
	defer sts.Close()
	s := keys("AKIAOWNER")
	s.EndpointS3, s.EndpointSTS = server.URL, sts.URL
	session, err := account.Open(t.Context(), s, bake)
	if err != nil {
		t.Fatal(err)
	}
	client := s3.NewFromConfig(session.Config, func(o *s3.Options) { o.UsePathStyle = true })
	round := func() int32 {
		before := opened.Load()
		together.Add(calls)
		var all sync.WaitGroup
		for range calls {
			all.Go(func() {
				if _, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("b"), Key: aws.String("k")}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		return opened.Load() - before
	}
	first, second := round(), round()
	if first < calls || second > calls/4 { // one that is on its way back may come too late
		t.Errorf("%d calls opened %d connections, and as many after them %d more", calls, first, second)
	}
}
