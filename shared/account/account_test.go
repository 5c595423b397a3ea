package account_test

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/account"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/settings"
)

// TestMain keeps the default chain away from this machine's own AWS settings.
func TestMain(m *testing.M) {
	for _, name := range os.Environ() {
		if name, _, _ := strings.Cut(name, "="); strings.HasPrefix(name, "AWS_") {
			_ = os.Unsetenv(name)
		}
	}
	nowhere := filepath.Join(os.TempDir(), "no", "such", "file")
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		_ = os.Setenv(name, nowhere)
	}
	_ = os.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	os.Exit(m.Run())
}

var bake = account.Options{Pipe: "ami-bake", Application: "shop", Duration: 45 * time.Minute}

// keys are settings that work without OIDC.
func keys(id string) account.Settings {
	return account.Settings{Region: region, AccessKey: id, SecretKey: "secret\n"}
}

func TestOIDC(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings account.Settings
		options  account.Options
		asked    map[string]any
	}{
		"role given": {
			account.Settings{OIDCRole: role, AccessKey: "AKIAOTHER", SecretKey: "x"}, bake,
			map[string]any{"role": role, "name": "fearless-ami-bake", "seconds": 2700, "signed": false, "line ends": 0},
		},
		"account given": {
			account.Settings{Account: owner}, account.Options{Pipe: "ami-bake", Application: "shop", SessionName: "bake {12} ü " + strings.Repeat("x", 80)},
			map[string]any{"role": role, "name": "bake-12-" + strings.Repeat("x", 56), "seconds": 900, "signed": false, "line ends": 0},
		},
		"another role of the account": {
			account.Settings{Account: owner}, account.Options{Pipe: "deploy-env", Role: "plan", Application: "shop"},
			map[string]any{"role": strings.Replace(role, "ami-bake", "plan", 1), "name": "fearless-deploy-env", "seconds": 900, "signed": false, "line ends": 0},
		},
		"both given": {
			account.Settings{Account: owner, OIDCRole: role}, account.Options{Pipe: "p", Duration: maximum},
			map[string]any{"role": role, "name": "fearless-p", "seconds": 7200, "signed": false, "line ends": 0},
		},
	} {
		sts := &fakeSTS{}
		c.settings.Region, c.settings.Token, c.options.Transport = region, token(t)+"\n", sts
		session, err := account.Open(t.Context(), c.settings, c.options)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.asked, sts.asked); diff != "" {
			t.Errorf("%s: asked (-want +got):\n%s", name, diff)
		}
		if session.Account != owner || !strings.Contains(session.Caller, ":assumed-role/") || session.Region != region || session.Notes != nil {
			t.Errorf("%s: %+v", name, session)
		}
		if want := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC); !session.Expires.Equal(want) {
			t.Errorf("%s: expires %v", name, session.Expires)
		}
		want := "account 111122223333, region eu-central-1, as arn:aws:sts::111122223333:assumed-role/fearless-shop-ami-bake/fearless-ami-bake (by the step's OIDC token and the role " + c.asked["role"].(string) + ")"
		if session.String() != want {
			t.Errorf("%s: %s", name, session)
		}
	}
}

func TestPartitions(t *testing.T) {
	t.Parallel()
	for region, partition := range map[string]string{"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "us-east-1": "aws"} {
		sts := &fakeSTS{}
		_, err := account.Open(t.Context(), account.Settings{Region: region, Account: owner, Token: token(t)},
			account.Options{Pipe: "ami-bake", Application: "shop", Transport: sts})
		if want := "arn:" + partition + ":iam::111122223333:role/fearless-shop-ami-bake"; err != nil || sts.asked["role"] != want {
			t.Errorf("%s: %v (%v)", region, sts.asked["role"], err)
		}
	}
}

func TestDurationRefused(t *testing.T) {
	t.Parallel()
	for duration, calls := range map[time.Duration]int{
		maximum + time.Minute:    1,
		12*time.Hour + time.Hour: 0, // no need to ask
	} {
		sts := &fakeSTS{}
		options := bake
		options.Duration, options.Transport = duration, sts
		_, err := account.Open(t.Context(), account.Settings{Region: region, OIDCRole: role, Token: token(t)}, options)
		if exit.CodeOf(err) != exit.Invalid || len(sts.calls) != calls {
			t.Errorf("%v: %v after %v", duration, err, sts.calls)
			continue
		}
		for _, want := range []string{"TIMEOUT", role, "15 minutes"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %q is missing in: %v", duration, want, err)
			}
		}
		if hints := exit.HintsOf(err); len(hints) != 1 || !strings.Contains(hints[0], "MaxSessionDuration") {
			t.Errorf("%v: hints %q", duration, hints)
		}
	}
}

func TestRoleRefused(t *testing.T) {
	t.Parallel()
	claims := "iss https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc, aud ari:cloud:bitbucket::workspace/0a1b, sub {repo}:{step}"
	for name, c := range map[string]struct {
		settings account.Settings
		code     string
		hints    []string
	}{
		"trust policy": {account.Settings{OIDCRole: role}, "AccessDenied", []string{
			"the role does not exist, or its trust policy does not accept this step:", claims}},
		"derived role, and keys": {account.Settings{Account: owner, AccessKey: "AKIA", SecretKey: "x"}, "AccessDenied", []string{
			"the role does not exist, or its trust policy does not accept this step:", claims,
			"AWS_OIDC_ROLE_ARN names another role than this one, which account.yml would have made",
			"an OIDC token is used before access keys; to use the keys, take `oidc: true` out of the step"}},
		"no provider": {account.Settings{OIDCRole: role}, "InvalidIdentityToken", []string{
			"the account needs Bitbucket as an OIDC provider with this token's issuer and audience:", claims}},
		"old token": {account.Settings{OIDCRole: role}, "ExpiredTokenException", []string{
			"a step's token lives for an hour: run the pipe earlier in the step, or in a step of its own"}},
		"something else": {account.Settings{OIDCRole: role}, "PackedPolicyTooLarge", nil},
	} {
		options := bake
		options.Transport = &fakeSTS{fail: map[string]string{"AssumeRoleWithWebIdentity": c.code}}
		c.settings.Region, c.settings.Token = region, token(t)
		_, err := account.Open(t.Context(), c.settings, options)
		if exit.CodeOf(err) != exit.Unable || !strings.Contains(err.Error(), "taking the role "+role) || !strings.Contains(err.Error(), c.code) {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.hints, exit.HintsOf(err)); diff != "" {
			t.Errorf("%s: hints (-want +got):\n%s", name, diff)
		}
	}
	options := bake
	options.Transport = &fakeSTS{fail: map[string]string{"AssumeRoleWithWebIdentity": "AccessDenied"}}
	for broken, want := range map[string]string{"no jwt": "the token is not a JWT", "a.%.c": "the token cannot be read", "a.e30K.c": "iss , aud <nil>, sub "} {
		_, err := account.Open(t.Context(), account.Settings{Region: region, OIDCRole: role, Token: broken}, options)
		if hints := exit.HintsOf(err); len(hints) != 2 || hints[1] != want {
			t.Errorf("token %q: %q", broken, hints)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	options := bake
	sts := &fakeSTS{}
	options.Transport = sts
	session, err := account.Open(t.Context(), keys("AKIAOWNER"), options)
	if err != nil {
		t.Fatal(err)
	}
	if session.Account != owner || session.Method != "the access key AKIAOWNER" || !session.Expires.IsZero() || session.PathStyle {
		t.Errorf("%+v", session)
	}
	if session.Config.RetryMode != aws.RetryModeStandard || session.Config.RetryMaxAttempts != 5 {
		t.Errorf("retries: %v, %d", session.Config.RetryMode, session.Config.RetryMaxAttempts)
	}
	if diff := cmp.Diff([]string{"GetCallerIdentity"}, sts.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}

	missing := keys("AKIAOWNER")
	missing.OIDCRole = role
	session, err = account.Open(t.Context(), missing, options)
	if err != nil || len(session.Notes) != 1 || !strings.Contains(session.Notes[0], "oidc: true is missing") {
		t.Errorf("role without a token: %v, %+v", err, session)
	}
	if without, err := account.Open(t.Context(), account.Settings{Region: region, Token: token(t), AccessKey: "AKIAOWNER", SecretKey: "x"}, options); err != nil || !strings.Contains(without.Method, "AKIAOWNER") {
		t.Errorf("token without a role: %v", err)
	}
}

func TestWrongAccount(t *testing.T) {
	t.Parallel()
	options := bake
	options.Transport = &fakeSTS{}
	other := keys("AKIAOTHER")
	other.Account = owner
	_, err := account.Open(t.Context(), other, options)
	if exit.CodeOf(err) != exit.Invalid {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"AWS_ACCOUNT_ID is 111122223333", "999988887777", "arn:aws:iam::999988887777:user/ci", "AKIAOTHER"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}

func TestUnidentified(t *testing.T) {
	t.Parallel()
	for code, hint := range map[string]string{
		"InvalidClientTokenId": "does not exist", "SignatureDoesNotMatch": "does not belong", "ExpiredToken": "has ended", "AccessDenied": "",
	} {
		options := bake
		options.Transport = &fakeSTS{fail: map[string]string{"GetCallerIdentity": code}}
		_, err := account.Open(t.Context(), keys("AKIAOWNER"), options)
		if exit.CodeOf(err) != exit.Unable || !strings.Contains(err.Error(), code) || !strings.Contains(strings.Join(exit.HintsOf(err), "\n"), hint) {
			t.Errorf("%s: %v, %q", code, err, exit.HintsOf(err))
		}
	}
}

// TestPatience runs on simulated time: retries, and an endpoint that hangs.
func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		options := bake
		sts := &fakeSTS{glitch: 2} // more would take longer than our patience
		options.Transport = sts
		if _, err := account.Open(t.Context(), keys("AKIAOWNER"), options); err != nil || len(sts.calls) != 3 {
			t.Errorf("two glitches: %v after %d calls", err, len(sts.calls))
		}
		for name, s := range map[string]account.Settings{
			"keys": keys("AKIAOWNER"), "token": {Region: region, OIDCRole: role, Token: token(t)},
		} {
			options.Transport = &fakeSTS{hang: true}
			start := time.Now()
			_, err := account.Open(t.Context(), s, options)
			if took := time.Since(start); took != 20*time.Second || exit.CodeOf(err) != exit.Unable {
				t.Errorf("%s: hangs: %v after %v", name, err, took)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		if _, err := account.Open(ctx, keys("AKIAOWNER"), options); err == nil || time.Since(start) != time.Second {
			t.Errorf("cancelled: %v after %v", err, time.Since(start))
		}
	})
}

// TestEndpoints goes over a real socket with the SDK's own client.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(&fakeSTS{})
	defer server.Close()
	s := keys("AKIAOWNER")
	s.Endpoint, s.EndpointEC2 = server.URL, "http://ec2.test"
	session, err := account.Open(t.Context(), s, bake)
	if err != nil {
		t.Fatal(err)
	}
	s3, ec2 := s3.NewFromConfig(session.Config).Options(), ec2.NewFromConfig(session.Config).Options()
	if aws.ToString(s3.BaseEndpoint) != server.URL || aws.ToString(ec2.BaseEndpoint) != "http://ec2.test" || !session.PathStyle {
		t.Errorf("s3 %q, ec2 %q, path style %v", aws.ToString(s3.BaseEndpoint), aws.ToString(ec2.BaseEndpoint), session.PathStyle)
	}
	s.Endpoint, s.EndpointSTS, s.EndpointS3 = "", server.URL, "http://s3.test"
	if session, err = account.Open(t.Context(), s, bake); err != nil || !session.PathStyle {
		t.Errorf("only single services: %v, %+v", err, session)
	}
}

// TestDefaultChain changes the process's environment, which the SDK reads.
func TestDefaultChain(t *testing.T) {
	options := bake
	options.Transport = &fakeSTS{}
	_, err := account.Open(t.Context(), account.Settings{Region: region}, options)
	if exit.CodeOf(err) != exit.Invalid || !strings.Contains(err.Error(), "no AWS credentials") || len(exit.HintsOf(err)) != 2 {
		t.Errorf("nothing there: %v, %q", err, exit.HintsOf(err))
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIACHAIN")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	t.Setenv("AWS_REGION", "us-west-2")
	server := httptest.NewServer(&fakeSTS{})
	defer server.Close()
	options.Transport = nil
	session, err := account.Open(t.Context(), account.Settings{Region: region, OIDCRole: role, EndpointSTS: server.URL}, options)
	if err != nil {
		t.Fatal(err)
	}
	if session.Config.Region != region || session.Account != owner || session.Method != "the SDK's default chain: EnvConfigCredentials" || len(session.Notes) != 1 {
		t.Errorf("%+v", session)
	}
	// Keys in the settings keep the process's own out of it.
	given := keys("AKIAOTHER")
	given.EndpointSTS = server.URL
	if session, err = account.Open(t.Context(), given, options); err != nil || session.Account != "999988887777" {
		t.Errorf("keys given: %v, %+v", err, session)
	}
}

// Every client of the pipes can be pointed elsewhere alone, by the variable that AWS's own programs read.
func TestSingleEndpoints(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(&fakeSTS{})
	defer server.Close()
	for id, client := range map[string]func(aws.Config) *string{
		"CLOUDFORMATION": func(c aws.Config) *string { return cloudformation.NewFromConfig(c).Options().BaseEndpoint },
		"AUTO_SCALING":   func(c aws.Config) *string { return autoscaling.NewFromConfig(c).Options().BaseEndpoint },
		"ELASTIC_LOAD_BALANCING_V2": func(c aws.Config) *string {
			return elasticloadbalancingv2.NewFromConfig(c).Options().BaseEndpoint
		},
		"EC2": func(c aws.Config) *string { return ec2.NewFromConfig(c).Options().BaseEndpoint },
		"S3":  func(c aws.Config) *string { return s3.NewFromConfig(c).Options().BaseEndpoint },
		"SSM": func(c aws.Config) *string { return ssm.NewFromConfig(c).Options().BaseEndpoint },
	} {
		var s account.Settings
		name, own := "AWS_ENDPOINT_URL_"+id, "http://"+strings.ToLower(strings.ReplaceAll(id, "_", "-"))+".test"
		if err := settings.Load([]string{
			"AWS_DEFAULT_REGION=" + region, "AWS_ACCESS_KEY_ID=AKIAOWNER", "AWS_SECRET_ACCESS_KEY=secret",
			"AWS_ENDPOINT_URL_STS=" + server.URL, name + "=" + own,
		}, &s); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		session, err := account.Open(t.Context(), s, bake)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := aws.ToString(client(session.Config)); got != own {
			t.Errorf("%s: the client asks %q", name, got)
		}
		if !slices.ContainsFunc(settings.Describe(s), func(v settings.Variable) bool { return v.Name == name && v.Context }) {
			t.Errorf("%s is not described", name)
		}
		if err := settings.Load([]string{"AWS_DEFAULT_REGION=" + region, name + "=localhost:1"}, &s); err == nil || !strings.Contains(err.Error(), name+": ") {
			t.Errorf("%s is not checked: %v", name, err)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		environ []string
		want    []string // a part of each problem
	}{
		"nothing wrong": {nil, nil},
		"everything":    {[]string{"AWS_OIDC_ROLE_ARN=" + role, "AWS_ACCOUNT_ID=" + owner, "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_SESSION_TOKEN=c", "AWS_ENDPOINT_URL=http://localhost:1"}, nil},
		"no secret":     {[]string{"AWS_ACCESS_KEY_ID=a"}, []string{"AWS_SECRET_ACCESS_KEY: not set, but AWS_ACCESS_KEY_ID is"}},
		"no key":        {[]string{"AWS_SECRET_ACCESS_KEY=topsecret"}, []string{"AWS_ACCESS_KEY_ID: not set"}},
		"no keys":       {[]string{"AWS_SESSION_TOKEN=topsecret"}, []string{"AWS_SESSION_TOKEN: is of no use"}},
		"zone":          {[]string{"AWS_DEFAULT_REGION=eu-central-1a"}, []string{"its region is eu-central-1"}},
		"no region":     {[]string{"AWS_DEFAULT_REGION=Frankfurt"}, []string{`"Frankfurt" is not the name of a region`}},
		"account":       {[]string{"AWS_ACCOUNT_ID=1.11122223333e11"}, []string{"expected: 12 digits"}},
		"role":          {[]string{"AWS_OIDC_ROLE_ARN=fearless"}, []string{`"fearless" is not a role`}},
		"role's account": {[]string{"AWS_OIDC_ROLE_ARN=" + role, "AWS_ACCOUNT_ID=999988887777"},
			[]string{"is a role of account 111122223333, but AWS_ACCOUNT_ID is 999988887777"}},
		"addresses": {[]string{"AWS_ENDPOINT_URL=localhost:4566", "AWS_ENDPOINT_URL_S3=ftp://x", "AWS_ENDPOINT_URL_SSM=http://"},
			[]string{"AWS_ENDPOINT_URL: ", "AWS_ENDPOINT_URL_S3: ", "AWS_ENDPOINT_URL_SSM: "}},
	} {
		var s account.Settings
		err := settings.Load(append([]string{"AWS_REGION=" + region, "AWS_DEFAULT_REGION="}, c.environ...), &s)
		if c.want == nil {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if got := strings.Count(err.Error(), "\n"); got != len(c.want) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is missing in: %v", name, want, err)
			}
		}
	}
}
