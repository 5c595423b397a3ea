package elb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"regexp"
	"strconv"
	"strings"
)

// front is a listener as clients meet it.
type front struct {
	service  *Service
	listener *listener
}

// ServeHTTP answers one request by the rules of the moment.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	do, at, to := f.route(r)
	switch {
	case do.fixed != nil:
		w.Header().Set("Server", serverName)
		w.Header().Set("Content-Type", do.fixed.kind+"; charset=utf-8")
		w.WriteHeader(do.fixed.status)
		_, _ = io.WriteString(w, do.fixed.body)
	case do.redirect != nil:
		w.Header().Set("Location", do.redirect.location(r, at))
		page(w, do.redirect.status)
	case to == nil:
		page(w, http.StatusServiceUnavailable)
	default:
		f.pass(w, r, to)
	}
}

// passage is a request's way to a target.
type passage struct {
	target *target
	entrance
	address string
	limits  limits
	drop    bool // header fields with invalid names
}

// entrance is where a request came in, as the listener was at that moment.
type entrance struct {
	protocol string
	port     int
}

// route decides and, for a target, counts the request as in flight, all under
// one lock: a target that drains a moment later knows of it.
func (f *front) route(r *http.Request) (action, entrance, *passage) {
	s := f.service
	s.mu.Lock()
	defer s.mu.Unlock()
	at := entrance{"http", f.listener.port}
	if f.listener.secure {
		at.protocol = "https"
	}
	do := f.listener.route(r)
	if do.forward == nil {
		return do, at, nil
	}
	t := do.forward.pick()
	if t == nil {
		return do, at, nil
	}
	t.inflight++
	b := f.listener.balancer
	return do, at, &passage{target: t, entrance: at, address: s.servers.Address(t.instance, t.port), limits: limits{b.idle}, drop: b.dropInvalid}
}

// pass hands a request to a target and its answer back. There is no second
// try: what a client sees is what happened to its request.
func (f *front) pass(w http.ResponseWriter, r *http.Request, to *passage) {
	s := f.service
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		to.target.release()
	}()
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	defer context.AfterFunc(to.target.life, func() { cancel(context.Cause(to.target.life)) })()

	proxy := httputil.ReverseProxy{
		Rewrite:       func(p *httputil.ProxyRequest) { f.rewrite(p, to) },
		Transport:     to.limits.around(to.target.transport, cancel),
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  func(w http.ResponseWriter, r *http.Request, err error) { fail(w, r, err) },
	}
	proxy.ServeHTTP(w, r.WithContext(ctx))
}

// fieldNames are the names that routing.http.drop_invalid_header_fields keeps.
var fieldNames = regexp.MustCompile(`^[-A-Za-z0-9]+$`)

// rewrite makes the request that the target sees: the client's Host, and the
// fields that application load balancers add.
func (f *front) rewrite(p *httputil.ProxyRequest, to *passage) {
	p.Out.URL.Scheme, p.Out.URL.Host = "http", to.address
	p.Out.Host, p.Out.URL.RawQuery = p.In.Host, p.In.URL.RawQuery // as it came, odd parameters too
	if to.drop {
		for name := range p.Out.Header {
			if !fieldNames.MatchString(name) {
				delete(p.Out.Header, name)
			}
		}
	}
	p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
	p.SetXForwarded()
	p.Out.Header.Del("X-Forwarded-Host")
	if host := p.In.Header.Values("X-Forwarded-Host"); len(host) > 0 { // passed on, as any other field
		p.Out.Header["X-Forwarded-Host"] = host
	}
	p.Out.Header.Set("X-Forwarded-Proto", to.protocol)
	p.Out.Header.Set("X-Forwarded-Port", strconv.Itoa(to.port))
	if p.Out.Header.Get("X-Amzn-Trace-Id") == "" {
		id := strings.ReplaceAll(f.service.world.UUID("trace"), "-", "")
		p.Out.Header.Set("X-Amzn-Trace-Id", "Root=1-"+id[:8]+"-"+id[8:])
	}
	oneTry(p.Out)
}

// fail is the answer to a request that a target did not answer.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	cause := context.Cause(r.Context())
	switch {
	case errors.Is(cause, errIdle), isTimeout(err) && cause == nil:
		page(w, http.StatusGatewayTimeout)
	case errors.Is(cause, errDelay), cause == nil:
		page(w, http.StatusBadGateway)
	default:
		// The client has gone: nobody is left to be told.
		panic(http.ErrAbortHandler)
	}
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// serverName is what answers of the load balancer itself carry.
const serverName = "awselb/2.0"

// page is an answer of the load balancer itself.
func page(w http.ResponseWriter, status int) {
	text := fmt.Sprintf("%d %s", status, reasons[status])
	w.Header().Set("Server", serverName)
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<html>\r\n<head><title>%[1]s</title></head>\r\n<body>\r\n<center><h1>%[1]s</h1></center>\r\n</body>\r\n</html>\r\n", text)
}

var reasons = map[int]string{
	http.StatusMovedPermanently: "Moved Permanently", http.StatusFound: "Found",
	http.StatusBadGateway: "Bad Gateway", http.StatusServiceUnavailable: "Service Temporarily Unavailable",
	http.StatusGatewayTimeout: "Gateway Time-out",
}
