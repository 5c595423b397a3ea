package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/s3"
)

const bucket = "fearless-111122223333-us-east-1"

// inProcess calls the store in the caller's goroutine, as simulated time
// needs it.
type inProcess struct{ store http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	recorder := httptest.NewRecorder()
	served := r.Clone(r.Context())
	served.RequestURI = r.URL.RequestURI()
	t.store.ServeHTTP(recorder, served)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	response := recorder.Result()
	response.Request = r
	return response, nil
}

func client(endpoint string, transport http.RoundTripper) *awss3.Client {
	return awss3.New(awss3.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(endpoint),
		UsePathStyle: true,
		HTTPClient:   &http.Client{Transport: transport},
		// What the default configuration says too.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	})
}

// overBoth runs a test with the SDK's client in process and over a socket.
func overBoth(t *testing.T, test func(t *testing.T, store *s3.Store, c *awss3.Client)) {
	t.Run("in process", func(t *testing.T) {
		t.Parallel()
		store := s3.New()
		store.CreateBucket(bucket)
		test(t, store, client("http://s3.local", inProcess{store}))
	})
	t.Run("over HTTP", func(t *testing.T) {
		t.Parallel()
		store := s3.New()
		store.CreateBucket(bucket)
		server := httptest.NewServer(store)
		t.Cleanup(server.Close)
		test(t, store, client(server.URL, server.Client().Transport))
	})
}

func put(t *testing.T, c *awss3.Client, key, body string) {
	t.Helper()
	_, err := c.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: strings.NewReader(body)})
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

func get(t *testing.T, c *awss3.Client, key string) (string, *awss3.GetObjectOutput) {
	t.Helper()
	out, err := c.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	defer func() { _ = out.Body.Close() }()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	return string(body), out
}

// wantCode checks an error's code and HTTP status.
func wantCode(t *testing.T, err error, code string, status int) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("error %v is not an API error, want %s", err, code)
	}
	var response interface{ HTTPStatusCode() int }
	if !errors.As(err, &response) || response.HTTPStatusCode() != status || api.ErrorCode() != code {
		t.Fatalf("error %v, want %s with status %d", err, code, status)
	}
}

func TestObjectRoundTrip(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, store *s3.Store, c *awss3.Client) {
		body := strings.Repeat("fearless ", 10_000)
		_, err := c.PutObject(t.Context(), &awss3.PutObjectInput{
			Bucket: aws.String(bucket), Key: aws.String("bake/a b//ü.tar"), Body: strings.NewReader(body),
			ContentType: aws.String("application/x-tar"), Metadata: map[string]string{"commit": "abc"},
		})
		if err != nil {
			t.Fatal(err)
		}
		got, out := get(t, c, "bake/a b//ü.tar")
		if got != body {
			t.Errorf("got %d bytes, want %d", len(got), len(body))
		}
		if aws.ToString(out.ContentType) != "application/x-tar" || out.Metadata["commit"] != "abc" {
			t.Errorf("type %q, metadata %v", aws.ToString(out.ContentType), out.Metadata)
		}
		if aws.ToString(out.ChecksumCRC32) == "" {
			t.Error("the upload's checksum did not come back, so the client verified nothing")
		}
		head, err := c.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("bake/a b//ü.tar")})
		if err != nil {
			t.Fatal(err)
		}
		if aws.ToInt64(head.ContentLength) != int64(len(body)) || head.Metadata["commit"] != "abc" || head.LastModified == nil {
			t.Errorf("head: %d bytes, metadata %v, modified %v", aws.ToInt64(head.ContentLength), head.Metadata, head.LastModified)
		}
		object := store.Objects(bucket)["bake/a b//ü.tar"]
		if string(object.Body) != body || object.Metadata["commit"] != "abc" || object.ContentType != "application/x-tar" || object.Modified.IsZero() {
			t.Errorf("stored: %d bytes, %v, %q, %v", len(object.Body), object.Metadata, object.ContentType, object.Modified)
		}
	})
}

func TestOverwriteForgetsMetadata(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, store *s3.Store, c *awss3.Client) {
		_, err := c.PutObject(t.Context(), &awss3.PutObjectInput{
			Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("one"),
			ContentType: aws.String("text/plain"), Metadata: map[string]string{"old": "yes"},
		})
		if err != nil {
			t.Fatal(err)
		}
		put(t, c, "k", "two")
		body, out := get(t, c, "k")
		if body != "two" || len(out.Metadata) != 0 || aws.ToString(out.ContentType) == "text/plain" {
			t.Errorf("got %q, metadata %v, type %q", body, out.Metadata, aws.ToString(out.ContentType))
		}
	})
}

func TestConditionalWrites(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, store *s3.Store, c *awss3.Client) {
		// Of many writers that all ask "only if absent", one wins.
		const writers = 20
		results := make(chan error, writers)
		for i := range writers {
			go func() {
				_, err := c.PutObject(t.Context(), &awss3.PutObjectInput{
					Bucket: aws.String(bucket), Key: aws.String("ledger/1"),
					Body: strings.NewReader(fmt.Sprint("writer ", i)), IfNoneMatch: aws.String("*"),
				})
				results <- err
			}()
		}
		won := 0
		for range writers {
			if err := <-results; err == nil {
				won++
			} else {
				wantCode(t, err, "PreconditionFailed", 412)
			}
		}
		if won != 1 {
			t.Errorf("%d writers won, want 1", won)
		}
		_, out := get(t, c, "ledger/1")
		match := func(key, tag string) error {
			_, err := c.PutObject(t.Context(), &awss3.PutObjectInput{
				Bucket: aws.String(bucket), Key: aws.String(key), Body: strings.NewReader("next"), IfMatch: aws.String(tag),
			})
			return err
		}
		wantCode(t, match("absent", `"0123"`), "NoSuchKey", 404)
		wantCode(t, match("ledger/1", `"0123"`), "PreconditionFailed", 412)
		if err := match("ledger/1", aws.ToString(out.ETag)); err != nil {
			t.Error(err)
		}
	})
}

func TestConditionalReads(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, store *s3.Store, c *awss3.Client) {
		put(t, c, "k", "body")
		_, out := get(t, c, "k")
		_, err := c.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), IfNoneMatch: out.ETag})
		var response interface{ HTTPStatusCode() int }
		if !errors.As(err, &response) || response.HTTPStatusCode() != 304 {
			t.Errorf("If-None-Match: %v, want 304", err)
		}
		_, err = c.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), IfMatch: aws.String(`"other"`)})
		wantCode(t, err, "PreconditionFailed", 412)
		_, err = c.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), IfMatch: out.ETag})
		if err != nil {
			t.Error(err)
		}
	})
}

// A part of an object must come without the checksum of the whole, or the
// client rejects it; this is how a log is followed.
func TestRange(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, store *s3.Store, c *awss3.Client) {
		put(t, c, "log", "0123456789")
		part := func(span string) (string, error) {
			out, err := c.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("log"), Range: aws.String(span)})
			if err != nil {
				return "", err
			}
			defer func() { _ = out.Body.Close() }()
			if out.ChecksumCRC32 != nil {
				t.Errorf("%s: a part carries checksum %s", span, *out.ChecksumCRC32)
			}
			body, err := io.ReadAll(out.Body)
			return string(body), err
		}
		for span, want := range map[string]string{"bytes=4-": "456789", "bytes=0-2": "012", "bytes=-1": "9", "bytes=8-100": "89"} {
			if got, err := part(span); err != nil || got != want {
				t.Errorf("%s: %q, %v; want %q", span, got, err, want)
			}
		}
		_, err := part("bytes=10-")
		wantCode(t, err, "InvalidRange", 416)
	})
}

func TestMissing(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, store *s3.Store, c *awss3.Client) {
		_, err := c.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("none")})
		wantCode(t, err, "NoSuchKey", 404)
		if !strings.Contains(err.Error(), "The specified key does not exist.") {
			t.Errorf("error without S3's words: %v", err)
		}
		_, err = c.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("none")})
		wantCode(t, err, "NotFound", 404)
		_, err = c.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: aws.String("nobody"), Key: aws.String("k"), Body: strings.NewReader("x")})
		wantCode(t, err, "NoSuchBucket", 404)
		_, err = c.HeadBucket(t.Context(), &awss3.HeadBucketInput{Bucket: aws.String("nobody")})
		wantCode(t, err, "NotFound", 404)
		if _, err = c.HeadBucket(t.Context(), &awss3.HeadBucketInput{Bucket: aws.String(bucket)}); err != nil {
			t.Error(err)
		}
		if store.Objects("nobody") != nil {
			t.Error("a missing bucket has objects")
		}
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, store *s3.Store, c *awss3.Client) {
		for _, key := range []string{"a", "b", "c"} {
			put(t, c, key, key)
		}
		for range 2 { // the second time there is nothing left, and that is no error
			if _, err := c.DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("a")}); err != nil {
				t.Fatal(err)
			}
		}
		out, err := c.DeleteObjects(t.Context(), &awss3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{
			Objects: []types.ObjectIdentifier{{Key: aws.String("b")}, {Key: aws.String("never")}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Deleted) != 2 || len(out.Errors) != 0 {
			t.Errorf("deleted %v, errors %v", out.Deleted, out.Errors)
		}
		var left []string
		for key := range store.Objects(bucket) {
			left = append(left, key)
		}
		if diff := cmp.Diff([]string{"c"}, left); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	})
}

// A body that does not match its checksum is refused and not stored.
func TestChecksumMismatch(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, store *s3.Store, c *awss3.Client) {
		_, err := c.PutObject(t.Context(), &awss3.PutObjectInput{
			Bucket: aws.String(bucket), Key: aws.String("k"), Body: bytes.NewReader([]byte("body")), ChecksumCRC32: aws.String("AAAAAA=="),
		})
		wantCode(t, err, "BadDigest", 400)
		for _, algorithm := range types.ChecksumAlgorithm("").Values() {
			_, err := c.PutObject(t.Context(), &awss3.PutObjectInput{
				Bucket: aws.String(bucket), Key: aws.String(string(algorithm)), Body: bytes.NewReader([]byte("body")), ChecksumAlgorithm: algorithm,
			})
			switch algorithm {
			case "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256":
				if err != nil {
					t.Errorf("%s: %v", algorithm, err)
				}
			default:
				if err == nil {
					t.Errorf("%s was accepted, but nothing here verifies it", algorithm)
				}
			}
		}
		if len(store.Objects(bucket)) != 5 {
			t.Errorf("stored %d objects, want 5", len(store.Objects(bucket)))
		}
	})
}
