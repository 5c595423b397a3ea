package operation

import (
	"net/http"
	"net/url"
	"strings"
)

// restAction names an S3 operation. The SDKs send the name along as x-id for
// most operations; for the others, and for presigned requests sent by hand,
// method and address tell.
func restAction(r *http.Request) string {
	query := r.URL.Query()
	if id := query.Get("x-id"); id != "" {
		return id
	}
	bucket, key := address(r)
	switch {
	case bucket == "":
		return "ListBuckets"
	case key == "":
		return bucketAction(r.Method, query)
	default:
		return objectAction(r, query)
	}
}

// address splits a request into bucket and key, path style or host style
// (BUCKET.s3.REGION.amazonaws.com).
func address(r *http.Request) (bucket, key string) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	if name, _, ok := strings.Cut(host, ".s3."); ok {
		return name, path
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

func bucketAction(method string, query url.Values) string {
	switch {
	case method == http.MethodPut:
		return "CreateBucket"
	case method == http.MethodHead:
		return "HeadBucket"
	case method == http.MethodDelete:
		return "DeleteBucket"
	case method == http.MethodPost && query.Has("delete"):
		return "DeleteObjects"
	case query.Has("location"):
		return "GetBucketLocation"
	case query.Get("list-type") == "2":
		return "ListObjectsV2"
	default:
		return "ListObjects"
	}
}

func objectAction(r *http.Request, query url.Values) string {
	part := query.Has("uploadId")
	switch r.Method {
	case http.MethodGet:
		return "GetObject"
	case http.MethodHead:
		return "HeadObject"
	case http.MethodDelete:
		if part {
			return "AbortMultipartUpload"
		}
		return "DeleteObject"
	case http.MethodPost:
		if part {
			return "CompleteMultipartUpload"
		}
		return "CreateMultipartUpload"
	case http.MethodPut:
		switch {
		case part:
			return "UploadPart"
		case r.Header.Get("X-Amz-Copy-Source") != "":
			return "CopyObject"
		}
		return "PutObject"
	}
	return r.Method
}
