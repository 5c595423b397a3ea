package ec2

import "testing"

func TestLike(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"web-1", "web-1", true}, {"web-1", "web-12", false}, {"web-*", "web-", true}, {"*", "", true}, {"*-1", "a-1-1", true},
		{"a*b*c", "aXbYc", true}, {"a*b*c", "aXcYb", false}, {"?", "é", true}, {"?", "", false}, {`\*`, "*", true}, {`\*`, "x", false},
		{`a\`, `a\`, true}, {"Web-1", "web-1", false},
	} {
		if got := like(test.pattern, test.text); got != test.want {
			t.Errorf("like(%q, %q) is %t", test.pattern, test.text, got)
		}
	}
}

func TestInstanceTypes(t *testing.T) {
	for name, want := range map[string]instanceType{
		"t3.micro": {"x86_64", true}, "t4g.small": {"arm64", true}, "c7gn.16xlarge": {"arm64", true}, "a1.medium": {"arm64", true},
		"g5.xlarge": {"x86_64", true}, "g5g.xlarge": {"arm64", true}, "t2.micro": {"x86_64", false}, "m4.large": {"x86_64", false},
		"u-6tb1.metal": {}, "t3": {}, "t3.tiny": {}, "": {}, "m7i-flex.large": {"x86_64", true}, "x2gd.metal": {"arm64", true},
	} {
		got, err := parseType(name)
		if got != want || (err != nil) != (want == instanceType{}) {
			t.Errorf("%q is %+v, %v", name, got, err)
		}
	}
}
