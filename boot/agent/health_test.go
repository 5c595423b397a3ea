package agent

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ask asks a server the way boot does.
func ask(t *testing.T, server *httptest.Server, address string) string {
	t.Helper()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return newHealth(http.DefaultTransport, address, port, "/health").ask(t.Context())
}

func TestHealthNamesTheCause(t *testing.T) {
	t.Parallel()
	respond := func(code int, location string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if location != "" {
				w.Header().Set("Location", location)
			}
			w.WriteHeader(code)
		}
	}
	tests := map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"good":         {respond(200, ""), ""},
		"created":      {respond(201, ""), "/health answers 201, expected 200"},
		"https":        {respond(301, "https://shop.example.com/health"), "answers 301, a redirect to https: health checks come by http"},
		"https by 302": {respond(302, "https://shop.example.com/"), "answers 302, a redirect to https"},
		"login":        {respond(302, "/login"), "answers 302, a redirect to /login: the health path must answer 200 itself"},
		"host":         {respond(400, ""), "allow HOST (127.0.0.1) besides PUBLIC_HOSTS"},
		"forbidden":    {respond(403, ""), "must not need a login"},
		"unknown":      {respond(404, ""), "does not know the path"},
		"fails":        {respond(500, ""), "answers 500: the application fails, its log says why"},
		"unavailable":  {respond(503, ""), "answers 503: still starting"},
		"hangs up": {func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = conn.Close()
			}
		}, "closed the connection without an answer"},
		"by a host name": {func(w http.ResponseWriter, r *http.Request) {
			if host, _, _ := net.SplitHostPort(r.Host); host != "127.0.0.1" || r.URL.Path != "/health" {
				w.WriteHeader(http.StatusTeapot)
			}
		}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(test.answer)
			defer server.Close()
			got := ask(t, server, "127.0.0.1")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestHealthRefused(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	// 127.0.0.2 is another address of this computer where Linux is; the server
	// is only on 127.0.0.1.
	if conn, err := net.Listen("tcp", "127.0.0.2:0"); err == nil {
		_ = conn.Close()
		if got := ask(t, server, "127.0.0.2"); !strings.Contains(got, "listens on 127.0.0.1 only") || !strings.Contains(got, "HOST (127.0.0.2)") {
			t.Errorf("got %q", got)
		}
	}
	server.Close()
	if got := ask(t, server, "127.0.0.1"); !strings.Contains(got, "connection refused: nothing listens on 127.0.0.1:") {
		t.Errorf("got %q", got)
	}
}

// timeout is an answer that does not come in time.
type timeout struct{}

func (timeout) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestHealthTimesOut(t *testing.T) {
	t.Parallel()
	h := newHealth(timeout{}, "127.0.0.1", 8000, "/health")
	h.client.Timeout = 20 * time.Millisecond
	if got := h.ask(t.Context()); !strings.Contains(got, "/health did not answer within 5s: still starting") {
		t.Errorf("got %q", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := h.ask(ctx); got == "" {
		t.Error("healthy without an answer")
	}
}
