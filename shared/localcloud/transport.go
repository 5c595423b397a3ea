package localcloud

import (
	"bytes"
	"io"
	"net/http"
)

// Transport is the way to the cloud within the process: no socket, no
// goroutine, so a call takes no simulated time. Give SDK clients an endpoint
// that starts with http://, since over TLS the SDK frames S3 bodies in a way
// that the store does not take apart.
func (c *Cloud) Transport() http.RoundTripper { return transport{c} }

type transport struct{ cloud *Cloud }

// RoundTrip serves the request in the caller's goroutine. The context is
// looked at before and after, as with a real connection: an answer that comes
// too late was still performed.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	in := serverSide(r)
	defer func() { _ = in.Body.Close() }() // a RoundTripper has to; nothing follows from it
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	answer := &recorder{header: http.Header{}}
	t.cloud.ServeHTTP(answer, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return answer.response(r), nil
}

// serverSide is a request as a server would have read it from a connection.
func serverSide(r *http.Request) *http.Request {
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.URL.Scheme, in.URL.Host, in.URL.User = "", "", nil
	in.RemoteAddr = "127.0.0.1:0"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	return in
}

// recorder is a ResponseWriter that keeps the answer.
type recorder struct {
	header http.Header // as the handler sees it
	sent   http.Header // as it was when the handler began to answer
	status int
	body   bytes.Buffer
}

// Header is what the handler sets before it answers.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader fixes the headers; a second call changes nothing.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status, r.sent = status, r.header.Clone()
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

// response is the answer as a client gets it. Like a real server it leaves
// the body of an answer to HEAD out, and keeps its length.
func (r *recorder) response(request *http.Request) *http.Response {
	r.WriteHeader(http.StatusOK)
	length, body := int64(r.body.Len()), io.NopCloser(&r.body)
	if request.Method == http.MethodHead {
		length, body = -1, http.NoBody
	}
	return &http.Response{
		Status: http.StatusText(r.status), StatusCode: r.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.sent, Body: body, ContentLength: length, Request: request,
	}
}
