package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// healthBound is the default patience of a load balancer's health check.
const healthBound = 5 * time.Second

// health asks the health path the way a load balancer does: plain http, the
// server's own address as the Host, redirects not followed, 200 expected.
type health struct {
	client  *http.Client
	host    string // address and port
	address string
	port    int
	path    string
}

func newHealth(transport http.RoundTripper, address string, port int, path string) *health {
	return &health{
		client: &http.Client{
			Transport:     transport,
			Timeout:       healthBound,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		host: net.JoinHostPort(address, strconv.Itoa(port)), address: address, port: port, path: path,
	}
}

func (h *health) ask(ctx context.Context) string {
	response, err := h.get(ctx, h.host)
	if err != nil {
		return h.silence(ctx, err)
	}
	defer response.Body.Close()
	// A little of the body must be read for the connection to be used again.
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
	return h.answer(response)
}

func (h *health) get(ctx context.Context, host string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+h.path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "fearless-boot (as ELB-HealthChecker/2.0)")
	return h.client.Do(request)
}

// silence explains that there was no answer.
func (h *health) silence(ctx context.Context, err error) string {
	var inner *url.Error
	if errors.As(err, &inner) && !inner.Timeout() {
		err = inner.Err
	}
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, syscall.ECONNREFUSED) && h.onlyLocal(ctx):
		return fmt.Sprintf("the process listens on 127.0.0.1 only, where no load balancer reaches it: it must listen on HOST (%s) or 0.0.0.0", h.address)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("connection refused: nothing listens on %s yet; the process must listen on PORT (%d)", h.host, h.port)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("%s did not answer within %s: still starting, or every worker is busy", h.path, healthBound)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Sprintf("the process closed the connection without an answer to %s: does it speak https only?", h.path)
	}
	return fmt.Sprintf("no answer from %s: %s", h.path, err)
}

// onlyLocal reports whether the same port answers on the loopback address.
func (h *health) onlyLocal(ctx context.Context) bool {
	if h.address == "127.0.0.1" {
		return false
	}
	response, err := h.get(ctx, net.JoinHostPort("127.0.0.1", strconv.Itoa(h.port)))
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return true
}

// answer explains an answer, "" for the one that is wanted.
func (h *health) answer(response *http.Response) string {
	code, to := response.StatusCode, response.Header.Get("Location")
	what := fmt.Sprintf("%s answers %d", h.path, code)
	switch {
	case code == http.StatusOK:
		return ""
	case code >= 300 && code < 400 && strings.HasPrefix(to, "https://"):
		return what + ", a redirect to https: health checks come by http, exempt the health path from it"
	case code >= 300 && code < 400:
		return fmt.Sprintf("%s, a redirect to %s: the health path must answer 200 itself, without a login", what, short(to))
	case code == http.StatusBadRequest:
		return fmt.Sprintf("%s: the application may not accept the Host header of health checks, which is the server's address; allow HOST (%s) besides PUBLIC_HOSTS", what, h.address)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return what + ": the health path must not need a login"
	case code == http.StatusNotFound:
		return what + ": the application does not know the path"
	case code == http.StatusServiceUnavailable:
		return what + ": still starting, or something it needs is away"
	case code >= 500:
		return what + ": the application fails, its log says why"
	}
	return what + ", expected 200"
}

func short(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
