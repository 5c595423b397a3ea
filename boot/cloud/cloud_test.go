package cloud_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"bitbucket.org/fearless/pipes/boot/cloud"
)

// handler is an HTTP transport into a function.
type handler http.HandlerFunc

func (f handler) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	f(w, r)
	return w.Result(), nil
}

// metadata plays the metadata service with keys of a role.
func metadata(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/latest/api/token":
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
		_, _ = io.WriteString(w, "token")
	case "/latest/meta-data/iam/security-credentials/":
		_, _ = io.WriteString(w, "role")
	case "/latest/meta-data/iam/security-credentials/role":
		_, _ = io.WriteString(w, `{"Code":"Success","AccessKeyId":"AKIDROLE","SecretAccessKey":"k","Token":"t","Expiration":"`+
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func TestWhereRequestsGo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		environ  []string
		ssm, put string
	}{
		"Amazon":      {nil, "https://ssm.eu-central-1.amazonaws.com/", "https://bucket.s3.eu-central-1.amazonaws.com/key?x-id=PutObject"},
		"one for all": {[]string{"AWS_ENDPOINT_URL=http://cloud:1"}, "http://cloud:1/", "http://cloud:1/bucket/key?x-id=PutObject"},
		"one for S3": {[]string{"AWS_ENDPOINT_URL=http://cloud:1", "AWS_ENDPOINT_URL_S3=http://store:2"},
			"http://cloud:1/", "http://store:2/bucket/key?x-id=PutObject"},
		"empty is not set": {[]string{"AWS_ENDPOINT_URL="}, "https://ssm.eu-central-1.amazonaws.com/", "https://bucket.s3.eu-central-1.amazonaws.com/key?x-id=PutObject"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			w := cloud.World{Environ: test.environ, MetadataTransport: handler(metadata), Transport: handler(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.URL.String())
				if !strings.Contains(r.Header.Get("Authorization"), "Credential=AKIDROLE/") {
					t.Errorf("not signed by the role: %s", r.Header.Get("Authorization"))
				}
				_, _ = io.WriteString(w, "{}")
			})}
			config := w.Config("eu-central-1", w.Metadata())
			if _, err := w.Parameters(config).GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: aws.String("/x")}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Objects(config).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key"), Body: strings.NewReader("x")}); err != nil {
				t.Fatal(err)
			}
			if len(asked) != 2 || asked[0] != test.ssm || asked[1] != test.put {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

// Without a token the metadata service may be asked by anything that makes the
// server send a request; the client must not fall back to that.
func TestNoFirstVersionOfMetadata(t *testing.T) {
	t.Parallel()
	asked := 0
	w := cloud.World{MetadataTransport: handler(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/latest/api/token" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		asked++
		_, _ = io.WriteString(w, "secret")
	})}
	if out, err := w.Metadata().GetUserData(t.Context(), &imds.GetUserDataInput{}); err == nil || asked > 0 {
		t.Errorf("answered %v, error %v, asked %d times", out, err, asked)
	}
}
