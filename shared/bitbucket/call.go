package bitbucket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// What a call may take. Bitbucket asks for patience by the hour when its limit
// of requests is reached; a report is not worth that.
const (
	attempts    = 4
	onceTimeout = 20 * time.Second
	firstPause  = time.Second
	longestWait = 30 * time.Second
)

// biggestAnswer is what is read of an answer, in bytes: a page of 100 comments
// is some megabytes at most.
const biggestAnswer = 32 << 20

// call is one request to the API.
type call struct {
	what       string // for people: "comment on pull request 7"
	permission string // of a token that may do it
	method     string
	path       string // below the API's address, or a full address that the API gave us
	body       any    // nil for none
	into       any    // what the answer is read into; nil to ignore it
	// unsafe: doing it twice is not the same as once, so that it is not repeated
	// when nobody knows whether it was done.
	unsafe bool
	absent bool // 404 is as good as done
}

// refusal is an answer that is not a success.
type refusal struct {
	status int
	text   string
	after  time.Duration // what the answer asks us to wait; 0 when it does not say
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("%d %s", r.status, http.StatusText(r.status))
	if r.text != "" {
		text += ": " + r.text
	}
	return text
}

// again tells whether it makes sense to ask again.
func (r *refusal) again() bool { return r.status == http.StatusTooManyRequests || r.status >= 500 }

// do makes the call, by the first route that is let through.
func (c *Client) do(ctx context.Context, routes []*route, request call) error {
	var errs []error
	for _, r := range routes {
		err := c.patiently(ctx, r, request)
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("by %s: %w", r.name, err))
		if !c.nextRoute(r, err) {
			break
		}
	}
	return c.explained(request, errs)
}

// nextRoute tells whether another route may work where this one did not: the
// proxy is not there, or does not sign calls of this kind.
func (c *Client) nextRoute(r *route, err error) bool {
	if r != c.proxy {
		return false
	}
	if unreachable(err) {
		c.mu.Lock()
		c.down = err
		c.mu.Unlock()
		return true
	}
	var no *refusal
	return errors.As(err, &no) && (no.status == http.StatusUnauthorized || no.status == http.StatusForbidden)
}

// unreachable tells that nothing was sent, because nobody was there.
func unreachable(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}

// patiently asks up to attempts times, with growing pauses or those that the
// answer asks for.
func (c *Client) patiently(ctx context.Context, r *route, request call) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := once(ctx, r, request)
		if err == nil || ctx.Err() != nil || attempt == attempts {
			return err
		}
		wait := pause + rand.N(pause/2)
		var no *refusal
		switch {
		case errors.As(err, &no):
			if !no.again() || (request.unsafe && no.status != http.StatusTooManyRequests) {
				return err
			}
			if no.after > longestWait {
				return fmt.Errorf("%w (asks to wait %s, which is too long)", err, no.after)
			}
			wait = max(wait, no.after)
		case unreachable(err):
			if r == c.proxy {
				return err // nothing listens there: no proxy at all
			}
		case request.unsafe:
			return err
		}
		if !sleep(ctx, wait) {
			return fmt.Errorf("%w (last answer: %w)", context.Cause(ctx), err)
		}
		pause *= 2
	}
}

// sleep waits, and says whether it could until the end.
func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// once sends the request once.
func once(ctx context.Context, r *route, request call) error {
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	address := request.path
	if !strings.HasPrefix(address, "https://") {
		address = r.base + address
	}
	var body io.Reader
	if request.body != nil {
		text, err := json.Marshal(request.body)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, request.method, address, body)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	r.sign(req)
	answer, err := r.client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // without the address, which the caller knows better words for
		}
		return err
	}
	defer answer.Body.Close()
	return read(answer, request)
}

// read takes an answer apart.
func read(answer *http.Response, request call) error {
	text, err := io.ReadAll(io.LimitReader(answer.Body, biggestAnswer))
	switch {
	case answer.StatusCode == http.StatusNotFound && request.absent:
		return nil
	case answer.StatusCode < 200 || answer.StatusCode > 299:
		return &refusal{answer.StatusCode, told(text), retryAfter(answer.Header.Get("Retry-After"))}
	case err != nil:
		return err
	case request.into == nil:
		return nil
	}
	if err := json.Unmarshal(text, request.into); err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	return nil
}

// told is what an error's body says: Bitbucket's JSON, or the start of
// whatever came instead of it.
func told(text []byte) string {
	var body struct {
		Error struct {
			Message string         `json:"message"`
			Detail  any            `json:"detail"`
			Fields  map[string]any `json:"fields"`
		} `json:"error"`
	}
	said := strings.Join(strings.Fields(string(text)), " ")
	if json.Unmarshal(text, &body) == nil && body.Error.Message != "" {
		said = body.Error.Message
		if detail, ok := body.Error.Detail.(string); ok && detail != "" {
			said += ": " + detail
		}
		for name, problem := range body.Error.Fields {
			said += fmt.Sprintf("; %s: %v", name, problem)
		}
	}
	return cut(said, 300)
}

// retryAfter reads the header's two forms, 0 when there is none.
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// explained is the error of a call that no route carried, with what can be done
// about it.
func (c *Client) explained(request call, errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	last := errs[len(errs)-1]
	err := exit.Unablef("could not %s %w", request.what, last)
	if len(errs) > 1 {
		err = exit.Unablef("could not %s %w; and %w", request.what, errs[0], last)
	}
	if hint := c.hint(request.permission, last); hint != "" {
		return err.Hint(hint)
	}
	return err
}

// hint says what can be done about an error, "" where that is not known.
func (c *Client) hint(permission string, err error) string {
	var no *refusal
	if !errors.As(err, &no) {
		if c.token == nil && unreachable(err) {
			return "only steps of Bitbucket Pipelines have that proxy; elsewhere give BITBUCKET_ACCESS_TOKEN"
		}
		return ""
	}
	switch no.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		switch {
		case c.token == nil:
			return "the pipeline's own rights do not cover this: set BITBUCKET_ACCESS_TOKEN, with the permission " + permission
		case no.status == http.StatusForbidden:
			return fmt.Sprintf("%s lacks the permission %s", c.token.name, permission)
		}
		return fmt.Sprintf("%s has expired, was revoked, or is not for this repository; it needs the permission %s", c.token.name, permission)
	case http.StatusNotFound:
		return fmt.Sprintf("Bitbucket says the same of what is missing and of what may not be seen: is %s the repository, was commit %s pushed to it, does the token have the permission %s?",
			strings.TrimPrefix(c.repository, "/repositories/"), c.commit, permission)
	case http.StatusTooManyRequests:
		return "the requests of this hour are used up; a token that only the pipes use has a limit of its own"
	}
	return ""
}
