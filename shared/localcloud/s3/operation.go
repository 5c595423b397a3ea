package s3

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// plain are the query parameters that choose nothing: x-id only repeats the
// operation's name, the rest belong to a presigned URL.
var plain = []string{
	"x-id", "X-Amz-Algorithm", "X-Amz-Content-Sha256", "X-Amz-Credential", "X-Amz-Date",
	"X-Amz-Expires", "X-Amz-Security-Token", "X-Amz-Signature", "X-Amz-SignedHeaders",
}

// listing are the parameters of ListObjectsV2.
var listing = []string{
	"list-type", "prefix", "delimiter", "max-keys", "start-after",
	"continuation-token", "encoding-type", "fetch-owner",
}

// headers are the x-amz-* request headers that are understood, or that may be
// left unread without doing something else than what was asked.
var headers = []string{
	"X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256", "X-Amz-User-Agent",
	"X-Amz-Checksum-Mode", "X-Amz-Sdk-Checksum-Algorithm", "X-Amz-Checksum-Algorithm",
	"X-Amz-Checksum-Crc32", "X-Amz-Checksum-Crc32c", "X-Amz-Checksum-Crc64nvme",
	"X-Amz-Checksum-Sha1", "X-Amz-Checksum-Sha256",
	"X-Amz-Decoded-Content-Length", "X-Amz-Trailer", // only with framing, refused by name
}

// operation names the S3 operation that a request asks for. served is false
// for one that the store refuses; its name is then the method and what was
// asked of it, as in "GET object ?acl".
func operation(r *http.Request) (name string, served bool) {
	bucket, key := split(r.URL.Path)
	extra := extras(r.URL.Query())
	switch {
	case bucket == "":
		return describe(r.Method, "service", extra), false
	case key != "":
		name = map[string]string{
			http.MethodGet: "GetObject", http.MethodHead: "HeadObject",
			http.MethodPut: "PutObject", http.MethodDelete: "DeleteObject",
		}[r.Method]
		if name == "" || len(extra) > 0 {
			return describe(r.Method, "object", extra), false
		}
		return name, true
	}
	return bucketOperation(r, extra)
}

func bucketOperation(r *http.Request, extra []string) (name string, served bool) {
	switch {
	case r.Method == http.MethodHead && len(extra) == 0:
		return "HeadBucket", true
	case r.Method == http.MethodPost && slices.Equal(extra, []string{"delete"}):
		return "DeleteObjects", true
	case r.Method == http.MethodGet && isListing(extra):
		if r.URL.Query().Get("list-type") != "2" {
			return "ListObjects", false
		}
		return "ListObjectsV2", true
	}
	return describe(r.Method, "bucket", extra), false
}

// extras are the names of the parameters that choose something, sorted.
func extras(query url.Values) []string {
	var names []string
	for name := range query {
		if !slices.Contains(plain, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func isListing(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(listing, name) })
}

func describe(method, of string, extra []string) string {
	name := method + " " + of
	if len(extra) > 0 {
		name += " ?" + strings.Join(extra, "&")
	}
	return name
}

// served refuses what is not implemented, by name: a header that is ignored
// would look like one that was obeyed.
func served(r *http.Request) *problem {
	name, ok := operation(r)
	if !ok {
		return notImplemented("operation %s", name)
	}
	for header := range r.Header {
		known := !strings.HasPrefix(header, "X-Amz-") || strings.HasPrefix(header, metadataPrefix) || slices.Contains(headers, header)
		if !known {
			return notImplemented("header %s of %s", header, name)
		}
	}
	for _, header := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		if r.Header.Get(header) != "" && !conditional(name, header) {
			return notImplemented("header %s of %s", header, name)
		}
	}
	if value := r.Header.Get("If-None-Match"); name == "PutObject" && value != "" && value != "*" {
		return notImplemented("If-None-Match of PutObject other than *")
	}
	return nil
}

// conditional tells which conditions an operation knows; a write has no dates.
func conditional(name, header string) bool {
	switch name {
	case "GetObject", "HeadObject":
		return true
	case "PutObject":
		return header == "If-Match" || header == "If-None-Match"
	}
	return false
}

func notImplemented(format string, args ...any) *problem {
	what := fmt.Sprintf(format, args...)
	return &problem{http.StatusNotImplemented, "NotImplemented", "the local cloud's S3 does not implement: " + what}
}

// split takes a path-style address apart.
func split(path string) (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return bucket, key
}
