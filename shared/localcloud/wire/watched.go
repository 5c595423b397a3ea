package wire

import (
	"net/http"
	"regexp"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
)

// keep bounds how much of an error's body is remembered to find its code.
const keep = 4 << 10

// watched is a ResponseWriter that remembers how the call ended, also when a
// REST service wrote the answer.
type watched struct {
	http.ResponseWriter
	protocol operation.Protocol
	status   int
	body     []byte
}

// WriteHeader remembers the status.
func (w *watched) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write remembers the beginning of an error's body.
func (w *watched) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.status >= http.StatusBadRequest && len(w.body) < keep {
		w.body = append(w.body, p[:min(len(p), keep-len(w.body))]...)
	}
	return w.ResponseWriter.Write(p)
}

var (
	xmlCode  = regexp.MustCompile(`<Code>([^<]*)</Code>`)
	jsonCode = regexp.MustCompile(`"__type":"([^"]*)"`)
)

// code is the error's code, or the status's text where the answer has no body
// as for HEAD.
func (w *watched) code() string {
	if w.status < http.StatusBadRequest {
		return ""
	}
	if kind := w.Header().Get(errorType); kind != "" {
		return kind
	}
	pattern := xmlCode
	if w.protocol == operation.JSON {
		pattern = jsonCode
	}
	if m := pattern.FindSubmatch(w.body); m != nil {
		return string(m[1])
	}
	return http.StatusText(w.status)
}
