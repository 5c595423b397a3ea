package parameters_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/boot/parameters"
)

// store answers one page per call.
type store struct {
	pages [][]types.Parameter
	asked []string // token of each call
	err   error
}

func (s *store) GetParametersByPath(_ context.Context, in *ssm.GetParametersByPathInput, _ ...func(*ssm.Options)) (*ssm.GetParametersByPathOutput, error) {
	if s.err != nil {
		return nil, s.err
	}
	if !aws.ToBool(in.WithDecryption) || aws.ToBool(in.Recursive) {
		return nil, errors.New("expected decryption and one level only")
	}
	s.asked = append(s.asked, aws.ToString(in.NextToken))
	page := len(s.asked)
	out := &ssm.GetParametersByPathOutput{Parameters: s.pages[page-1]}
	if page < len(s.pages) {
		out.NextToken = aws.String(strings.Repeat("n", page))
	}
	return out, nil
}

func parameter(name, value string, kind types.ParameterType) types.Parameter {
	return types.Parameter{Name: aws.String(name), Value: aws.String(value), Type: kind}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	s := &store{pages: [][]types.Parameter{
		{parameter("/shop/bake/pip-index.url", "https://x", types.ParameterTypeString)},
		{}, // an empty page is not the last one
		{parameter("/shop/bake/token", "secret", types.ParameterTypeSecureString)},
	}}
	got, err := parameters.Fetch(t.Context(), s, "/shop/bake")
	if err != nil {
		t.Fatal(err)
	}
	want := []parameters.Parameter{{Name: "PIP_INDEX_URL", Value: "https://x"}, {Name: "TOKEN", Value: "secret", Secret: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"", "n", "nn"}, s.asked); diff != "" {
		t.Error(diff)
	}
}

func TestFetchProblems(t *testing.T) {
	t.Parallel()
	denied := errors.New("AccessDenied")
	if _, err := parameters.Fetch(t.Context(), &store{err: denied}, "/shop"); !errors.Is(err, denied) || !strings.Contains(err.Error(), "/shop") {
		t.Errorf("got %v", err)
	}
	twice := &store{pages: [][]types.Parameter{{
		parameter("/shop/api-key", "1", types.ParameterTypeString), parameter("/shop/API_KEY", "2", types.ParameterTypeString),
	}}}
	if _, err := parameters.Fetch(t.Context(), twice, "/shop"); err == nil ||
		!strings.Contains(err.Error(), "the parameters /shop/api-key and /shop/API_KEY both become the variable API_KEY") {
		t.Errorf("got %v", err)
	}
}
