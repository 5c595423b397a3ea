package metadata_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/metadata"
)

func view() metadata.View {
	return metadata.View{
		InstanceID: "i-0123456789abcdef0", ImageID: "ami-0123456789abcdef0", InstanceType: "t4g.micro", Architecture: "arm64",
		LocalIPv4: "127.88.0.7", AvailabilityZone: "us-east-1a", Region: "us-east-1", AccountID: "111122223333",
		RoleName: "bake-server", Launched: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		UserData: []byte("#!/bin/sh\necho hello\n"), SecurityGroups: []string{"web", "ssh"},
		Credentials: func() (metadata.Credentials, bool) {
			return metadata.Credentials{AccessKeyID: "ASIA1", SecretAccessKey: "secret", SessionToken: "token",
				Updated: time.Now(), Expires: time.Now().Add(time.Hour)}, true
		},
	}
}

func client(t *testing.T, v metadata.View) *imds.Client {
	t.Helper()
	server := httptest.NewServer(metadata.Handler(v))
	t.Cleanup(server.Close)
	return imds.New(imds.Options{Endpoint: server.URL})
}

func read(t *testing.T, c *imds.Client, path string) string {
	t.Helper()
	out, err := c.GetMetadata(t.Context(), &imds.GetMetadataInput{Path: path})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer func() { _ = out.Content.Close() }()
	text, err := io.ReadAll(out.Content)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return string(text)
}

func TestMetadataByTheSDK(t *testing.T) {
	t.Parallel()
	v := view()
	state := "InService"
	v.LifecycleState = func() string { return state }
	v.Tags = func() map[string]string { return map[string]string{"Name": "web", "empty": ""} }
	c := client(t, v)
	want := map[string]string{
		"instance-id": "i-0123456789abcdef0", "ami-id": "ami-0123456789abcdef0", "local-ipv4": "127.88.0.7",
		"placement/availability-zone": "us-east-1a", "placement/region": "us-east-1", "security-groups": "web\nssh",
		"autoscaling/target-lifecycle-state": "InService",
		"tags/instance":                      "Name\nempty", "tags/instance/Name": "web", "tags/instance/empty": "",
		"iam/security-credentials/": "bake-server",
		"placement/":                "availability-zone\nregion",
		"":                          "ami-id\nautoscaling/\niam/\ninstance-id\ninstance-type\nlocal-ipv4\nplacement/\nsecurity-groups\ntags/",
	}
	for path, value := range want {
		if diff := cmp.Diff(value, read(t, c, path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	state = "Terminated" // values are those of the moment
	if got := read(t, c, "autoscaling/target-lifecycle-state"); got != "Terminated" {
		t.Errorf("lifecycle state %q after the change", got)
	}
}

func TestUserDataAndIdentity(t *testing.T) {
	t.Parallel()
	c := client(t, view())
	data, err := c.GetUserData(t.Context(), &imds.GetUserDataInput{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = data.Content.Close() }()
	if text, err := io.ReadAll(data.Content); err != nil || string(text) != "#!/bin/sh\necho hello\n" {
		t.Errorf("user data %q, %v", text, err)
	}
	identity, err := c.GetInstanceIdentityDocument(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if identity.AccountID != "111122223333" || identity.InstanceID != "i-0123456789abcdef0" || identity.Architecture != "arm64" ||
		identity.PrivateIP != "127.88.0.7" || !identity.PendingTime.Equal(view().Launched) {
		t.Errorf("identity %+v", identity.InstanceIdentityDocument)
	}
	region, err := c.GetRegion(t.Context(), nil)
	if err != nil || region.Region != "us-east-1" {
		t.Errorf("region %v, %v", region, err)
	}
}

func TestRoleCredentialsByTheSDK(t *testing.T) {
	t.Parallel()
	c := client(t, view())
	got, err := ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = c }).Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.AccessKeyID != "ASIA1" || got.SecretAccessKey != "secret" || got.SessionToken != "token" || !got.CanExpire {
		t.Errorf("credentials %+v", got)
	}
	if left := time.Until(got.Expires); left < 58*time.Minute || left > time.Hour {
		t.Errorf("credentials live for %v", left)
	}
}

// What a server has not got is not found, rather than empty.
func TestNotFound(t *testing.T) {
	t.Parallel()
	v := view()
	v.UserData, v.RoleName = nil, ""
	c := client(t, v)
	for _, path := range []string{
		"public-ipv4", "tags/instance", "autoscaling/target-lifecycle-state", "iam/security-credentials/", "iam/info", "nonsense", "instance-id/",
	} {
		_, err := c.GetMetadata(t.Context(), &imds.GetMetadataInput{Path: path})
		wantStatus(t, path, err, http.StatusNotFound)
	}
	_, err := c.GetUserData(t.Context(), &imds.GetUserDataInput{})
	wantStatus(t, "user-data", err, http.StatusNotFound)
}

func wantStatus(t *testing.T, what string, err error, status int) {
	t.Helper()
	var response interface{ HTTPStatusCode() int }
	if !errors.As(err, &response) || response.HTTPStatusCode() != status {
		t.Errorf("%s: %v, want status %d", what, err, status)
	}
}

// ask sends one request without the SDK's help.
func ask(ctx context.Context, t *testing.T, h http.Handler, method, path string, header http.Header) (status int, body string) {
	t.Helper()
	r := httptest.NewRequestWithContext(ctx, method, path, nil)
	for name, values := range header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return recorder.Code, recorder.Body.String()
}

func TestTokens(t *testing.T) {
	t.Parallel()
	const token, id = "/latest/api/token", "/latest/meta-data/instance-id"
	ttl := func(value string) http.Header {
		return http.Header{"X-aws-ec2-metadata-token-ttl-seconds": {value}}
	}
	synctest.Test(t, func(t *testing.T) {
		h, other := metadata.Handler(view()), metadata.Handler(view())
		with := func(token string) http.Header { return http.Header{"X-aws-ec2-metadata-token": {token}} }
		_, mine := ask(t.Context(), t, h, http.MethodPut, token, ttl("21600"))
		_, foreign := ask(t.Context(), t, other, http.MethodPut, token, ttl("21600"))
		tests := []struct {
			name, method, path string
			header             http.Header
			status             int
		}{
			{"token in hand", http.MethodGet, id, with(mine), 200},
			{"version 1", http.MethodGet, id, nil, 401},
			{"made up", http.MethodGet, id, with("made up"), 401},
			{"another server's", http.MethodGet, id, with(foreign), 401},
			{"writing", http.MethodPost, id, with(mine), 405},
			{"token by GET", http.MethodGet, token, ttl("60"), 405},
			{"no life", http.MethodPut, token, nil, 400},
			{"life of zero", http.MethodPut, token, ttl("0"), 400},
			{"life over six hours", http.MethodPut, token, ttl("21601"), 400},
			{"through a proxy", http.MethodPut, token, http.Header{"X-Forwarded-For": {"203.0.113.9"}, "X-aws-ec2-metadata-token-ttl-seconds": {"60"}}, 403},
		}
		for _, test := range tests {
			if status, body := ask(t.Context(), t, h, test.method, test.path, test.header); status != test.status {
				t.Errorf("%s: %d %q, want %d", test.name, status, body, test.status)
			}
		}
		<-time.After(6*time.Hour - time.Second)
		if status, _ := ask(t.Context(), t, h, http.MethodGet, id, with(mine)); status != 200 {
			t.Errorf("a second before the end: %d", status)
		}
		<-time.After(time.Second)
		if status, _ := ask(t.Context(), t, h, http.MethodGet, id, with(mine)); status != 401 {
			t.Errorf("expired token: %d, want 401", status)
		}
	})
}
