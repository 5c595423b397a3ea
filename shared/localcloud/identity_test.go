package localcloud_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/journal"
)

// token is an unsigned OIDC token that expires after d.
func token(d time.Duration) string {
	claims, _ := json.Marshal(map[string]any{
		"iss": "https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc",
		"sub": "{repo}:{step}", "aud": []string{"ari:cloud:bitbucket::workspace/1"}, "exp": time.Now().Add(d).Unix(),
	})
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(claims) + "." + encode([]byte("signature"))
}

type identityToken string

func (t identityToken) GetIdentityToken() ([]byte, error) { return []byte(t), nil }

const role = "arn:aws:iam::111122223333:role/fearless-shop-ami-bake"

func TestRoleSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		user, err := b.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		if err != nil || *user.Account != "111122223333" || !strings.Contains(*user.Arn, ":user/") {
			t.Fatalf("a key pair is %+v, %v", user, err)
		}
		unsigned := b.config
		unsigned.Credentials = aws.AnonymousCredentials{}
		provider := stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(unsigned), role, identityToken(token(time.Hour)),
			func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName, o.Duration = "run-1", 45*time.Minute })
		keys, err := provider.Retrieve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(keys.Expires); left != 45*time.Minute {
			t.Errorf("the session lasts %s", left)
		}
		session := b.config
		session.Credentials = credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken)
		b.use(session)
		me, err := b.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		if err != nil || *me.Arn != "arn:aws:sts::111122223333:assumed-role/fearless-shop-ami-bake/run-1" {
			t.Fatalf("the session is %+v, %v", me, err)
		}
		if e := b.cloud.Journal().Entries(journal.Of("sts:*")); e[1].AccessKey != "" || e[2].AccessKey != keys.AccessKeyID || e[2].Run != "run-1" {
			t.Errorf("journal: %+v", e)
		}

		pause(46 * time.Minute)
		_, err = b.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		wantCode(t, err, "ExpiredToken")
		_, err = b.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{})
		wantCode(t, err, "RequestExpired")
		_, err = b.ssm.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/x")})
		wantCode(t, err, "ExpiredTokenException")
		_, err = b.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(b.cloud.Bucket()), Key: aws.String("x")})
		wantCode(t, err, "ExpiredToken")
		_, err = scheduler.NewFromConfig(b.config).ListSchedules(t.Context(), &scheduler.ListSchedulesInput{})
		wantCode(t, err, "ExpiredTokenException")

		session.Credentials = credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, "another")
		b.use(session)
		_, err = b.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		wantCode(t, err, "InvalidClientTokenId")
	})
}

func TestRefusedRoleSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		b.cloud.SetRoleMaxDuration("long", 12*time.Hour)
		good := token(time.Hour)
		for _, test := range []struct {
			role, token string
			seconds     int32
			code        string
			names       string
		}{
			{role, good, 3600, "", ""},
			{role, good, 899, "ValidationError", "900"},
			{role, good, 43201, "ValidationError", "43200"},
			{role, good, 3601, "ValidationError", "MaxSessionDuration"},
			{"arn:aws:iam::111122223333:role/path/long", good, 43200, "", ""},
			{"arn:aws:iam::444455556666:role/long", good, 3600, "AccessDenied", "sts:AssumeRoleWithWebIdentity"},
			{role, "not a token", 3600, "InvalidIdentityToken", "JWT"},
			{role, strings.Replace(good, ".", ".x", 1), 3600, "InvalidIdentityToken", "JWT"},
			{role, token(-time.Minute), 3600, "ExpiredTokenException", "expiration"},
		} {
			_, err := b.sts.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
				RoleArn: &test.role, RoleSessionName: aws.String("run"), WebIdentityToken: &test.token, DurationSeconds: &test.seconds,
			})
			if test.code == "" {
				if err != nil {
					t.Errorf("%s for %d s: %v", test.role, test.seconds, err)
				}
				continue
			}
			wantCode(t, err, test.code, test.names)
		}
	})
}

func TestCredentialScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		elsewhere := b.config
		elsewhere.Region = "eu-west-1"
		b.use(elsewhere)
		_, err := b.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{})
		wantCode(t, err, "SignatureDoesNotMatch", "eu-west-1", "us-east-1")

		elsewhere.Region, elsewhere.Credentials = "us-east-1", aws.AnonymousCredentials{}
		b.use(elsewhere)
		_, err = b.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{})
		wantCode(t, err, "MissingAuthenticationToken")
	})
}

func TestParameters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		b.cloud.PutParameter("/shop/staging/A", "1", false)
		b.cloud.PutParameter("/shop/staging/A", "2", false)
		b.cloud.PutParameter("/shop/staging/SECRET", "hush", true)
		b.cloud.PutParameter("/shop/staging/deep/B", "3", false)
		get := func(name string, decrypt bool) (value string, version int64, err error) {
			out, err := b.ssm.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name, WithDecryption: &decrypt})
			if err != nil {
				return "", 0, err
			}
			return *out.Parameter.Value, out.Parameter.Version, nil
		}
		if v, n, err := get("/shop/staging/A", false); v != "2" || n != 2 || err != nil {
			t.Errorf("newest: %s, %d, %v", v, n, err)
		}
		if v, n, err := get("/shop/staging/A:1", false); v != "1" || n != 1 || err != nil {
			t.Errorf("version 1: %s, %d, %v", v, n, err)
		}
		if v, _, err := get("/shop/staging/SECRET", false); v == "hush" || err != nil {
			t.Errorf("a secret without decryption: %s, %v", v, err)
		}
		if v, _, err := get("/shop/staging/SECRET", true); v != "hush" || err != nil {
			t.Errorf("a secret with decryption: %s, %v", v, err)
		}
		_, _, err := get("/shop/none", false)
		wantCode(t, err, "ParameterNotFound")
		_, _, err = get("/shop/staging/A:9", false)
		wantCode(t, err, "ParameterVersionNotFound", "9")

		many, err := b.ssm.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/shop/staging/A", "/none"}})
		if err != nil || len(many.Parameters) != 1 || many.InvalidParameters[0] != "/none" {
			t.Errorf("GetParameters: %+v, %v", many, err)
		}
		under := func(recursive bool, limit int32) (names []string) {
			pages := ssm.NewGetParametersByPathPaginator(b.ssm, &ssm.GetParametersByPathInput{
				Path: aws.String("/shop/staging"), Recursive: &recursive, MaxResults: &limit})
			for pages.HasMorePages() {
				out, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range out.Parameters {
					names = append(names, *p.Name)
				}
			}
			return names
		}
		if got := under(false, 10); len(got) != 2 {
			t.Errorf("children: %v", got)
		}
		if got := under(true, 1); len(got) != 3 {
			t.Errorf("everything below, one a page: %v", got)
		}
		_, err = b.ssm.GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: aws.String("shop")})
		wantCode(t, err, "ValidationException", "forward slash")
	})
}
