package wire

import (
	"net/url"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
)

// Read decodes parameters of EC2 that did not come with a request, such as
// those of a launch template, as strictly as if they had.
func Read[T any](form url.Values, decode func(*Params) T) (T, *Error) {
	p := newParams(operation.Operation{Protocol: operation.EC2Query, Form: form})
	input := decode(p)
	return input, p.failure()
}
