package localcloud

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
	"bitbucket.org/fearless/pipes/shared/localcloud/s3"
)

// row is a line of FIDELITY.md's tables.
type row struct{ what, from, source string }

func fidelity(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile("FIDELITY.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 {
			if strings.HasPrefix(line, "|") {
				t.Errorf("not three cells: %s", line)
			}
			continue
		}
		r := row{strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2]), strings.TrimSpace(cells[3])}
		if r.from != "from" && !strings.HasPrefix(r.from, "---") {
			rows = append(rows, r)
		}
	}
	if len(rows) < 50 {
		t.Fatalf("only %d lines were understood", len(rows))
	}
	return rows
}

// operations are what the services can do, as service:Action.
func operations(t *testing.T) []string {
	t.Helper()
	c, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	var all []string
	for _, s := range c.router.Services() {
		for action := range s.Actions {
			all = append(all, s.Name+":"+action)
		}
		for _, action := range s.Operations {
			all = append(all, s.Name+":"+action)
		}
	}
	slices.Sort(all)
	return all
}

func TestFidelityListAndCodeNameTheSameOperations(t *testing.T) {
	names := regexp.MustCompile("`([a-z0-9]+:[A-Za-z0-9]+)`")
	var listed []string
	for _, r := range fidelity(t) {
		for _, m := range names.FindAllStringSubmatch(r.what, -1) {
			listed = append(listed, m[1])
		}
	}
	known := operations(t)
	for _, name := range known {
		if !slices.Contains(listed, name) {
			t.Errorf("%s has no line in FIDELITY.md", name)
		}
	}
	for _, name := range listed {
		if !slices.Contains(known, name) {
			t.Errorf("FIDELITY.md speaks of %s, which no service has", name)
		}
	}
}

func TestFidelityLinesHaveASource(t *testing.T) {
	for _, r := range fidelity(t) {
		switch {
		case !slices.Contains([]string{"documented", "recorded", "assumed"}, r.from):
			t.Errorf("%q is neither documented, recorded nor assumed: %q", r.what, r.from)
		case r.source == "":
			t.Errorf("%q has no source", r.what)
		case (r.from == "assumed") != strings.HasPrefix(r.source, "check: "):
			t.Errorf("%q is %s: exactly the assumed lines name a check: %q", r.what, r.from, r.source)
		}
	}
}

// The store decides by itself what it serves, so the list that stands for it
// is compared with its answers: everything else is "not implemented".
func TestStoreOperations(t *testing.T) {
	store := s3.New()
	store.CreateBucket("b")
	var served []string
	for _, request := range []string{
		"PUT /b/k", "GET /b/k", "HEAD /b/k", "DELETE /b/k", "GET /b?list-type=2", "HEAD /b", "POST /b?delete",
		"GET /", "GET /b", "GET /b?acl", "PUT /b", "DELETE /b", "GET /b/k?tagging", "POST /b/k?uploads", "PUT /b/k?partNumber=1&uploadId=1",
	} {
		method, path, _ := strings.Cut(request, " ")
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(""))
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AK/20261123/us-east-1/s3/aws4_request")
		answer := httptest.NewRecorder()
		store.ServeHTTP(answer, r)
		if answer.Code != http.StatusNotImplemented {
			served = append(served, operation.Of(r, nil).Action)
		}
	}
	slices.Sort(served)
	if diff := cmp.Diff(slices.Sorted(slices.Values(storeOperations)), served); diff != "" {
		t.Errorf("operations of the store (-listed +served):\n%s", diff)
	}
}
