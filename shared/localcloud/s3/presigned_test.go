package s3_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/shared/localcloud/s3"
)

// bare sends a request as curl would: nothing but method, URL and body.
func bare(t *testing.T, c *http.Client, method, address, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

func presignPut(t *testing.T, c *awss3.Client, key string, life time.Duration) string {
	t.Helper()
	signed, err := awss3.NewPresignClient(c).PresignPutObject(t.Context(),
		&awss3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}, awss3.WithPresignExpires(life))
	if err != nil {
		t.Fatal(err)
	}
	return signed.URL
}

func presignGet(t *testing.T, c *awss3.Client, key string, life time.Duration) string {
	t.Helper()
	signed, err := awss3.NewPresignClient(c).PresignGetObject(t.Context(),
		&awss3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}, awss3.WithPresignExpires(life))
	if err != nil {
		t.Fatal(err)
	}
	return signed.URL
}

func TestPresignedByPlainHTTP(t *testing.T) {
	t.Parallel()
	store := s3.New()
	store.CreateBucket(bucket)
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	c, web := client(server.URL, nil), server.Client()

	upload := presignPut(t, c, "bake/log", time.Minute)
	for _, body := range []string{"first", "first\nsecond"} { // a log grows by being written again
		if status, answer := bare(t, web, http.MethodPut, upload, body); status != 200 {
			t.Fatalf("PUT: %d %s", status, answer)
		}
	}
	if body, _ := get(t, c, "bake/log"); body != "first\nsecond" {
		t.Errorf("stored %q", body)
	}
	download := presignGet(t, c, "bake/log", time.Minute)
	if status, answer := bare(t, web, http.MethodGet, download, ""); status != 200 || answer != "first\nsecond" {
		t.Errorf("GET: %d %q", status, answer)
	}

	refused := []struct{ name, method, address, code string }{
		{"upload URL used to read", http.MethodGet, upload, "SignatureDoesNotMatch"},
		{"upload URL used to delete", http.MethodDelete, upload, "SignatureDoesNotMatch"},
		{"download URL used to write", http.MethodPut, download, "SignatureDoesNotMatch"},
		{"no signature", http.MethodGet, server.URL + "/" + bucket + "/bake/log", "AccessDenied"},
		{"a life over a week", http.MethodGet, altered(t, download, "X-Amz-Expires", "604801"), "AuthorizationQueryParametersError"},
		{"a life that is no number", http.MethodGet, altered(t, download, "X-Amz-Expires", "soon"), "AuthorizationQueryParametersError"},
		{"a negative life", http.MethodGet, altered(t, download, "X-Amz-Expires", "-1"), "AuthorizationQueryParametersError"},
		{"no date", http.MethodGet, altered(t, download, "X-Amz-Date", ""), "AuthorizationQueryParametersError"},
		{"signed tomorrow", http.MethodGet, altered(t, download, "X-Amz-Date",
			time.Now().Add(24*time.Hour).UTC().Format("20060102T150405Z")), "Request is not yet valid"},
	}
	for _, test := range refused {
		status, answer := bare(t, web, test.method, test.address, "")
		if status < 400 || !strings.Contains(answer, test.code) {
			t.Errorf("%s: %d %s, want %s", test.name, status, answer, test.code)
		}
	}
	if body, _ := get(t, c, "bake/log"); body != "first\nsecond" {
		t.Errorf("a refused request changed the object to %q", body)
	}
}

func altered(t *testing.T, address, name, value string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := parsed.Query()
	query.Set(name, value)
	parsed.RawQuery = query.Encode()
	return parsed.String()
}

// Headers that were signed must be sent, and metadata that was presigned into
// the URL arrives as metadata.
func TestPresignedHeaders(t *testing.T) {
	t.Parallel()
	store := s3.New()
	store.CreateBucket(bucket)
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	signed, err := awss3.NewPresignClient(client(server.URL, nil)).PresignPutObject(t.Context(), &awss3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("k"), ContentType: aws.String("text/plain"), Metadata: map[string]string{"run": "7"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := bare(t, server.Client(), http.MethodPut, signed.URL, "body"); status != 403 || !strings.Contains(answer, "SignatureDoesNotMatch") {
		t.Errorf("without the signed headers: %d %s", status, answer)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, signed.URL, strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range signed.SignedHeader {
		r.Header[name] = values
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	object := store.Objects(bucket)["k"]
	if response.StatusCode != 200 || object.ContentType != "text/plain" || object.Metadata["run"] != "7" {
		t.Errorf("%d, stored type %q, metadata %v", response.StatusCode, object.ContentType, object.Metadata)
	}
}

func TestPresignedExpiresInSimulatedTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := s3.New()
		store.CreateBucket(bucket)
		web := &http.Client{Transport: inProcess{store}}
		c := client("http://s3.local", inProcess{store})
		upload := presignPut(t, c, "result", 45*time.Minute)

		<-time.After(44 * time.Minute)
		if status, answer := bare(t, web, http.MethodPut, upload, "in time"); status != 200 {
			t.Errorf("after 44 minutes: %d %s", status, answer)
		}
		<-time.After(2 * time.Minute)
		status, answer := bare(t, web, http.MethodPut, upload, "late")
		if status != 403 || !strings.Contains(answer, "<Code>AccessDenied</Code>") || !strings.Contains(answer, "Request has expired") {
			t.Errorf("after 46 minutes: %d %s", status, answer)
		}
		object := store.Objects(bucket)["result"]
		if string(object.Body) != "in time" || time.Since(object.Modified) != 2*time.Minute {
			t.Errorf("stored %q %v ago", object.Body, time.Since(object.Modified))
		}
		// Ordinary requests are signed anew each time and never expire.
		if body, _ := get(t, c, "result"); body != "in time" {
			t.Errorf("got %q", body)
		}
	})
}
