package fake_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/bitbucket/fake"
)

const (
	plain     = "http://api.bitbucket.org/2.0/repositories/acme/shop/"
	encrypted = "https://api.bitbucket.org/2.0/repositories/acme/shop/"
)

var reports = "commit/" + strings.Repeat("c", 40) + "/reports/"

// send makes one call and gives the status of its answer.
func send(t *testing.T, transport http.RoundTripper, method, address, body string, header ...string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// with is a JSON object changed in one field; "" takes the field out.
func with(object, field, value string) string {
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &all); err != nil {
		panic(err)
	}
	if delete(all, field); value != "" {
		all[field] = json.RawMessage(value)
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return string(text)
}

const (
	goodReport     = `{"title": "t", "details": "d", "report_type": "BUG", "result": "PENDING", "link": "https://example.com/", "data": [{"title": "n", "type": "NUMBER", "value": 3}]}`
	goodAnnotation = `{"external_id": "a-1", "annotation_type": "BUG", "summary": "s", "path": "a/b.go", "line": 3, "severity": "LOW"}`
	goodStatus     = `{"key": "k", "state": "FAILED", "url": "https://example.com/"}`
)

// quoted is a JSON text of n letters.
func quoted(n int) string { return `"` + strings.Repeat("x", n) + `"` }

// TestComplaints: what the fake is there to find, it finds, and says so with
// the status that Bitbucket has for it.
func TestComplaints(t *testing.T) {
	t.Parallel()
	bad := map[string][]string{ // method, path, body
		"PUT: not the API's field":   {"PUT", reports + "r", with(goodReport, "colour", `"red"`)},
		"PUT: no title":              {"PUT", reports + "r", with(goodReport, "title", "")},
		"PUT: no details":            {"PUT", reports + "r", with(goodReport, "details", `" "`)},
		"PUT: title too long":        {"PUT", reports + "r", with(goodReport, "title", quoted(451))},
		"PUT: details too long":      {"PUT", reports + "r", with(goodReport, "details", quoted(2001))},
		"PUT: unknown type":          {"PUT", reports + "r", with(goodReport, "report_type", `"LINT"`)},
		"PUT: no result":             {"PUT", reports + "r", with(goodReport, "result", "")},
		"PUT: no address":            {"PUT", reports + "r", with(goodReport, "link", `"nowhere"`)},
		"PUT: eleven data":           {"PUT", reports + "r", with(goodReport, "data", "["+strings.TrimSuffix(strings.Repeat(`{"title": "n", "type": "NUMBER", "value": 3},`, 11), ",")+"]")},
		"PUT: number in words":       {"PUT", reports + "r", with(goodReport, "data", `[{"title": "n", "type": "NUMBER", "value": "3"}]`)},
		"PUT: percentage":            {"PUT", reports + "r", with(goodReport, "data", `[{"title": "n", "type": "PERCENTAGE", "value": 101}]`)},
		"PUT: text":                  {"PUT", reports + "r", with(goodReport, "data", `[{"title": "n", "type": "TEXT", "value": 1}]`)},
		"PUT: boolean":               {"PUT", reports + "r", with(goodReport, "data", `[{"title": "n", "type": "BOOLEAN", "value": 1}]`)},
		"PUT: link":                  {"PUT", reports + "r", with(goodReport, "data", `[{"title": "n", "type": "LINK", "value": "x"}]`)},
		"PUT: no value":              {"PUT", reports + "r", with(goodReport, "data", `[{"title": "n"}]`)},
		"PUT: not pending first":     {"PUT", reports + "r", with(goodReport, "result", `"PASSED"`)},
		"PUT: not pending once more": {"PUT", reports + "passed", with(goodReport, "result", `"FAILED"`)},
		"PUT: stale annotations":     {"PUT", reports + "annotated", goodReport},
		"PUT: id":                    {"PUT", reports + "a%20b", goodReport},
		"PUT: no JSON":               {"PUT", reports + "r", "{"},
		"PUT: more than JSON":        {"PUT", reports + "r", goodReport + "{}"},
		"PUT: not UTF-8":             {"PUT", reports + "r", with(goodReport, "title", `"?"`)[:10] + "\xff" + goodReport},
		"POST: no array":             {"POST", reports + "pending/annotations", goodAnnotation},
		"POST: none":                 {"POST", reports + "pending/annotations", "[]"},
		"POST: 101":                  {"POST", reports + "pending/annotations", "[" + strings.TrimSuffix(strings.Repeat(goodAnnotation+",", 101), ",") + "]"},
		"POST: twice the same":       {"POST", reports + "pending/annotations", "[" + goodAnnotation + "," + goodAnnotation + "]"},
		"POST: no report":            {"POST", reports + "none/annotations", "[" + goodAnnotation + "]"},
		"POST: after the result":     {"POST", reports + "passed/annotations", "[" + goodAnnotation + "]"},
		"POST: no id":                {"POST", reports + "pending/annotations", "[" + with(goodAnnotation, "external_id", "") + "]"},
		"POST: id for no address":    {"POST", reports + "pending/annotations", "[" + with(goodAnnotation, "external_id", `"a/b"`) + "]"},
		"POST: no summary":           {"POST", reports + "pending/annotations", "[" + with(goodAnnotation, "summary", "") + "]"},
		"POST: long summary":         {"POST", reports + "pending/annotations", "[" + with(goodAnnotation, "summary", quoted(451)) + "]"},
		"POST: control character":    {"POST", reports + "pending/annotations", "[" + with(goodAnnotation, "summary", `"\u001b[31m"`) + "]"},
		"POST: long details":         {"POST", reports + "pending/annotations", "[" + with(goodAnnotation, "details", quoted(2001)) + "]"},
		"POST: line 0":               {"POST", reports + "pending/annotations", "[" + with(goodAnnotation, "line", "0") + "]"},
		"POST: line without a file":  {"POST", reports + "pending/annotations", "[" + with(goodAnnotation, "path", "") + "]"},
		"POST: absolute":             {"POST", reports + "pending/annotations", "[" + with(goodAnnotation, "path", `"/a"`) + "]"},
		"POST: outside":              {"POST", reports + "pending/annotations", "[" + with(goodAnnotation, "path", `"../a"`) + "]"},
		"POST: severity":             {"POST", reports + "pending/annotations", "[" + with(goodAnnotation, "severity", `"error"`) + "]"},
		"POST: type":                 {"POST", reports + "pending/annotations", "[" + with(goodAnnotation, "annotation_type", "") + "]"},
		"PATCH: no such method":      {"PATCH", reports + "pending", goodReport},
		"GET: no such method":        {"GET", reports + "pending/annotations", ""},
		"GET: somewhere else":        {"GET", "pipelines/", ""},
		"GET: no part of a commit":   {"GET", "commit/" + strings.Repeat("c", 40) + "/diff", ""},
		"status: no key":             {"POST", "commit/" + strings.Repeat("c", 40) + "/statuses/build", with(goodStatus, "key", "")},
		"status: long key":           {"POST", "commit/" + strings.Repeat("c", 40) + "/statuses/build", with(goodStatus, "key", quoted(41))},
		"status: state":              {"POST", "commit/" + strings.Repeat("c", 40) + "/statuses/build", with(goodStatus, "state", `"PASSED"`)},
		"status: no address":         {"POST", "commit/" + strings.Repeat("c", 40) + "/statuses/build", with(goodStatus, "url", "")},
		"status: no JSON":            {"POST", "commit/" + strings.Repeat("c", 40) + "/statuses/build", "state=FAILED"},
		"status: method":             {"PUT", "commit/" + strings.Repeat("c", 40) + "/statuses/build", goodStatus},
		"comment: blank":             {"POST", "pullrequests/1/comments", `{"content": {"raw": ""}}`},
		"comment: not a field":       {"POST", "pullrequests/1/comments", `{"content": {"raw": "x", "html": "<p>"}}`},
		"comment: too long":          {"POST", "pullrequests/1/comments", `{"content": {"raw": ` + quoted(32769) + `}}`},
		"comment: method":            {"PUT", "pullrequests/1/comments", `{"content": {"raw": "x"}}`},
		"comment: no number":         {"POST", "pullrequests/x/comments", `{"content": {"raw": "x"}}`},
	}
	for name, c := range bad {
		server := fake.New(fake.Options{})
		prepared(t, server)
		status := send(t, server.RoundTripper(), c[0], encrypted+c[1], c[2], "Authorization", "Bearer fake-token")
		if status < 400 || len(server.Complaints()) != 1 {
			t.Errorf("%s: %d, %q", name, status, server.Complaints())
		}
	}
	// And the examples that the bad ones were made of are good.
	server := fake.New(fake.Options{})
	prepared(t, server)
	for _, c := range [][]string{
		{"PUT", reports + "r", goodReport}, {"POST", reports + "pending/annotations", "[" + goodAnnotation + "]"}, {"GET", reports + "passed", ""},
		{"POST", "commit/" + strings.Repeat("c", 40) + "/statuses/build", goodStatus}, {"POST", "pullrequests/1/comments", `{"content": {"raw": "x"}}`},
	} {
		if status := send(t, server.RoundTripper(), c[0], encrypted+c[1], c[2], "Authorization", "Bearer fake-token"); status > 299 {
			t.Errorf("%s: %d, %q", c, status, server.Complaints())
		}
	}
}

// prepared has a report in each state.
func prepared(t *testing.T, server *fake.Server) {
	t.Helper()
	for _, c := range [][]string{
		{"PUT", "pending", goodReport}, {"PUT", "passed", goodReport}, {"PUT", "passed", with(goodReport, "result", `"PASSED"`)},
		{"PUT", "annotated", goodReport}, {"POST", "annotated/annotations", "[" + goodAnnotation + "]"},
	} {
		if status := send(t, server.RoundTripper(), c[0], plain+reports+c[1], c[2]); status != http.StatusOK {
			t.Fatalf("%s: %d, %q", c, status, server.Complaints())
		}
	}
}

func TestThousand(t *testing.T) {
	t.Parallel()
	server := fake.New(fake.Options{})
	prepared(t, server)
	for batch := range 11 {
		var all []string
		for i := range 100 {
			all = append(all, with(goodAnnotation, "external_id", fmt.Sprintf(`"a-%d-%d"`, batch, i)))
		}
		status := send(t, server.RoundTripper(), "POST", plain+reports+"pending/annotations", "["+strings.Join(all, ",")+"]")
		if (status == http.StatusOK) != (batch < 10) {
			t.Errorf("batch %d: %d", batch, status)
		}
	}
	if r, _ := server.Report("pending"); len(r.Annotations) != 1000 || len(server.Complaints()) != 1 {
		t.Errorf("%d, %q", len(r.Annotations), server.Complaints())
	}
}

func TestAdmission(t *testing.T) {
	t.Parallel()
	status := "commit/" + strings.Repeat("c", 40) + "/statuses/build"
	for name, c := range map[string]struct {
		options    fake.Options
		address    string
		token      string
		want       int
		complaints int
	}{
		"no token":                   {fake.Options{}, encrypted + status, "", 401, 0},
		"wrong token":                {fake.Options{}, encrypted + status, "Bearer x", 401, 0},
		"token":                      {fake.Options{}, encrypted + status, "Bearer fake-token", 201, 0},
		"API token":                  {fake.Options{Email: "a@b.c", Token: "x"}, encrypted + status, "Basic YUBiLmM6eA==", 201, 0},
		"access token for API token": {fake.Options{Email: "a@b.c", Token: "x"}, encrypted + status, "Bearer x", 401, 0},
		"no write":                   {fake.Options{NoWrite: true}, encrypted + status, "Bearer fake-token", 403, 0},
		"no pull requests":           {fake.Options{NoPullRequests: true}, encrypted + "pullrequests/1/comments", "Bearer fake-token", 403, 0},
		"by proxy":                   {fake.Options{StatusByProxy: true}, plain + status, "", 201, 0},
		"not by proxy":               {fake.Options{}, plain + status, "", 403, 0},
		"comment by proxy":           {fake.Options{}, plain + "pullrequests/1/comments", "", 403, 0},
		"token in plain text":        {fake.Options{}, plain + status, "Bearer fake-token", 400, 1},
		"another host":               {fake.Options{}, strings.Replace(encrypted, "api.", "", 1) + status, "Bearer fake-token", 502, 1},
		"another repository":         {fake.Options{}, strings.Replace(encrypted, "shop", "other", 1) + status, "Bearer fake-token", 404, 0},
		"another commit":             {fake.Options{Commit: "d"}, encrypted + status, "Bearer fake-token", 404, 0},
	} {
		server := fake.New(c.options)
		var header []string
		if c.token != "" {
			header = []string{"Authorization", c.token}
		}
		if got := send(t, server.RoundTripper(), "POST", c.address, goodStatus, header...); got != c.want || len(server.Complaints()) != c.complaints {
			t.Errorf("%s: %d, %q", name, got, server.Complaints())
		}
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := fake.New(fake.Options{})
	network, err := server.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	environ := map[string]string{}
	for _, pair := range network.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		environ[name] = value
	}
	if _, err := os.Stat(environ["SSL_CERT_FILE"]); err != nil {
		t.Error(err)
	}
	daemon, err := url.Parse(environ["DOCKER_HOST"])
	if err != nil {
		t.Fatal(err)
	}
	proxy := "http://" + daemon.Hostname() + ":29418"

	direct := &http.Transport{Proxy: nil}
	t.Cleanup(direct.CloseIdleConnections)
	if status := send(t, direct, "PUT", proxy+"/2.0/repositories/acme/shop/"+reports+"r", goodReport); status != 400 || len(server.Complaints()) != 1 {
		t.Errorf("a call to the proxy as if it were the API: %d, %q", status, server.Complaints())
	}
	company, err := url.Parse(environ["HTTPS_PROXY"])
	if err != nil {
		t.Fatal(err)
	}
	through := &http.Transport{Proxy: http.ProxyURL(company)}
	t.Cleanup(through.CloseIdleConnections)
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://example.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := through.RoundTrip(r); err == nil || len(server.Complaints()) != 2 {
		answer.Body.Close()
		t.Errorf("a call to somewhere else: %q", server.Complaints())
	}
	if err := network.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(dir + "/*"); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}
