// Package fake is a Bitbucket for tests: it has one repository, accepts what
// the API is documented to accept and nothing else, and fails on demand.
//
// It is stricter than Bitbucket where being lax would hide a mistake: a report
// that does not begin as pending, an annotation that an earlier attempt has
// left, a token that travels in plain text are complaints of Server.Complaints.
// It shares no code with the client that it judges.
package fake

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// Options say what the repository is like. The zero value is
// acme/shop with a token that may do everything.
type Options struct {
	Repository string // default: acme/shop
	Commit     string // the only one that was pushed; default: 40 times c
	Token      string // default: fake-token
	Email      string // with an API token instead of an access token

	NoWrite        bool // the token may not write to the repository
	NoPullRequests bool // the token may not write pull requests
	StatusByProxy  bool // the proxy signs build statuses, too

	// Fault decides, before each call is carried out, how it fails; nil is not at
	// all.
	Fault func(Call) *Fault
}

// Call is one call that has arrived.
type Call struct {
	Number int // from 1
	Method string
	Path   string // within the repository: commit/<commit>/reports/lint-gate
	Proxy  bool   // through the pipeline's proxy
}

// String is the call in one line, as in Server.Calls.
func (c Call) String() string {
	how := "token"
	if c.Proxy {
		how = "proxy"
	}
	return fmt.Sprintf("%s %s by %s", c.Method, c.Path, how)
}

// Fault is how a call fails.
type Fault struct {
	Status     int // 0: there is no answer, the connection breaks
	Body       string
	RetryAfter string
	Done       bool // the call is carried out first: only its answer is lost
	Hang       bool // until the caller has lost patience
}

// Server is the fake. It is safe for concurrent use.
type Server struct {
	options Options

	mu         sync.Mutex
	calls      []Call
	complaints []string
	reports    map[string]*Report // by id
	statuses   map[string]Status  // by key
	comments   []*Comment
}

// New makes a server that listens nowhere yet: see RoundTripper and Listen.
func New(o Options) *Server {
	if o.Repository == "" {
		o.Repository = "acme/shop"
	}
	if o.Commit == "" {
		o.Commit = strings.Repeat("c", 40)
	}
	if o.Token == "" {
		o.Token = "fake-token"
	}
	return &Server{options: o, reports: map[string]*Report{}, statuses: map[string]Status{}}
}

// Calls lists all calls in order, failed ones too.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, c := range s.calls {
		all = append(all, c.String())
	}
	return all
}

// Complaints lists what clients did that Bitbucket refuses, or should.
func (s *Server) Complaints() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.complaints...)
}

// complain notes a mistake; s.mu is held.
func (s *Server) complain(format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	s.complaints = append(s.complaints, text)
	return text
}

// reply is an answer.
type reply struct {
	status int
	body   any // nil for none
}

// refused is an error as Bitbucket writes it.
func refused(status int, message string) reply {
	return reply{status, map[string]any{"type": "error", "error": map[string]any{"message": message}}}
}

const prefix = "/2.0/repositories/"

// serve is one call, however it came in.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, proxy bool) {
	path, inside := strings.CutPrefix(r.URL.EscapedPath(), prefix+s.options.Repository+"/")
	s.mu.Lock()
	c := Call{Number: len(s.calls) + 1, Method: r.Method, Path: path, Proxy: proxy}
	if !inside {
		c.Path = r.URL.String()
	}
	s.calls = append(s.calls, c)
	s.mu.Unlock()

	var fault *Fault
	if s.options.Fault != nil {
		fault = s.options.Fault(c)
	}
	answer := reply{status: http.StatusNotFound}
	if fault == nil || fault.Done {
		s.mu.Lock()
		answer = s.answer(r, c, inside)
		s.mu.Unlock()
	}
	switch {
	case fault == nil:
		write(w, answer)
	case fault.Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case fault.Status == 0:
		panic(http.ErrAbortHandler)
	default:
		if fault.RetryAfter != "" {
			w.Header().Set("Retry-After", fault.RetryAfter)
		}
		w.WriteHeader(fault.Status)
		_, _ = w.Write([]byte(fault.Body))
	}
}

func write(w http.ResponseWriter, answer reply) {
	if answer.body == nil {
		w.WriteHeader(answer.status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.status)
	_ = json.NewEncoder(w).Encode(answer.body) // the client may be gone
}

// answer carries the call out; s.mu is held.
func (s *Server) answer(r *http.Request, c Call, inside bool) reply {
	if r.Host != "api.bitbucket.org" {
		return refused(http.StatusBadGateway, s.complain("%s: the host is %q", c, r.Host))
	}
	if no := s.admitted(r, c); no != nil {
		return *no
	}
	if !inside {
		return refused(http.StatusNotFound, "You may not have access to this repository or it no longer exists in this workspace.")
	}
	switch place, rest, _ := strings.Cut(c.Path, "/"); place {
	case "commit":
		return s.aboutCommit(r, c, strings.Split(rest, "/"))
	case "pullrequests":
		if parts := strings.Split(rest, "/"); len(parts) >= 2 && parts[1] == "comments" {
			return s.comment(r, c, parts[0], parts[2:])
		}
	}
	return refused(http.StatusNotFound, s.complain("%s: no client of ours should call this", c))
}

// aboutCommit is a call about a commit: its hash and what of it.
func (s *Server) aboutCommit(r *http.Request, c Call, parts []string) reply {
	if parts[0] != s.options.Commit {
		return refused(http.StatusNotFound, "Commit not found")
	}
	switch what := parts[1:]; {
	case len(what) == 2 && what[0] == "reports":
		return s.report(r, c, what[1])
	case len(what) == 3 && what[0] == "reports" && what[2] == "annotations":
		return s.annotate(r, c, what[1])
	case len(what) == 2 && what[0] == "statuses" && what[1] == "build":
		return s.status(r, c)
	}
	return refused(http.StatusNotFound, s.complain("%s: no client of ours should call this", c))
}

// admitted checks who calls: nil is somebody who may.
func (s *Server) admitted(r *http.Request, c Call) *reply {
	header := r.Header.Get("Authorization")
	pullRequests := strings.HasPrefix(c.Path, "pullrequests/")
	forbidden := refused(http.StatusForbidden, "Your credentials lack one or more required privilege scopes.")
	if c.Proxy {
		if header != "" {
			no := refused(http.StatusBadRequest, s.complain("%s: a token travels in plain text", c))
			return &no
		}
		if pullRequests || (strings.Contains(c.Path, "/statuses/") && !s.options.StatusByProxy) {
			return &forbidden
		}
		return nil
	}
	want := "Bearer " + s.options.Token
	if s.options.Email != "" {
		want = "Basic " + base64.StdEncoding.EncodeToString([]byte(s.options.Email+":"+s.options.Token))
	}
	if header != want {
		no := reply{http.StatusUnauthorized, nil}
		return &no
	}
	if (pullRequests && s.options.NoPullRequests) || (!pullRequests && s.options.NoWrite) {
		return &forbidden
	}
	return nil
}

// roundTripper serves in the process of the client.
type roundTripper struct{ server *Server }

// RoundTripper leads every call here without a network, so that simulated time
// passes while a client waits. Plain requests count as those of the proxy.
func (s *Server) RoundTripper() http.RoundTripper { return roundTripper{s} }

// RoundTrip is one call.
func (t roundTripper) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	defer func() {
		if v := recover(); v == nil {
			return
		} else if v != http.ErrAbortHandler { //nolint:errorlint // what was thrown is this very value
			panic(v)
		}
		if err = r.Context().Err(); err == nil {
			err = errBroken
		}
		answer = nil
	}()
	copied := r.Clone(r.Context())
	copied.Host = r.URL.Host
	if copied.Body == nil {
		copied.Body = http.NoBody
	}
	t.server.serve(w, copied, r.URL.Scheme == "http")
	return w.response(r), nil
}
