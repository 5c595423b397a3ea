package wire

import (
	"context"
	"io"
	"net/http"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
)

// maxBody bounds a query or JSON request. The largest that any of our
// services takes is user data of 16 KB or a template of 51,200 bytes.
const maxBody = 1 << 20

// Router sends every request of one endpoint to the service it is for.
type Router struct {
	services []Service
	region   string
	hooks    Hooks
}

// Hooks are what the router's owner knows about callers and wants to know
// about calls.
type Hooks struct {
	// RequestID makes the id of a request.
	RequestID func() string

	// Authorize refuses a caller before anything is decoded.
	Authorize func(service string, o operation.Operation) *Error

	// Observe is told every call after it was answered, with the code of the
	// error, "" when there was none.
	Observe func(service string, o operation.Operation, status int, code string)
}

// NewRouter makes a router for requests that are signed for region.
func NewRouter(region string, hooks Hooks, services ...Service) *Router {
	return &Router{services: services, region: region, hooks: hooks}
}

// Services are the services in the order of their registration.
func (rt *Router) Services() []Service { return rt.services }

// ServeHTTP answers one request.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body []byte
	if readsBody(r) {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxBody)); err != nil {
			// The caller has gone away in the middle of its request.
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	o := operation.Of(r, body)
	call := &Call{Operation: o, RequestID: rt.hooks.RequestID(), body: body}
	w.Header().Set("X-Amzn-Requestid", call.RequestID)

	seen := &watched{ResponseWriter: w, protocol: o.Protocol}
	name := rt.serve(seen, r, call)
	rt.hooks.Observe(name, o, max(seen.status, http.StatusOK), seen.code())
}

// readsBody tells whether an action decodes the body; a Handler reads its own.
func readsBody(r *http.Request) bool {
	return operation.NeedsBody(r) || r.Header.Get("X-Amz-Target") != "" || operation.Of(r, nil).Protocol == operation.RESTJSON
}

// serve answers and names the service that did.
func (rt *Router) serve(w http.ResponseWriter, r *http.Request, c *Call) string {
	s, failure := rt.find(c.Operation)
	if failure == nil {
		failure = rt.admit(s, c.Operation)
	}
	if failure == nil && s.Handler != nil {
		s.Handler.ServeHTTP(w, r)
		return s.Name
	}
	var answer []byte
	if failure == nil {
		answer, failure = perform(r.Context(), s, c)
	}
	if failure != nil {
		writeError(w, c.Operation.Protocol, failure, c.RequestID)
	} else {
		writeAnswer(w, s, answer)
	}
	return s.Name
}

// find picks the service by what its clients send.
func (rt *Router) find(o operation.Operation) (Service, *Error) {
	for _, s := range rt.services {
		if s.Protocol != o.Protocol {
			continue
		}
		if byName := s.Protocol == operation.REST || s.Protocol == operation.RESTJSON; byName && s.Name == o.Service || !byName && s.Version == o.Version {
			return s, nil
		}
	}
	return Service{Name: o.Service}, Unsupported("%s of service %q, version %q", o.Action, o.Service, o.Version)
}

// admit checks what AWS checks of every request before it looks inside.
func (rt *Router) admit(s Service, o operation.Operation) *Error {
	signed := o.AccessKey != ""
	switch {
	case signed && o.Service != s.Name:
		return &Error{"SignatureDoesNotMatch", "Credential should be scoped to correct service: '" + s.Name + "'.", http.StatusForbidden}
	case signed && o.Region != rt.region:
		return &Error{"SignatureDoesNotMatch", "Credential should be scoped to a valid region: this cloud is " + rt.region + ", not " + o.Region + ".", http.StatusForbidden}
	}
	return rt.hooks.Authorize(s.Name, o)
}

func perform(ctx context.Context, s Service, c *Call) ([]byte, *Error) {
	action := s.Actions[c.Operation.Action]
	if action == nil {
		return nil, Unsupported("the action %s of service %s", c.Operation.Action, s.Name)
	}
	value, err := action(ctx, c)
	if err != nil {
		return nil, errorOf(err)
	}
	body, err := encode(s, c, value)
	if err != nil {
		return nil, errorOf(err)
	}
	return body, nil
}
