package s3

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxExpiry is how long signature version 4 lets a URL live: a week.
	maxExpiry = 7 * 24 * time.Hour
	// maxSkew is how far a client's clock may be ahead.
	maxSkew = 15 * time.Minute
)

// authorized refuses what S3 would refuse without looking at the signature:
// anonymous requests, and presigned URLs that are expired, or used for
// something else than they were made for.
func authorized(r *http.Request, now time.Time) *problem {
	query := r.URL.Query()
	if query.Get("X-Amz-Signature") == "" {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-") {
			return &problem{http.StatusForbidden, "AccessDenied", "Access Denied"}
		}
		return nil
	}
	if problem := inTime(query.Get("X-Amz-Date"), query.Get("X-Amz-Expires"), now); problem != nil {
		return problem
	}
	hoisted(r)
	// The signature covers the method and the headers it names. Without
	// computing it, a wrong method is seen by the name that the SDKs write
	// into x-id, and a missing header by its absence.
	name, _ := operation(r)
	if id := query.Get("x-id"); id != "" && id != name {
		return mismatch()
	}
	for _, header := range strings.Split(query.Get("X-Amz-SignedHeaders"), ";") {
		if !present(r, header) {
			return mismatch()
		}
	}
	return nil
}

func mismatch() *problem {
	return &problem{http.StatusForbidden, "SignatureDoesNotMatch",
		"The request signature we calculated does not match the signature you provided. Check your key and signing method."}
}

func inTime(date, expires string, now time.Time) *problem {
	signed, err := time.Parse("20060102T150405Z", date)
	if err != nil {
		return malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
	}
	seconds, err := strconv.Atoi(expires)
	if err != nil {
		return malformed("X-Amz-Expires should be a number")
	}
	life := time.Duration(seconds) * time.Second
	switch {
	case seconds < 0:
		return malformed("X-Amz-Expires must be non-negative")
	case life > maxExpiry:
		return malformed("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
	case signed.After(now.Add(maxSkew)):
		return &problem{http.StatusForbidden, "AccessDenied", "Request is not yet valid"}
	case now.After(signed.Add(life)):
		return &problem{http.StatusForbidden, "AccessDenied", "Request has expired"}
	}
	return nil
}

func malformed(message string) *problem {
	return &problem{http.StatusBadRequest, "AuthorizationQueryParametersError", message}
}

// hoisted turns parameters that stand for headers back into headers: whoever
// presigns moves x-amz-* headers (metadata, checksums) into the URL.
func hoisted(r *http.Request) {
	query := r.URL.Query()
	for name, values := range query {
		header := http.CanonicalHeaderKey(name)
		if !strings.HasPrefix(header, "X-Amz-") || slices.Contains(plain, name) {
			continue
		}
		r.Header[header] = values
		query.Del(name)
	}
	r.URL.RawQuery = query.Encode()
}

func present(r *http.Request, header string) bool {
	switch header {
	case "", "host":
		return true
	case "content-length":
		return r.ContentLength >= 0
	}
	return r.Header.Get(header) != ""
}
