// Package metadata is the instance metadata service of one server of the
// local cloud: version 2 only, as on servers started with HttpTokens=required,
// and with the paths that our programs and the AWS SDKs read. Any other path
// is not found.
package metadata

import (
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// View is what a server may know about itself. Strings that are empty, and
// functions that are nil, have no path.
type View struct {
	InstanceID       string
	ImageID          string
	InstanceType     string
	Architecture     string // x86_64 or arm64
	LocalIPv4        string
	PublicIPv4       string
	AvailabilityZone string
	Region           string
	AccountID        string
	RoleName         string // the role of the instance profile
	Launched         time.Time
	UserData         []byte
	SecurityGroups   []string

	// Credentials gives the role's current keys; false while there are none.
	Credentials func() (Credentials, bool)

	// LifecycleState is the scaling group's target state for this server, ""
	// when it belongs to none.
	LifecycleState func() string

	// Tags are the server's tags; nil unless it was started with
	// InstanceMetadataTags=enabled.
	Tags func() map[string]string
}

// Credentials are temporary keys of a role.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Updated         time.Time
	Expires         time.Time
}

const root = "/latest"

// Handler serves a view of one server.
func Handler(v View) http.Handler {
	return &service{view: v, tokens: newTokens()}
}

type service struct {
	view   View
	tokens *tokens
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "EC2ws")
	w.Header().Set("Content-Type", "text/plain")
	switch {
	case r.URL.Path == root+"/api/token":
		s.issue(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	case !s.tokens.valid(r.Header.Get(tokenHeader), time.Now()):
		// No token at all is version 1 of the service.
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
	default:
		s.read(w, r)
	}
}

// read answers with a value, or with the names below a folder.
func (s *service) read(w http.ResponseWriter, r *http.Request) {
	values := s.view.values()
	value, found := values[r.URL.Path]
	if !found {
		value, found = folder(values, r.URL.Path)
	}
	if !found {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	_, _ = w.Write([]byte(value)) // an error means that the client has gone
}

// folder lists what is directly below a path: folders end with a slash.
func folder(values map[string]string, name string) (string, bool) {
	below := path.Clean(name) + "/"
	var names []string
	for value := range values {
		rest, ok := strings.CutPrefix(value, below)
		if !ok {
			continue
		}
		first, _, deeper := strings.Cut(rest, "/")
		if deeper {
			first += "/"
		}
		if !slices.Contains(names, first) {
			names = append(names, first)
		}
	}
	slices.Sort(names)
	return strings.Join(names, "\n"), len(names) > 0
}
