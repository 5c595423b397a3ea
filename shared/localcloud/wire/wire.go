// Package wire speaks the protocols of AWS from the side of the service: it
// routes requests, decodes their parameters and encodes answers and errors.
//
// Services accept what they know and refuse the rest by name. Nobody keeps a
// list of what is refused: a parameter that no decoder asked for is unknown,
// and so is a JSON field without a place in the input's struct.
package wire

import (
	"context"
	"encoding/json"
	"net/http"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
)

// Service is one AWS service as the router sees it.
type Service struct {
	// Name is the signing name, such as "ec2".
	Name     string
	Protocol operation.Protocol

	// Version is the API version of a query service or the prefix of
	// X-Amz-Target of a JSON service; unused for REST.
	Version string

	// Namespace is the XML namespace of a query service's answers.
	Namespace string

	// Actions are the operations of a service of any protocol but REST.
	Actions map[string]Action

	// Handler answers a REST service's requests, errors included. Operations
	// names what it can do, for the list of behaviours.
	Handler    http.Handler
	Operations []string
}

// Call is one request on its way through a service.
type Call struct {
	Operation operation.Operation
	RequestID string

	body []byte
}

// Action performs one operation. The answer is a struct with XML or JSON tags
// or nil, and an *Error is sent as it is.
type Action func(ctx context.Context, c *Call) (any, error)

// Query makes an action of a query service from a decoder and a performer.
// The performer runs only when every parameter of the request was consumed by
// the decoder and none was wrong, so nothing is changed by a request that is
// not understood completely.
func Query[T any](decode func(*Params) T, perform func(context.Context, *Call, T) (any, error)) Action {
	return func(ctx context.Context, c *Call) (any, error) {
		params := newParams(c.Operation)
		input := decode(params)
		if err := params.finish(); err != nil {
			return nil, err
		}
		return perform(ctx, c, input)
	}
}

// JSON makes an action of a JSON service. T is a struct with a field for
// every parameter that is understood.
func JSON[T any](perform func(context.Context, *Call, T) (any, error)) Action {
	return func(ctx context.Context, c *Call) (any, error) {
		var input T
		if err := decodeJSON(c.body, &input); err != nil {
			return nil, err
		}
		return perform(ctx, c, input)
	}
}

// RESTJSON makes an action of a service with JSON over paths. T is a struct
// with a field for every parameter that is understood, in the body or, as
// text, in the address.
func RESTJSON[T any](perform func(context.Context, *Call, T) (any, error)) Action {
	return func(ctx context.Context, c *Call) (any, error) {
		address := map[string]string{}
		for name := range c.Operation.Form {
			address[name] = c.Operation.Form.Get(name)
		}
		placed, err := json.Marshal(address)
		if err != nil {
			return nil, err
		}
		var input T
		for _, part := range [][]byte{c.body, placed} {
			if err := decodeJSON(part, &input); err != nil {
				return nil, err
			}
		}
		return perform(ctx, c, input)
	}
}
