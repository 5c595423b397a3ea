package elb

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// action is what is done with a request: exactly one of its parts is set.
type action struct {
	forward  *group
	redirect *redirect
	fixed    *fixed
}

type redirect struct {
	protocol, host, port, path, query string // with #{…} for the parts of the request
	status                            int
}

type fixed struct {
	status     int
	kind, body string
}

// decodeAction reads the one action of a listener or rule. The lock is held.
func (s *Service) decodeAction(r *resource.Reader, property string) action {
	list := r.List(property)
	if len(list) != 1 {
		r.Fail("%s must have exactly one action in the local cloud, not %d", property, len(list))
		return action{}
	}
	a := list[0]
	switch kind := a.OneOf("Type", "", "forward", "redirect", "fixed-response"); kind {
	case "forward":
		g, failure := s.group(a.Need("TargetGroupArn"))
		if failure != nil {
			a.Fail("%w", failure)
		}
		return action{forward: g}
	case "redirect":
		return action{redirect: decodeRedirect(a.Map("RedirectConfig"))}
	case "fixed-response":
		return action{fixed: decodeFixed(a.Map("FixedResponseConfig"))}
	}
	r.Fail("Property %s.0.Type cannot be empty.", property)
	return action{}
}

func decodeRedirect(r *resource.Reader) *redirect {
	status := http.StatusMovedPermanently
	if r.OneOf("StatusCode", "", "HTTP_301", "HTTP_302") == "HTTP_302" {
		status = http.StatusFound
	}
	if !r.Has("StatusCode") {
		r.Fail("Property RedirectConfig.StatusCode cannot be empty.")
	}
	return &redirect{
		protocol: r.OneOf("Protocol", "#{protocol}", "HTTP", "HTTPS"),
		host:     or(r.String("Host"), "#{host}"), port: or(r.String("Port"), "#{port}"),
		path: or(r.String("Path"), "/#{path}"), query: or(r.String("Query"), "#{query}"), status: status,
	}
}

func decodeFixed(r *resource.Reader) *fixed {
	status, err := strconv.Atoi(r.Need("StatusCode"))
	if err != nil || status < 200 || status > 599 || status/100 == 3 {
		r.Fail("The fixed-response status code '%s' is not valid", r.String("StatusCode"))
	}
	f := &fixed{status: status, body: r.String("MessageBody"),
		kind: r.OneOf("ContentType", "text/plain", "text/css", "text/html", "application/javascript", "application/json")}
	if len(f.body) > 1024 {
		r.Fail("The fixed-response message body exceeds 1024 bytes")
	}
	return f
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

// location is where a redirect leads. The port is always written out, as the
// load balancer does.
func (d *redirect) location(r *http.Request, at entrance) string {
	parts := strings.NewReplacer("#{protocol}", at.protocol, "#{host}", hostOf(r), "#{port}", strconv.Itoa(at.port),
		"#{path}", strings.TrimPrefix(r.URL.EscapedPath(), "/"), "#{query}", r.URL.RawQuery)
	where := strings.ToLower(parts.Replace(d.protocol)) + "://" + parts.Replace(d.host) + ":" + parts.Replace(d.port) + parts.Replace(d.path)
	if query := parts.Replace(d.query); query != "" {
		where += "?" + query
	}
	if _, err := url.Parse(where); err != nil {
		return "/"
	}
	return where
}

// use counts the group of an action as used by a load balancer, which may be
// the only one. The lock is held.
func (a action) use(b *balancer) *wire.Error {
	g := a.forward
	if g == nil {
		return nil
	}
	if g.user != nil && g.user != b {
		return wire.Errorf("TargetGroupAssociationLimit", "The following target groups cannot be associated with more than one load balancer: %s", g.arn)
	}
	g.user = b
	g.uses++
	if g.uses == 1 {
		for _, t := range g.targets {
			t.wake()
		}
	}
	return nil
}

// leave takes that back. The lock is held.
func (a action) leave() {
	if g := a.forward; g != nil {
		if g.uses--; g.uses == 0 {
			g.user = nil
		}
	}
}
