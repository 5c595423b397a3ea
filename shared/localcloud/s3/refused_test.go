package s3_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"bitbucket.org/fearless/pipes/shared/localcloud/s3"
)

// Whatever is not implemented is refused by name, never ignored.
func TestRefusedByName(t *testing.T) {
	t.Parallel()
	name, key := aws.String(bucket), aws.String("k")
	overBoth(t, func(t *testing.T, store *s3.Store, c *awss3.Client) {
		put(t, c, "k", "body")
		tests := []struct {
			names string
			call  func() error
		}{
			{"GET service", func() error { _, err := c.ListBuckets(t.Context(), &awss3.ListBucketsInput{}); return err }},
			{"PUT bucket", func() error {
				_, err := c.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("new-bucket")})
				return err
			}},
			{"GET bucket ?versioning", func() error {
				_, err := c.GetBucketVersioning(t.Context(), &awss3.GetBucketVersioningInput{Bucket: name})
				return err
			}},
			{"GET bucket ?policy", func() error {
				_, err := c.GetBucketPolicy(t.Context(), &awss3.GetBucketPolicyInput{Bucket: name})
				return err
			}},
			{"ListObjects", func() error {
				_, err := c.ListObjects(t.Context(), &awss3.ListObjectsInput{Bucket: name})
				return err
			}},
			{"GET object ?acl", func() error {
				_, err := c.GetObjectAcl(t.Context(), &awss3.GetObjectAclInput{Bucket: name, Key: key})
				return err
			}},
			{"GET object ?versionId", func() error {
				_, err := c.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: name, Key: key, VersionId: aws.String("3")})
				return err
			}},
			{"POST object ?uploads", func() error {
				_, err := c.CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{Bucket: name, Key: key})
				return err
			}},
			{"X-Amz-Copy-Source", func() error {
				_, err := c.CopyObject(t.Context(), &awss3.CopyObjectInput{Bucket: name, Key: key, CopySource: aws.String(bucket + "/k")})
				return err
			}},
			{"X-Amz-Acl", func() error {
				_, err := c.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: name, Key: key, ACL: types.ObjectCannedACLPublicRead})
				return err
			}},
			{"If-Match of DeleteObject", func() error {
				_, err := c.DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: name, Key: key, IfMatch: aws.String("*")})
				return err
			}},
			{"If-None-Match of PutObject other than *", func() error {
				_, err := c.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: name, Key: key, IfNoneMatch: aws.String(`"tag"`)})
				return err
			}},
		}
		for _, test := range tests {
			err := test.call()
			wantCode(t, err, "NotImplemented", 501)
			if !strings.Contains(err.Error(), test.names) {
				t.Errorf("error does not name %q: %v", test.names, err)
			}
		}
		if objects := store.Objects(bucket); string(objects["k"].Body) != "body" {
			t.Errorf("a refused request changed the object: %q", objects["k"].Body)
		}
	})
}

// Over TLS the SDK frames the body; stored as it comes it would be corrupt.
func TestFramedBodyRefused(t *testing.T) {
	t.Parallel()
	store := s3.New()
	store.CreateBucket(bucket)
	server := httptest.NewTLSServer(store)
	t.Cleanup(server.Close)
	_, err := client(server.URL, server.Client().Transport).PutObject(t.Context(),
		&awss3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("body")})
	wantCode(t, err, "NotImplemented", 501)
	if !strings.Contains(err.Error(), "aws-chunked") || len(store.Objects(bucket)) != 0 {
		t.Errorf("%d objects stored, error %v", len(store.Objects(bucket)), err)
	}
}
