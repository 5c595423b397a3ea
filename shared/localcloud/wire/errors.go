package wire

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
)

// Error is an error as AWS sends it.
type Error struct {
	Code    string
	Message string

	// Status is the HTTP status; 0 means 400, the caller's fault.
	Status int
}

// Errorf makes an error of the caller's fault.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unsupported is how the local cloud says that AWS might know what was asked
// for, but that it does not. The code is the same in every service, so that
// such an answer is never taken for one of AWS.
func Unsupported(format string, args ...any) *Error {
	return Errorf("UnsupportedOperation", "the local cloud does not know "+format, args...)
}

// errorOf gives every error a code; one without is our own failure, not the
// caller's.
func errorOf(err error) *Error {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Code: "InternalError", Message: err.Error(), Status: http.StatusInternalServerError}
	}
	return e
}

type xmlError struct {
	Type    string `xml:"Type,omitempty"`
	Code    string `xml:"Code"`
	Message string `xml:"Message"`
}

// errorType is the header that carries the code of an error in RESTJSON.
const errorType = "X-Amzn-Errortype"

// writeError sends an error in the form that clients of the protocol parse.
func writeError(w http.ResponseWriter, protocol operation.Protocol, e *Error, request string) {
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	var body []byte
	switch protocol {
	case operation.JSON:
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		body, _ = json.Marshal(map[string]string{"__type": e.Code, "message": e.Message})
	case operation.RESTJSON:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set(errorType, e.Code)
		body, _ = json.Marshal(map[string]string{"Message": e.Message})
	case operation.EC2Query:
		w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
		body, _ = xml.Marshal(struct {
			XMLName   xml.Name `xml:"Response"`
			Error     xmlError `xml:"Errors>Error"`
			RequestID string   `xml:"RequestID"`
		}{Error: xmlError{Code: e.Code, Message: e.Message}, RequestID: request})
	case operation.Query:
		w.Header().Set("Content-Type", "text/xml")
		body, _ = xml.Marshal(struct {
			XMLName   xml.Name `xml:"ErrorResponse"`
			Error     xmlError `xml:"Error"`
			RequestID string   `xml:"RequestId"`
		}{Error: xmlError{Type: blame(status), Code: e.Code, Message: e.Message}, RequestID: request})
	default:
		w.Header().Set("Content-Type", "application/xml")
		body, _ = xml.Marshal(struct {
			XMLName   xml.Name `xml:"Error"`
			Code      string   `xml:"Code"`
			Message   string   `xml:"Message"`
			RequestID string   `xml:"RequestId"`
		}{Code: e.Code, Message: e.Message, RequestID: request})
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func blame(status int) string {
	if status >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}
