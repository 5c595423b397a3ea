package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/boot/agent"
	"bitbucket.org/fearless/pipes/boot/cloud"
	"bitbucket.org/fearless/pipes/shared/contract"
)

// host is a server with everything around it: a disk in a temporary directory
// and the AWS services it talks to, spoken to by the real SDK clients through
// a transport in the same process, so that it works in simulated time as well.
type host struct {
	agent.Server
	userData contract.UserData
	raw      string                 // user data instead of userData
	settings map[string][][2]string // path: name and value; a name with ! is a secret
	account                         // the rest of AWS

	mu       sync.Mutex
	objects  map[string]string
	history  map[string][]string // all versions of an object
	failures int                 // uploads that fail
	out      strings.Builder
	off      int
}

func newHost(t *testing.T, procfile string) *host {
	t.Helper()
	h := &host{objects: map[string]string{}, history: map[string][]string{}, settings: map[string][][2]string{}}
	h.userData = contract.UserData{
		Application: "shop", Environment: "staging", Role: "web", Region: "eu-central-1", Logs: "s3://bucket/logs",
	}
	clients := cloud.World{
		Environ:   []string{"AWS_ENDPOINT_URL=http://cloud"},
		Transport: handler(h.serveCloud), MetadataTransport: handler(h.serveMetadata),
	}
	metadata := clients.Metadata()
	h.Server = agent.Server{
		Root: t.TempDir(), Environ: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, Out: h,
		Metadata: metadata, Start: agent.System(nil), HTTP: http.DefaultTransport,
		Cloud: func(region string) agent.Cloud {
			config := clients.Config(region, metadata)
			return agent.Cloud{
				Parameters: clients.Parameters(config), Objects: clients.Objects(config), Stacks: clients.Stacks(config),
				Groups: clients.Groups(config), Balancer: clients.Balancer(config), Instances: h,
			}
		},
		PowerOff: func() { h.mu.Lock(); defer h.mu.Unlock(); h.off++ },
	}
	h.file(t, "opt/app/Procfile", procfile)
	h.file(t, strings.TrimPrefix(contract.ImageFile, "/"), `{"contract":1,"application":"shop","commit":"0123abcd","processes":[]}`)
	return h
}

func (h *host) file(t *testing.T, name, text string) {
	t.Helper()
	if err := writeFile(h.Root, name, text); err != nil {
		t.Fatal(err)
	}
}

func writeFile(root, name, text string) error {
	file := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o755)
}

// handler is an HTTP transport into a function.
type handler http.HandlerFunc

func (f handler) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	f(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err // too late
	}
	return w.Result(), nil
}

func (h *host) serveMetadata(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/latest/api/token":
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
		_, _ = io.WriteString(w, "token")
		return
	}
	if r.Header.Get("X-Aws-Ec2-Metadata-Token") != "token" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch r.URL.Path {
	case "/latest/meta-data/instance-id":
		_, _ = io.WriteString(w, "i-0abc")
	case "/latest/meta-data/local-ipv4":
		_, _ = io.WriteString(w, "127.0.0.1")
	case "/latest/meta-data/iam/security-credentials/":
		_, _ = io.WriteString(w, "role")
	case "/latest/meta-data/iam/security-credentials/role":
		fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"AKID","SecretAccessKey":"k","Token":"t","Expiration":%q}`,
			time.Now().Add(6*time.Hour).UTC().Format(time.RFC3339))
	case "/latest/meta-data/autoscaling/target-lifecycle-state":
		h.serveLifecycle(w)
	case "/latest/user-data":
		text := h.raw
		if text == "" {
			data, _ := h.userData.Marshal()
			text = string(data)
		}
		if text == "none" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, text)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (h *host) serveCloud(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && r.Header.Get("X-Amz-Target") == "AmazonSSM.GetParametersByPath" {
		h.serveParameters(w, r)
		return
	}
	if r.Method == http.MethodPost {
		h.serveQuery(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	<-time.After(h.delay)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failures > 0 {
		h.failures--
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
		return
	}
	h.order = append(h.order, "put "+strings.TrimPrefix(r.URL.Path, "/bucket/logs/"))
	h.objects[r.URL.Path] = string(body)
	h.history[r.URL.Path] = append(h.history[r.URL.Path], string(body))
}

func (h *host) serveParameters(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Path string }
	_ = json.NewDecoder(r.Body).Decode(&asked)
	settings, ok := h.settings[asked.Path]
	if !ok {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"AccessDeniedException","message":"not authorized to read `+asked.Path+`"}`)
		return
	}
	type parameter struct{ Name, Type, Value string }
	list := []parameter{}
	for _, s := range settings {
		p := parameter{Name: asked.Path + "/" + strings.TrimPrefix(s[0], "!"), Type: "String", Value: s[1]}
		if strings.HasPrefix(s[0], "!") {
			p.Type = "SecureString"
		}
		list = append(list, p)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"Parameters": list})
}

// Write is the server's standard output.
func (h *host) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.out.Write(p)
}

func (h *host) said() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.out.String()
}

func (h *host) object(key string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.objects["/bucket/logs/"+key]
}

// uploads counts the versions of an object.
func (h *host) uploads(key string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.history["/bucket/logs/"+key])
}

// offs counts how often the server was switched off.
func (h *host) offs() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.off
}

// state is what the server last said about itself.
func (h *host) state(t *testing.T) contract.State {
	t.Helper()
	text := h.object(h.userData.Role + "/i-0abc.json")
	state, err := contract.ParseState([]byte(text))
	if err != nil {
		t.Fatalf("no state: %v in %q; log:\n%s", err, text, h.said())
	}
	return state
}

// play starts the agent; stop tells it to stop and returns its error.
func (h *host) play(t *testing.T) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- agent.Run(ctx, h.Server) }()
	stop = func() error { cancel(); return <-ended }
	t.Cleanup(cancel)
	return stop
}

// patience bounds every wait in real time; it passes only when a test fails.
const patience = 5 * time.Minute

// eventually waits in real time.
func (h *host) eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick, late := time.NewTicker(10*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("never happened: %s; log:\n%s", what, h.said())
		}
	}
}

func (h *host) says(text string) func() bool {
	return func() bool { return strings.Contains(h.said(), text) }
}
