package elb_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/elb"
	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

// inFront is a listener that forwards everything to one server.
func inFront(t *testing.T, h http.Handler, more resource.Properties) (b *bench, group string) {
	t.Helper()
	b = setup(t, timing, elb.Options{Sockets: true})
	group = b.group("RWebTargets", more)
	b.rule(1, paths("/*"), forward(group))
	b.serve("i-1", h)
	b.register(group, "i-1")
	b.awaitHealth(group, "i-1", "healthy")
	return b, group
}

func TestWhatTheTargetSees(t *testing.T) {
	t.Parallel()
	b, _ := inFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Host", "X_Odd", "X-Amzn-Trace-Id"} {
			fmt.Fprintf(w, "%s: %s\n", name, strings.Join(r.Header.Values(name), " & "))
		}
		fmt.Fprintf(w, "%s %s %s %d", r.Method, r.Host, r.URL, r.ContentLength)
	}), nil)
	ask := func() string {
		got := b.get("/a%2Fb?x=1;2", func(r *http.Request) {
			r.Host = "shop.example.com"
			r.Header.Set("X-Forwarded-For", "198.51.100.7")
			r.Header.Set("X-Forwarded-Proto", "gopher")
			r.Header["X_Odd"] = []string{"odd"}
		})
		return regexp.MustCompile(`Root=1-[0-9a-f]{8}-[0-9a-f]{24}`).ReplaceAllString(got.body, "TRACE")
	}
	want := "X-Forwarded-For: 198.51.100.7, 127.0.0.1\nX-Forwarded-Proto: http\nX-Forwarded-Port: 80\nX-Forwarded-Host: \nX_Odd: odd\nX-Amzn-Trace-Id: TRACE\n" +
		"GET shop.example.com /a%2Fb?x=1;2 0"
	if diff := cmp.Diff(want, ask()); diff != "" {
		t.Errorf("the target saw (-want +got):\n%s", diff)
	}

	if _, err := b.kind("LoadBalancer").Update(request("B", resource.Properties{"Subnets": []any{"subnet-a", "subnet-b"}, "LoadBalancerAttributes": []any{
		map[string]any{"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"}}}), nil, b.balancer); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Replace(want, "X_Odd: odd", "X_Odd: ", 1), ask()); diff != "" {
		t.Errorf("without odd fields (-want +got):\n%s", diff)
	}
}

func TestSecureListenersSayHTTPS(t *testing.T) {
	t.Parallel()
	b, group := inFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-Proto")+" "+r.Header.Get("X-Forwarded-Port"))
	}), nil)
	b.listener = b.make("Listener", "HttpsListener", resource.Properties{"LoadBalancerArn": b.balancer, "Port": 443, "Protocol": "HTTPS",
		"Certificates": []any{map[string]any{"CertificateArn": "arn:aws:acm:1"}}, "DefaultActions": forward(group)})
	if got := b.get("/", nil); got.body != "https 443" {
		t.Errorf("the target is told %q", got.body)
	}
}

// wantError compares an answer of the balancer itself.
func wantError(t *testing.T, got answer, status int) {
	t.Helper()
	if got.status != status || got.header.Get("Server") != "awselb/2.0" || !strings.Contains(got.body, fmt.Sprint(status)) {
		t.Errorf("got %d by %q, want %d of the balancer: %s", got.status, got.header.Get("Server"), status, got.body)
	}
}

func TestNobodyIsThere(t *testing.T) {
	t.Parallel()
	b, group := inFront(t, named("one"), nil)
	<-b.deregister(group, "i-1")
	wantError(t, b.get("/", nil), http.StatusServiceUnavailable)
}

func TestTargetRefusesOrBreaks(t *testing.T) {
	t.Parallel()
	b, group := inFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/break" {
			panic(http.ErrAbortHandler)
		}
	}), resource.Properties{"UnhealthyThresholdCount": 10})
	wantError(t, b.get("/break", nil), http.StatusBadGateway)
	b.kill("i-1")
	wantError(t, b.get("/", nil), http.StatusBadGateway)
	b.awaitHealth(group, "i-1", "unhealthy")
	wantError(t, b.get("/", nil), http.StatusBadGateway) // fail open: it is asked all the same
}

func TestFailOpenAsksAll(t *testing.T) {
	t.Parallel()
	b := setup(t, timing, elb.Options{Sockets: true})
	group := b.group("RWebTargets", resource.Properties{"Matcher": map[string]any{"HttpCode": "201"}})
	b.rule(1, paths("/*"), forward(group))
	for _, name := range []string{"one", "two", "three"} {
		b.serve("i-"+name, named(name))
		b.register(group, "i-"+name)
		b.awaitHealth(group, "i-"+name, "unhealthy")
	}
	got := map[string]int{}
	for range 9 {
		got[b.get("/", nil).body]++
	}
	if diff := cmp.Diff(map[string]int{"one": 3, "two": 3, "three": 3}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	b, _ := inFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stuck":
			<-r.Context().Done()
		case "/drip": // longer than the timeout in all, but never silent
			for range 6 {
				_, _ = io.WriteString(w, ".")
				_ = http.NewResponseController(w).Flush()
				<-time.After(300 * time.Millisecond)
			}
		}
	}), nil)
	if _, err := b.kind("LoadBalancer").Update(request("B", resource.Properties{"Subnets": []any{"subnet-a", "subnet-b"}, "LoadBalancerAttributes": []any{
		map[string]any{"Key": "idle_timeout.timeout_seconds", "Value": "1"}}}), nil, b.balancer); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	wantError(t, b.get("/stuck", nil), http.StatusGatewayTimeout)
	if took := time.Since(started); took < time.Second || took > 5*time.Second {
		t.Errorf("the idle timeout of 1 s took %s", took)
	}
	if got := b.get("/drip", nil); got.status != 200 || got.body != "......" {
		t.Errorf("a slow answer is %d %q", got.status, got.body)
	}
}

func TestDeregistrationDelayEndsWhatIsInFlight(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	b, group := inFront(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stuck" {
			close(entered)
			<-r.Context().Done()
		}
	}), resource.Properties{"TargetGroupAttributes": []any{map[string]any{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}}})
	got := make(chan answer)
	go func() { got <- b.get("/stuck", nil) }()
	<-entered
	started := time.Now()
	<-b.deregister(group, "i-1")
	if took := time.Since(started); took < time.Second {
		t.Errorf("drained after %s although a request was in flight", took)
	}
	wantError(t, <-got, http.StatusBadGateway)
	b.wantHealth(group, "i-1", "unused", "Target.NotRegistered")
}

// A pooled connection that the application has closed costs a request: the
// balancer does not try again, where Go's transport by itself would.
func TestNoSecondTry(t *testing.T) {
	t.Parallel()
	b := setup(t, timing, elb.Options{Sockets: true})
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	var requests atomic.Int32
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answerOnce(conn, &requests)
		}
	}()
	b.set("i-1", "running")
	b.mu.Lock()
	b.servers["i-1"].address = listener.Addr().String()
	b.mu.Unlock()
	group := b.group("RWebTargets", resource.Properties{"UnhealthyThresholdCount": 10})
	b.rule(1, paths("/*"), forward(group))
	b.register(group, "i-1")
	b.awaitHealth(group, "i-1", "healthy")

	if got := b.get("/first", nil); got.status != 200 {
		t.Fatalf("the first request: %+v", got)
	}
	wantError(t, b.get("/second", nil), http.StatusBadGateway)
	if n := requests.Load(); n != 2 {
		t.Errorf("the application saw %d requests, want 2", n)
	}
}

// answerOnce answers the first request of a connection and hangs up on the
// second; health checks have connections of their own and are not counted.
func answerOnce(conn net.Conn, requests *atomic.Int32) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for n := 0; ; n++ {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if r.URL.Path != "/health" {
			requests.Add(1)
		}
		if n > 0 {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	}
}

func TestUpgradedConnectionsPass(t *testing.T) {
	t.Parallel()
	b, group := inFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			return
		}
		conn, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(conn, buffer)
	}), nil)
	conn, err := net.Dial("tcp4", strings.TrimPrefix(b.service.URL(b.listener), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v, %v", answer, err)
	}
	defer answer.Body.Close()
	fmt.Fprint(conn, "hello\n")
	if line, err := in.ReadString('\n'); line != "hello\n" {
		t.Errorf("the echo is %q, %v", line, err)
	}
	drained := b.deregister(group, "i-1")
	select {
	case <-drained:
		t.Error("an open WebSocket does not count as in flight")
	default:
	}
	conn.Close()
	<-drained
}

// What a target closes at its own idle time, a longer one, would else be used for a
// request now and then, which fails.
func TestIdleConnectionsToTargetsAreClosed(t *testing.T) {
	t.Parallel()
	b := setup(t, timing, elb.Options{Sockets: true})
	if _, err := b.kind("LoadBalancer").Update(request("B", resource.Properties{"Subnets": []any{"subnet-a", "subnet-b"}, "LoadBalancerAttributes": []any{
		map[string]any{"Key": "idle_timeout.timeout_seconds", "Value": "1"}}}), nil, b.balancer); err != nil {
		t.Fatal(err)
	}
	group := b.group("RWebTargets", nil)
	b.rule(1, paths("/*"), forward(group))
	b.serve("i-1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) }))
	b.register(group, "i-1")
	b.awaitHealth(group, "i-1", "healthy")
	first := b.get("/", nil).body
	<-time.After(2 * time.Second)
	if second := b.get("/", nil).body; second == first {
		t.Errorf("%s was used again after two seconds", first)
	}
}
