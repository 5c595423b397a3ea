package localcloud_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"bitbucket.org/fearless/pipes/shared/localcloud"
)

// secret asks for a secret as an SDK does.
func (b *bench) secret(input string) (status int, answer map[string]any) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://cloud.test/", strings.NewReader(input))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "secretsmanager.GetSecretValue")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIATEST/20261123/us-east-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=1")
	response, err := (&http.Client{Transport: b.cloud.Transport()}).Do(r)
	if err != nil {
		b.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		b.Fatal(err)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		b.Fatalf("%v: %s", err, text)
	}
	return response.StatusCode, answer
}

func TestSecretValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		b.cloud.PutSecret("shop/key", "oldest")
		b.cloud.PutSecret("shop/key", "before")
		arn := b.cloud.PutSecret("shop/key", "now")
		_, newest := b.secret(`{"SecretId": "shop/key"}`)
		version, _ := newest["VersionId"].(string)
		for input, want := range map[string]string{
			`{"SecretId": "` + arn + `"}`:                                             "now",
			`{"SecretId": "shop/key", "VersionStage": "AWSPREVIOUS"}`:                 "before",
			`{"SecretId": "shop/key", "VersionId": "` + version + `"}`:                "now",
			`{"SecretId": "shop/key", "VersionStage": "AWSPENDING"}`:                  "ResourceNotFoundException",
			`{"SecretId": "shop/key", "VersionId": "x"}`:                              "ResourceNotFoundException",
			`{"SecretId": "shop/none"}`:                                               "ResourceNotFoundException",
			`{"SecretId": "shop/key", "Region": "eu-west-1"}`:                         "UnknownParameter",
			`{"SecretId": "shop/key", "VersionId": "x", "VersionStage": "AWSCURRENT"`: "SerializationException",
		} {
			status, answer := b.secret(input)
			got := answer["SecretString"]
			if status != http.StatusOK {
				got = answer["__type"]
			}
			if got != want || status == http.StatusOK && (answer["ARN"] != arn || answer["Name"] != "shop/key") {
				t.Errorf("%s: %d %v, want %s", input, status, answer, want)
			}
		}
	})
}
