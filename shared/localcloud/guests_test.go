package localcloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/simulated"
)

// tell asks a metadata service the way an SDK does: a session token first.
func tell(ctx context.Context, b machine.Boot, path string) string {
	ask := func(method, path string, header http.Header) string {
		r := httptest.NewRequestWithContext(ctx, method, "http://169.254.169.254"+path, nil)
		r.Header = header
		w := httptest.NewRecorder()
		b.Metadata.ServeHTTP(w, r)
		return w.Body.String()
	}
	session := ask(http.MethodPut, "/latest/api/token", http.Header{"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"60"}})
	return ask(http.MethodGet, path, http.Header{"X-Aws-Ec2-Metadata-Token": {session}})
}

// report is a guest that finds out who it is and uploads that with the keys
// of its role.
func report(ctx context.Context, b machine.Boot) {
	var keys struct{ AccessKeyId, SecretAccessKey, Token string }
	if err := json.Unmarshal([]byte(tell(ctx, b, "/latest/meta-data/iam/security-credentials/"+localcloud.BakeProfile)), &keys); err != nil {
		fmt.Fprintln(b.Console, err)
		return
	}
	config := aws.Config{Region: b.Region, HTTPClient: &http.Client{Transport: b.Transport}, BaseEndpoint: aws.String("http://cloud.test"),
		Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyId, keys.SecretAccessKey, keys.Token)}
	me, err := sts.NewFromConfig(config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		fmt.Fprintln(b.Console, err)
		return
	}
	text := fmt.Sprintf("%s is %s, first boot %t, tag %s, data %s", tell(ctx, b, "/latest/meta-data/instance-id"), *me.Arn, b.FirstBoot,
		tell(ctx, b, "/latest/meta-data/tags/instance/Name"), tell(ctx, b, "/latest/user-data"))
	client := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("fearless-111122223333-us-east-1"), Key: aws.String("report"), Body: strings.NewReader(text)}); err != nil {
		fmt.Fprintln(b.Console, err)
	}
}

func TestGuestKnowsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setupWith(t, localcloud.Options{Timing: localcloud.CloudLike(), Machines: simulated.New(report)})
		in := b.input("hello")
		in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Name: aws.String(localcloud.BakeProfile)}
		in.MetadataOptions = &types.InstanceMetadataOptionsRequest{InstanceMetadataTags: types.InstanceMetadataTagsStateEnabled}
		in.TagSpecifications = []types.TagSpecification{{ResourceType: "instance", Tags: []types.Tag{tagOf("Name", "guest")}}}
		id := b.run(in)
		b.await(id, "stopped", 5*time.Minute)

		out, err := b.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(b.cloud.Bucket()), Key: aws.String("report")})
		if err != nil {
			t.Fatalf("%v; the console says %q", err, b.cloud.Instances()[0].Console)
		}
		got, err := io.ReadAll(out.Body)
		if err != nil {
			t.Fatal(err)
		}
		want := id + " is arn:aws:sts::111122223333:assumed-role/" + localcloud.BakeProfile + "/" + id + ", first boot true, tag guest, data hello"
		if string(got) != want {
			t.Errorf("the guest says %q, want %q", got, want)
		}
	})
}

func TestCloseEndsEveryGuest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.CloudLike())
		b.launch(idle)
		b.launch(idle)
		pause(time.Minute)
		b.launch(idle) // not on yet
		b.create(b.cloud.Instances()[0].ID, "shop")
		// setup closes the cloud; a goroutine left behind fails the bubble.
	})
}

// send makes a bare request, as curl does with a presigned URL.
func (b *bench) send(method, url, body string) (status int, answer string) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, url, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	response, err := (&http.Client{Transport: b.cloud.Transport()}).Do(r)
	if err != nil {
		b.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		b.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestPresignedURLs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		out, err := b.sts.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
			RoleArn: aws.String(role), RoleSessionName: aws.String("run"), WebIdentityToken: aws.String(token(time.Hour))})
		if err != nil {
			t.Fatal(err)
		}
		session := b.config
		session.Credentials = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
		b.use(session)
		presigner := s3.NewPresignClient(b.s3)
		bucket, key := aws.String(b.cloud.Bucket()), aws.String("results/one")
		put, err := presigner.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key}, s3.WithPresignExpires(2*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		get, err := presigner.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key}, s3.WithPresignExpires(10*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if status, answer := b.send(http.MethodPut, put.URL, "exit 0"); status != http.StatusOK {
			t.Fatalf("PUT: %d %s", status, answer)
		}
		if status, answer := b.send(http.MethodGet, get.URL, ""); status != http.StatusOK || answer != "exit 0" {
			t.Errorf("GET: %d %s", status, answer)
		}
		pause(11 * time.Minute)
		if status, answer := b.send(http.MethodGet, get.URL, ""); status != http.StatusForbidden || !strings.Contains(answer, "expired") {
			t.Errorf("GET after its time: %d %s", status, answer)
		}
		pause(50 * time.Minute) // the URL would live on, the session does not
		if status, answer := b.send(http.MethodPut, put.URL, "late"); status != http.StatusBadRequest || !strings.Contains(answer, "ExpiredToken") {
			t.Errorf("PUT after the session's end: %d %s", status, answer)
		}
		if got := string(b.cloud.Objects(*bucket)[*key].Body); got != "exit 0" {
			t.Errorf("stored: %q", got)
		}
	})
}

func TestOddOptions(t *testing.T) {
	for _, options := range []localcloud.Options{{Account: "123"}, {Region: "Frankfurt"}} {
		if _, err := localcloud.New(options); err == nil {
			t.Errorf("%+v was accepted", options)
		}
	}
}
