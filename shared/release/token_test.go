package release

import (
	"strings"
	"testing"
)

// Tokens of one target begin alike and are never the same; CloudFormation takes them.
func TestToken(t *testing.T) {
	t.Parallel()
	o := &Operator{Build: 41}
	target := Digest("shop-staging", "a template")
	one, two := o.token(target), o.token(target)
	if one == two || !strings.HasPrefix(one, tokenPrefix(target)) || len(one) > 128 || strings.Trim(one, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		t.Errorf("tokens %q and %q", one, two)
	}
	if by := startedBy(one); by != ", started by pipeline 41" {
		t.Errorf("%q is%s", one, by)
	}
	if by := startedBy((&Operator{}).token(target)); by != "" {
		t.Errorf("a run without a pipeline is%s", by)
	}
}
