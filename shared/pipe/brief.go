package pipe

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/aws/smithy-go"
)

// Brief is the text of an error with the SDK's account of an AWS call cut down to what a
// reader can use: the call, AWS's code and words, and the request's id for its support.
// The SDK's own text also tells attempts, status and empty ids, in three layers.
func Brief(err error) string {
	text := err.Error()
	var call *smithy.OperationError
	if !errors.As(err, &call) {
		return text
	}
	return strings.Replace(text, call.Error(), briefCall(call), 1)
}

func briefCall(call *smithy.OperationError) string {
	name := call.ServiceID + " " + call.OperationName
	var answer smithy.APIError
	var network net.Error
	switch {
	case errors.As(call, &answer):
		return fmt.Sprintf("%s: %s: %s%s", name, answer.ErrorCode(), answer.ErrorMessage(), requestID(call))
	case errors.As(call, &network):
		return name + ": " + innermost(network).Error()
	}
	return name + ": " + innermost(call.Err).Error()
}

// requestID finds the id that AWS gave the request.
func requestID(err error) string {
	var response interface{ ServiceRequestID() string }
	if errors.As(err, &response) && response.ServiceRequestID() != "" {
		return " (request " + response.ServiceRequestID() + ")"
	}
	return ""
}

// innermost follows single causes down to *net.OpError, which says address and reason
// in one line, or to the end.
func innermost(err error) error {
	for {
		var op *net.OpError
		if errors.As(err, &op) {
			return op
		}
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
