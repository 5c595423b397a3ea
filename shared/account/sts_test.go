package account_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeSTS is as much of STS as a session needs: it gives sessions to a role
// that trusts our token, and knows whose keys it is asked about.
type fakeSTS struct {
	mu     sync.Mutex
	calls  []string       // actions, in order
	asked  map[string]any // of the last AssumeRoleWithWebIdentity
	fail   map[string]string
	hang   bool // GetCallerIdentity never answers
	glitch int  // that many calls end in an error of the server first
}

const (
	region  = "eu-central-1"
	owner   = "111122223333"
	role    = "arn:aws:iam::111122223333:role/fearless-shop-ami-bake"
	maximum = 2 * time.Hour // the role's MaxSessionDuration
)

// token is a JWT as Bitbucket makes them, as far as anybody here looks.
func token(t *testing.T) string {
	t.Helper()
	claims, err := json.Marshal(map[string]any{
		"iss": "https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc",
		"aud": "ari:cloud:bitbucket::workspace/0a1b", "sub": "{repo}:{step}",
	})
	if err != nil {
		t.Fatal(err)
	}
	return "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString(claims) + ".c2lnbmF0dXJl"
}

func (f *fakeSTS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	action := r.PostForm.Get("Action")
	f.mu.Lock()
	f.calls = append(f.calls, action)
	glitch := f.glitch > 0
	f.glitch--
	code := f.fail[action]
	f.mu.Unlock()
	switch {
	case glitch:
		http.Error(w, "busy", http.StatusServiceUnavailable)
	case f.hang && action == "GetCallerIdentity":
		<-r.Context().Done()
	case code != "":
		refuse(w, code, "refused by the test")
	case action == "AssumeRoleWithWebIdentity":
		f.assume(w, r)
	case action == "GetCallerIdentity":
		identify(w, r)
	default:
		refuse(w, "InvalidAction", "no "+action)
	}
}

// assume is not signed, and bounded by what the role allows.
func (f *fakeSTS) assume(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	seconds, err := strconv.Atoi(r.PostForm.Get("DurationSeconds"))
	f.asked = map[string]any{
		"role": r.PostForm.Get("RoleArn"), "name": r.PostForm.Get("RoleSessionName"), "seconds": seconds,
		"line ends": strings.Count(r.PostForm.Get("WebIdentityToken"), "\n"),
		"signed":    r.Header.Get("Authorization") != "",
	}
	switch {
	case err != nil || seconds < 900:
		refuse(w, "ValidationError", "1 validation error detected: Value at 'durationSeconds' failed")
	case seconds > int(maximum.Seconds()):
		refuse(w, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	default:
		fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken>
<Expiration>2030-01-02T03:04:05Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`)
	}
}

// identify tells the accounts of keys by their names.
func identify(w http.ResponseWriter, r *http.Request) {
	account, arn := owner, "arn:aws:iam::"+owner+":user/ci"
	authorization := r.Header.Get("Authorization")
	switch {
	case strings.Contains(authorization, "Credential=ASIAROLE/") && r.Header.Get("X-Amz-Security-Token") == "session":
		arn = "arn:aws:sts::" + owner + ":assumed-role/fearless-shop-ami-bake/fearless-ami-bake"
	case strings.Contains(authorization, "Credential=AKIAOTHER/"):
		account, arn = "999988887777", "arn:aws:iam::999988887777:user/ci"
	case strings.Contains(authorization, "Credential=AKIA"):
	default:
		refuse(w, "InvalidClientTokenId", "The security token included in the request is invalid.")
		return
	}
	fmt.Fprintf(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>%s</Arn><UserId>AIDA</UserId><Account>%s</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`, arn, account)
}

func refuse(w http.ResponseWriter, code, message string) {
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>`, code, message)
}

// RoundTrip lets the fake be a transport as well, for simulated time.
func (f *fakeSTS) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), r.Body)
	request.Header = r.Header
	f.ServeHTTP(recorder, request)
	return recorder.Result(), nil
}
