package s3

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
)

// problem is a refusal: HTTP status, error code and message as S3 words them.
type problem struct {
	status  int
	code    string
	message string
}

type errorBody struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Resource  string
	RequestID string `xml:"RequestId"`
}

func (s *Store) refuse(w http.ResponseWriter, r *http.Request, p *problem) {
	id := fmt.Sprintf("LOCAL%011X", s.requests.Add(1))
	w.Header().Set("x-amz-request-id", id)
	if r.Method == http.MethodHead {
		w.WriteHeader(p.status) // the status is all that a HEAD can say
		return
	}
	writeXML(w, p.status, errorBody{Code: p.code, Message: p.message, Resource: r.URL.Path, RequestID: id})
}

func writeXML(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	// An error here means that the client has gone.
	_, _ = w.Write([]byte(xml.Header))
	_ = xml.NewEncoder(w).Encode(body)
}

// reply corrects the headers of gofakes3's answers: it gives back every
// x-amz-* header of the upload, adds CORS, and sends the checksum of the whole
// object with a part of it, which clients then refuse.
type reply struct {
	http.ResponseWriter
	request *http.Request
	written bool
}

// WriteHeader corrects the headers before they leave.
func (w *reply) WriteHeader(status int) {
	if w.written {
		return
	}
	w.written = true
	header := w.Header()
	kept := unpack(header.Get(packedHeader))
	for name := range header {
		foreign := strings.HasPrefix(name, "Access-Control-") ||
			strings.HasPrefix(name, "X-Amz-") && name != "X-Amz-Request-Id" && name != "X-Amz-Id-2"
		if foreign {
			header.Del(name)
		}
	}
	// Asked for, and of all the bytes: else there is no checksum to send.
	checksum := status == http.StatusOK && w.request.Header.Get("X-Amz-Checksum-Mode") == "ENABLED"
	for name, values := range kept {
		if checksums[name] == nil || checksum {
			header[name] = values
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends the headers first if that has not been done.
func (w *reply) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.ResponseWriter.Write(p)
}
