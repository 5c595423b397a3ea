// Package parameters reads settings from Parameter Store and turns them into
// environment variables.
package parameters

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// API is the part of Parameter Store that is used.
type API interface {
	GetParametersByPath(context.Context, *ssm.GetParametersByPathInput, ...func(*ssm.Options)) (*ssm.GetParametersByPathOutput, error)
}

// Parameter is one setting under its variable's name.
type Parameter struct {
	Name, Value string
	Secret      bool // stored encrypted (SecureString)
}

// Fetch reads every parameter directly below a path, decrypted. Deeper levels
// are not read: /shop must not bring in /shop/production along the way.
func Fetch(ctx context.Context, api API, at string) ([]Parameter, error) {
	input := &ssm.GetParametersByPathInput{
		Path:           aws.String(at),
		WithDecryption: aws.Bool(true),
		MaxResults:     aws.Int32(10), // the most that the service allows
	}
	var found []Parameter
	from := map[string]string{} // variable: parameter it came from
	for {
		page, err := api.GetParametersByPath(ctx, input)
		if err != nil {
			return nil, fmt.Errorf("cannot read the parameters below %s: %w", at, err)
		}
		for _, p := range page.Parameters {
			full := aws.ToString(p.Name)
			name := Name(full)
			if other, twice := from[name]; twice {
				return nil, fmt.Errorf("the parameters %s and %s both become the variable %s: rename one", other, full, name)
			}
			from[name] = full
			found = append(found, Parameter{
				Name: name, Value: aws.ToString(p.Value), Secret: p.Type == types.ParameterTypeSecureString,
			})
		}
		// A page may be empty and still have a successor.
		if aws.ToString(page.NextToken) == "" {
			return found, nil
		}
		input.NextToken = page.NextToken
	}
}

// Name is the variable of a parameter: its last path element in upper case,
// with - and . as _.
func Name(parameter string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToUpper(path.Base(parameter)))
}
