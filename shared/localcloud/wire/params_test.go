package wire

import (
	"context"
	"errors"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
)

func params(t *testing.T, protocol operation.Protocol, query string) *Params {
	t.Helper()
	form, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return newParams(operation.Operation{Protocol: protocol, Form: form})
}

func TestParamsReadListsOfBothProtocols(t *testing.T) {
	for protocol, query := range map[operation.Protocol]string{
		operation.EC2Query: "Id.2=b&Id.1=a&Id.10=c&Tag.1.Key=k&Tag.1.Value=v",
		operation.Query:    "Id.member.2=b&Id.member.1=a&Id.member.10=c&Tag.member.1.Key=k&Tag.member.1.Value=v",
	} {
		p := params(t, protocol, query)
		if diff := cmp.Diff([]string{"a", "b", "c"}, p.Strings("Id")); diff != "" {
			t.Errorf("list (-want +got):\n%s", diff)
		}
		groups := p.Groups("Tag")
		if len(groups) != 1 || groups[0].String("Key") != "k" || groups[0].String("Value") != "v" {
			t.Errorf("groups of %s: %d", query, len(groups))
		}
		if err := p.finish(); err != nil {
			t.Errorf("all was read, but: %v", err)
		}
	}
}

func TestParamsRefuse(t *testing.T) {
	for name, test := range map[string]struct {
		query  string
		read   func(*Params)
		code   string
		naming string
	}{
		"nothing unknown":    {"A=1", func(p *Params) { p.Need("A") }, "", ""},
		"empty list":         {"L=", func(p *Params) { p.Strings("L") }, "", ""},
		"unknown":            {"A=1&B=2", func(p *Params) { p.Need("A") }, "UnknownParameter", "B"},
		"unknown part":       {"S.X=1&S.Y=2", func(p *Params) { p.Sub("S").String("X") }, "UnknownParameter", "S.Y"},
		"unknown in a list":  {"G.1.X=1&G.2.Y=2", func(p *Params) { p.Groups("G")[0].String("X"); p.Groups("G")[1].String("X") }, "UnknownParameter", "G.2.Y"},
		"list without place": {"L=1", func(p *Params) { p.Strings("L") }, "UnknownParameter", "L"},
		"missing":            {"", func(p *Params) { p.Need("A") }, "MissingParameter", "A"},
		"missing part":       {"G.1.X=1", func(p *Params) { p.Groups("G")[0].Need("Key") }, "MissingParameter", "G.1.Key"},
		"no number":          {"N=x", func(p *Params) { p.Int("N", 1, 9, 5) }, "InvalidParameterValue", "N"},
		"too large":          {"N=10", func(p *Params) { p.Int("N", 1, 9, 5) }, "InvalidParameterValue", "10"},
		"no truth":           {"B=ture", func(p *Params) { p.Bool("B", false) }, "InvalidParameterValue", "ture"},
		"other value":        {"V=x", func(p *Params) { p.OneOf("V", "a", "b") }, "InvalidParameterValue", "a, b"},
		"the first counts":   {"N=x&Z=1", func(p *Params) { p.Fail(Errorf("First", "one")); p.Int("N", 1, 9, 5) }, "First", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := params(t, operation.EC2Query, test.query)
			test.read(p)
			err := p.finish()
			if test.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Code != test.code || !contains(e.Message, test.naming) {
				t.Errorf("got %v, want %s naming %q", err, test.code, test.naming)
			}
		})
	}
}

func TestNothingIsPerformedUnlessAllIsRead(t *testing.T) {
	performed := 0
	action := Query(func(p *Params) string { return p.String("A") },
		func(context.Context, *Call, string) (any, error) { performed++; return nil, nil })
	for query, want := range map[string]int{"A=1": 1, "A=1&B=2": 0} {
		form, _ := url.ParseQuery(query)
		performed = 0
		_, err := action(t.Context(), &Call{Operation: operation.Operation{Form: form}})
		if performed != want || (err == nil) != (want == 1) {
			t.Errorf("%s: performed %d times, %v", query, performed, err)
		}
	}
	type input struct{ Name string }
	strict := JSON(func(context.Context, *Call, input) (any, error) { performed++; return nil, nil })
	performed = 0
	_, err := strict(t.Context(), &Call{body: []byte(`{"Name":"a","Labels":[]}`)})
	if performed != 0 || err == nil || !contains(err.Error(), "Labels") {
		t.Errorf("an unknown field: performed %d times, %v", performed, err)
	}
}

func TestFingerprint(t *testing.T) {
	one := params(t, operation.EC2Query, "A=1&Token=x&B.1=2").Fingerprint("Token")
	if same := params(t, operation.EC2Query, "B.1=2&A=1&Token=y").Fingerprint("Token"); same != one {
		t.Errorf("%q and %q differ", one, same)
	}
	if other := params(t, operation.EC2Query, "A=1&Token=x&B.1=3").Fingerprint("Token"); other == one {
		t.Errorf("%q hides a difference", one)
	}
}
