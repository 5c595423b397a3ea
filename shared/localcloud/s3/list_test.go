package s3_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/s3"
)

// pages lists to the end and returns what each page held.
func pages(t *testing.T, c *awss3.Client, in awss3.ListObjectsV2Input) [][]string {
	t.Helper()
	in.Bucket = aws.String(bucket)
	var all [][]string
	for paginator := awss3.NewListObjectsV2Paginator(c, &in); paginator.HasMorePages(); {
		out, err := paginator.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var one []string
		for _, object := range out.Contents {
			one = append(one, aws.ToString(object.Key))
		}
		for _, prefix := range out.CommonPrefixes {
			one = append(one, "prefix "+aws.ToString(prefix.Prefix))
		}
		if int(aws.ToInt32(out.KeyCount)) != len(one) {
			t.Errorf("KeyCount %d, but %d entries", aws.ToInt32(out.KeyCount), len(one))
		}
		all = append(all, one)
	}
	return all
}

func TestListing(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, store *s3.Store, c *awss3.Client) {
		for _, key := range []string{"images/app-2/x", "images/app/1", "images/app/2", "images/app/3", "images/z", "ledger/1", "a+b c"} {
			put(t, c, key, "body")
		}
		tests := []struct {
			name string
			in   awss3.ListObjectsV2Input
			want [][]string
		}{
			{"everything, sorted", awss3.ListObjectsV2Input{},
				[][]string{{"a+b c", "images/app-2/x", "images/app/1", "images/app/2", "images/app/3", "images/z", "ledger/1"}}},
			{"pages end where the prefix ends", awss3.ListObjectsV2Input{Prefix: aws.String("images/app/"), MaxKeys: aws.Int32(3)},
				[][]string{{"images/app/1", "images/app/2", "images/app/3"}}},
			{"no common prefix twice", awss3.ListObjectsV2Input{Prefix: aws.String("images/"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(1)},
				[][]string{{"prefix images/app-2/"}, {"prefix images/app/"}, {"images/z"}}},
			{"prefix without slash", awss3.ListObjectsV2Input{Prefix: aws.String("images/app"), Delimiter: aws.String("/")},
				[][]string{{"prefix images/app-2/", "prefix images/app/"}}},
			{"start after", awss3.ListObjectsV2Input{StartAfter: aws.String("images/app/2"), MaxKeys: aws.Int32(2)},
				[][]string{{"images/app/3", "images/z"}, {"ledger/1"}}},
			{"start inside of a common prefix", awss3.ListObjectsV2Input{StartAfter: aws.String("images/app/2"), Delimiter: aws.String("/")},
				[][]string{{"prefix images/", "prefix ledger/"}}},
			{"nothing", awss3.ListObjectsV2Input{Prefix: aws.String("none/")}, [][]string{nil}},
			{"encoded names", awss3.ListObjectsV2Input{Prefix: aws.String("a+"), EncodingType: "url"}, [][]string{{"a%2Bb+c"}}},
		}
		for _, test := range tests {
			if diff := cmp.Diff(test.want, pages(t, c, test.in)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, diff)
			}
		}
	})
}

// An object that goes away between two pages must not lose its neighbour.
func TestListingContinuesAfterDeletedKey(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, store *s3.Store, c *awss3.Client) {
		for i := range 4 {
			put(t, c, fmt.Sprint("k", i), "body")
		}
		first, err := c.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: aws.String(bucket), MaxKeys: aws.Int32(2)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("k1")}); err != nil {
			t.Fatal(err)
		}
		second, err := c.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: aws.String(bucket), ContinuationToken: first.NextContinuationToken})
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, object := range second.Contents {
			keys = append(keys, aws.ToString(object.Key))
		}
		if diff := cmp.Diff([]string{"k2", "k3"}, keys); diff != "" {
			t.Errorf("second page (-want +got):\n%s", diff)
		}
		_, err = c.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: aws.String(bucket), ContinuationToken: aws.String("made up")})
		wantCode(t, err, "InvalidArgument", 400)
	})
}
