package resource_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

func parse(t *testing.T, text string) *resource.Reader {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var p resource.Properties
	if err := d.Decode(&p); err != nil {
		t.Fatal(err)
	}
	return p.Reader()
}

func TestReader(t *testing.T) {
	t.Parallel()
	r := parse(t, `{"A": "x", "N": 5, "M": "7", "B": "true", "L": ["a", 2], "S": {"T": {"U": false}},
		"Tags": [{"Key": "k", "Value": "v"}], "Policies": [{"Doc": {"any": ["thing"]}}], "Null": null}`)
	if r.Need("A") != "x" || r.Int("N", 0) != 5 || r.Int("M", 0) != 7 || !r.Bool("B", false) || r.Int("None", 9) != 9 {
		t.Error("scalars")
	}
	if diff := cmp.Diff([]string{"a", "2"}, r.Strings("L")); diff != "" {
		t.Error(diff)
	}
	if r.Map("S").Bool("T.U", true) || r.Map("None").String("X") != "" || r.OneOf("None", "first", "second") != "first" || r.Has("Null") {
		t.Error("parts")
	}
	if diff := cmp.Diff(map[string]string{"k": "v"}, r.Tags("Tags")); diff != "" {
		t.Error(diff)
	}
	if err := r.Done(); err == nil || err.Error() != "Encountered unsupported property Policies" {
		t.Error(err)
	}
	if diff := cmp.Diff(any(map[string]any{"any": []any{"thing"}}), r.List("Policies")[0].Document("Doc")); diff != "" {
		t.Error(diff)
	}
	if err := r.Done(); err != nil {
		t.Error(err)
	}
}

func TestReaderNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"S": {"N": "many"}}`:                 "Value of property S.N must be of type Integer",
		`{"S": {"N": 1, "O": 2}}`:              "Encountered unsupported property S.O",
		`{"S": []}`:                            "Value of property S must be of type Object",
		`{"L": {}}`:                            "Value of property L must be of type List",
		`{"L": ["x"]}`:                         "Value of property L.0 must be of type Object",
		`{"L": [{"A": "b"}, {"C": {}}]}`:       "",
		`{"L": [{"A": "b"}, {"C": {"D": 1}}]}`: "Encountered unsupported property L.1.C.D",
		`{"B": "yes"}`:                         "Value of property B must be of type Boolean",
		`{"E": ""}`:                            "Property E cannot be empty.",
		`{"O": "z"}`:                           "Value (z) of property O is invalid. The local cloud knows x, y.",
	} {
		r := parse(t, text)
		r.Map("S").Int("N", 1)
		for _, part := range r.List("L") {
			part.String("A")
		}
		r.Bool("B", false)
		r.OneOf("O", "x", "y")
		if r.Has("E") {
			r.Need("E")
		}
		got := ""
		if err := r.Done(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, not %q", text, got, want)
		}
	}
}
