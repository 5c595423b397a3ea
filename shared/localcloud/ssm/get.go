package ssm

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// Limits of one call.
const (
	maxNames = 10
	maxPage  = 10
)

// The inputs of this file have a field for every parameter that is understood;
// the decoder refuses others.

type getInput struct {
	Name           string
	WithDecryption bool
}

type getOutput struct {
	Parameter parameter `json:"Parameter"`
}

// getParameter fails for a missing name, other than getParameters.
func (s *Service) getParameter(_ context.Context, _ *wire.Call, in getInput) (any, error) {
	if in.Name == "" {
		return nil, invalid("1 validation error detected: Value at 'name' failed to satisfy constraint: Member must not be null")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, failure := s.find(in.Name, in.WithDecryption)
	if failure != nil {
		return nil, failure
	}
	return getOutput{p}, nil
}

type getManyInput struct {
	Names          []string
	WithDecryption bool
}

type getManyOutput struct {
	Parameters        []parameter `json:"Parameters"`
	InvalidParameters []string    `json:"InvalidParameters"`
}

// getParameters lists missing names instead of failing: a caller who does not
// look at the list works with less than it asked for.
func (s *Service) getParameters(_ context.Context, _ *wire.Call, in getManyInput) (any, error) {
	if len(in.Names) == 0 || len(in.Names) > maxNames {
		return nil, invalid("1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length between 1 and 10")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := getManyOutput{Parameters: []parameter{}, InvalidParameters: []string{}}
	for _, name := range in.Names {
		p, failure := s.find(name, in.WithDecryption)
		if failure != nil {
			out.InvalidParameters = append(out.InvalidParameters, name)
			continue
		}
		out.Parameters = append(out.Parameters, p)
	}
	slices.SortFunc(out.Parameters, func(a, b parameter) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

type byPathInput struct {
	Path           string
	Recursive      bool
	WithDecryption bool
	MaxResults     *int
	NextToken      string
}

type byPathOutput struct {
	Parameters []parameter `json:"Parameters"`
	NextToken  string      `json:"NextToken,omitempty"`
}

// getParametersByPath pages even when nobody asked for pages: ten parameters
// are the most of one answer.
func (s *Service) getParametersByPath(_ context.Context, _ *wire.Call, in byPathInput) (any, error) {
	if !strings.HasPrefix(in.Path, "/") {
		return nil, invalid(`The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "/".`)
	}
	limit := maxPage
	if in.MaxResults != nil {
		if limit = *in.MaxResults; limit < 1 || limit > maxPage {
			return nil, invalid("1 validation error detected: Value at 'maxResults' failed to satisfy constraint: Member must have value between 1 and 10")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.under(in.Path, in.Recursive, in.WithDecryption)
	page, next, err := wire.Page(found, func(p parameter) int64 { return p.ordinal }, limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	return byPathOutput{Parameters: append([]parameter{}, page...), NextToken: next}, nil
}

func invalid(text string) *wire.Error { return wire.Errorf("ValidationException", "%s", text) }

// sealed is what a SecureString looks like to somebody who did not ask for
// its decryption: long, stable, and of no use.
func sealed(value string) string {
	sum := sha256.Sum256([]byte("sealed " + value))
	return base64.StdEncoding.EncodeToString(sum[:])
}
