package image_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/image"
	store "bitbucket.org/fearless/pipes/shared/localcloud/s3"

	"net/http/httptest"
)

// openIndex is an index in a real bucket of the local cloud.
func openIndex(t *testing.T) (image.Index, *store.Store) {
	t.Helper()
	objects := store.New()
	objects.CreateBucket("bucket")
	server := httptest.NewServer(objects)
	t.Cleanup(server.Close)
	client := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("A", "b", ""), HTTPClient: http.DefaultClient,
	})
	return image.Index{API: client, Bucket: "bucket"}, objects
}

func TestIndex(t *testing.T) {
	t.Parallel()
	index, objects := openIndex(t)
	record := image.Record{
		Version: 1, Application: "shop", Commit: "c1", BakedFrom: "c0", Image: "ami-1", Name: "shop-abc", Owner: "111122223333",
		RootSnapshot: "snap-1", Inputs: "abc", BaseImage: "ami-0", Architecture: "arm64", Contract: 1,
		Processes: []string{"web"}, Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for _, read := range []func() (*image.Record, error){
		func() (*image.Record, error) { return index.OfCommit(t.Context(), "shop", "c1") },
		func() (*image.Record, error) { return index.OfInputs(t.Context(), "shop", "abc") },
	} {
		if got, err := read(); got != nil || err != nil {
			t.Errorf("before anything was written: %+v, %v", got, err)
		}
	}
	if err := index.WriteCommit(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	if got, err := index.OfInputs(t.Context(), "shop", "abc"); got != nil || err != nil {
		t.Errorf("the commit's record answers for the inputs: %+v, %v", got, err)
	}
	if err := index.WriteInputs(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	got, err := index.OfCommit(t.Context(), "shop", "c1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(record, *got); diff != "" {
		t.Error(diff)
	}
	// deploy-env and people find records under these keys.
	for _, key := range []string{"images/shop/c1.json", "images/shop/inputs/abc.json"} {
		if _, ok := objects.Objects("bucket")[key]; !ok {
			t.Errorf("no object %s", key)
		}
	}
}

func TestUnreadableIndexIsNotAnEmptyOne(t *testing.T) {
	t.Parallel()
	index, _ := openIndex(t)
	for name, content := range map[string]string{
		"damaged": "{", "no image": `{"version":1}`, "cut off": `{"image":"` + strings.Repeat("x", 70<<10) + `"}`,
	} {
		_, err := index.API.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: &index.Bucket, Key: aws.String("images/shop/c.json"), Body: bytes.NewReader([]byte(content)),
		})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := index.OfCommit(t.Context(), "shop", "c"); err == nil {
			t.Errorf("%s: read as %+v", name, r)
		}
	}
	index.Bucket = "nobodys"
	if r, err := index.OfCommit(t.Context(), "shop", "c"); err == nil {
		t.Errorf("a bucket that is not there was read as %+v", r)
	}
}
