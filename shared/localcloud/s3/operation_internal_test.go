package s3

import (
	"net/http"
	"testing"
)

func TestOperationNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		method, target, name string
		served               bool
	}{
		{"GET", "/b/k?x-id=GetObject", "GetObject", true},
		{"PUT", "/b/k/l?X-Amz-Signature=1", "PutObject", true},
		{"DELETE", "/b/k", "DeleteObject", true},
		{"HEAD", "/b/k", "HeadObject", true},
		{"HEAD", "/b", "HeadBucket", true},
		{"GET", "/b/?list-type=2&prefix=a", "ListObjectsV2", true},
		{"GET", "/b?prefix=a", "ListObjects", false},
		{"POST", "/b/?delete", "DeleteObjects", true},
		{"POST", "/b/", "POST bucket", false},
		{"PATCH", "/b/k", "PATCH object", false},
		{"GET", "/b/k?tagging&acl", "GET object ?acl&tagging", false},
	}
	for _, test := range tests {
		r, err := http.NewRequestWithContext(t.Context(), test.method, "http://s3.local"+test.target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if name, served := operation(r); name != test.name || served != test.served {
			t.Errorf("%s %s: %q, %v; want %q, %v", test.method, test.target, name, served, test.name, test.served)
		}
	}
}
