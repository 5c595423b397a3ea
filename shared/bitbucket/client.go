package bitbucket

import (
	"errors"
	"net/http"
	"strings"
	"sync"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Options are what a pipe knows beside its variables.
type Options struct {
	// Commit is the full hash, where BITBUCKET_COMMIT is shortened. Of a pull
	// request it is the tip of the source: the merge that the step works on does
	// not exist on the server.
	Commit string
	// Transport carries every call; nil is the real network.
	Transport http.RoundTripper
	// Mask hides secrets in what is sent; console.Masker makes one.
	Mask func(string) string
}

// Client talks to the API about one commit. It is safe for concurrent use.
type Client struct {
	settings   Settings
	repository string // in addresses
	commit     string
	mask       func(string) string

	proxy *route // nil outside of a pipeline
	token *route // nil without a token

	mu    sync.Mutex
	begun map[string]bool // reports that are pending, by id
	down  error           // why the proxy is not asked any more
}

// route is one way to the API.
type route struct {
	name   string // for people
	base   string
	client *http.Client
	sign   func(*http.Request)
}

// The two addresses of the API. The proxy can sign what it can read; a token
// goes over the network, so it travels encrypted.
const (
	plainAPI     = "http://api.bitbucket.org/2.0"
	encryptedAPI = "https://api.bitbucket.org/2.0"
)

// Open prepares a client and calls nobody. Where neither a pipeline nor a token
// lets us reach Bitbucket there is no client, and the error says what is
// missing.
func Open(s Settings, o Options) (*Client, error) {
	c := &Client{settings: s, repository: s.repository(), commit: s.Commit, mask: o.Mask, begun: map[string]bool{}}
	if o.Commit != "" {
		c.commit = o.Commit
	}
	if c.mask == nil {
		c.mask = func(text string) string { return text }
	}
	if proxy := s.proxy(); proxy != nil {
		transport := transportFor(o.Transport)
		if t, ok := transport.(*http.Transport); ok {
			t.Proxy = http.ProxyURL(proxy) // and not what HTTP_PROXY or NO_PROXY say
		}
		c.proxy = &route{name: "the pipeline's proxy at " + proxy.Host, base: plainAPI, client: clientFor(transport), sign: func(*http.Request) {}}
	}
	if name, sign := s.signature(); sign != nil {
		c.token = &route{name: name, base: encryptedAPI, client: clientFor(transportFor(o.Transport)), sign: sign}
	}
	switch {
	case c.proxy == nil && c.token == nil:
		return nil, errors.New("this is not a pipeline of Bitbucket (BITBUCKET_PIPELINE_UUID is not set), and there is no BITBUCKET_ACCESS_TOKEN")
	case c.repository == "":
		return nil, errors.New("the repository is not known (BITBUCKET_WORKSPACE and BITBUCKET_REPO_SLUG are not set)")
	case c.commit == "":
		return nil, errors.New("the commit is not known (BITBUCKET_COMMIT is not set)")
	}
	return c, nil
}

// transportFor is a transport of our own with the settings of the given one. A
// RoundTripper of another kind is used as it is.
func transportFor(given http.RoundTripper) http.RoundTripper {
	if given == nil {
		given = http.DefaultTransport
	}
	if t, ok := given.(*http.Transport); ok {
		return t.Clone()
	}
	return given
}

// clientFor follows no redirect: none of our calls has one, and a token must
// not be led elsewhere.
func clientFor(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// signature is how requests are signed with the token that is set, nil without
// one.
func (s Settings) signature() (name string, sign func(*http.Request)) {
	switch token, api, email := strings.TrimSpace(s.AccessToken), strings.TrimSpace(s.APIToken), strings.TrimSpace(s.Email); {
	case token != "":
		return "BITBUCKET_ACCESS_TOKEN", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	case api != "" && email != "":
		return "ATLASSIAN_API_TOKEN", func(r *http.Request) { r.SetBasicAuth(email, api) }
	}
	return "", nil
}

// anyRoute is for calls that the proxy is documented to sign: reports. Nothing
// is documented for build statuses, so that they try it as well.
func (c *Client) anyRoute() []*route {
	c.mu.Lock()
	defer c.mu.Unlock()
	var routes []*route
	if c.proxy != nil && (c.down == nil || c.token == nil) {
		routes = append(routes, c.proxy)
	}
	if c.token != nil {
		routes = append(routes, c.token)
	}
	return routes
}

// tokenRoute is for calls that the proxy refuses: everything about pull
// requests.
func (c *Client) tokenRoute() ([]*route, error) {
	if c.token == nil {
		return nil, exit.Unablef("comments on pull requests need a token, and there is none").Hint(
			"set BITBUCKET_ACCESS_TOKEN: an access token of the repository with the permission to write pull requests")
	}
	return []*route{c.token}, nil
}

// Page is the page of the pipeline's run, for links; "" outside of Bitbucket.
func (c *Client) Page() string { return c.settings.page() }
