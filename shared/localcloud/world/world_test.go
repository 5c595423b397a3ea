package world_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

func TestIDs(t *testing.T) {
	one, same, other := world.New("1", "r", world.Timing{}, 1), world.New("1", "r", world.Timing{}, 1), world.New("1", "r", world.Timing{}, 2)
	same.ID("snap") // another kind does not disturb
	a, b := one.ID("i"), one.ID("i")
	if a == b || same.ID("i") != a || same.ID("i") != b || other.ID("i") == a {
		t.Errorf("ids: %s, %s", a, b)
	}
	if !regexp.MustCompile(`^i-0[0-9a-f]{16}$`).MatchString(a) {
		t.Errorf("the id %s has not the form of EC2", a)
	}
	if u := one.UUID("request"); !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(u) {
		t.Errorf("the UUID %s has not the form of one", u)
	}
	if k := one.Key("access", 70); len(k) != 70 || strings.ToUpper(k) != k {
		t.Errorf("the key is %q", k)
	}
}

func TestARN(t *testing.T) {
	w := world.New("111122223333", "us-east-1", world.Timing{}, 0)
	for service, want := range map[string]string{
		"iam": "arn:aws:iam::111122223333:x", "sts": "arn:aws:sts::111122223333:x", "ssm": "arn:aws:ssm:us-east-1:111122223333:x",
	} {
		if got := w.ARN(service, "x"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestTags(t *testing.T) {
	many := world.Tags{}
	for n := range world.MaxTags {
		many[strconv.Itoa(n)] = "x"
	}
	for name, test := range map[string]struct {
		tags world.Tags
		ok   bool
	}{
		"none": {nil, true}, "fifty": {many, true}, "one more": {many.With(world.Tags{"more": ""}), false},
		"reserved": {world.Tags{"AWS:x": ""}, false}, "empty key": {world.Tags{"": "x"}, false},
		"long": {world.Tags{strings.Repeat("é", 128): strings.Repeat("é", 256)}, true},
		"key":  {world.Tags{strings.Repeat("é", 129): ""}, false}, "value": {world.Tags{"k": strings.Repeat("é", 257)}, false},
	} {
		if err := test.tags.Check(); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	both := world.Tags{"a": "1"}.With(world.Tags{"a": "2", "aws:b": "3"})
	if both["a"] != "2" || both.Own() != 1 || len(both) != 2 {
		t.Errorf("both: %v", both)
	}
}
