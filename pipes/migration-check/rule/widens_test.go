package rule

import "testing"

func TestWidens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"integer", "bigint", true}, {"bigint", "integer", false}, {"character varying(20)", "character varying(50)", true},
		{"character varying(50)", "character varying(20)", false}, {"character varying(20)", "text", true}, {"text", "character varying", true},
		{"text", "character varying(100)", false}, {"numeric(10,2)", "numeric(12,2)", true}, {"numeric(10,2)", "numeric(12,4)", true},
		{"numeric(10,4)", "numeric(10,2)", false}, {"numeric(10,2)", "numeric", true}, {"numeric", "numeric(10,2)", false}, {"numeric(10)", "numeric(12)", true},
		{"integer", "text", false}, {"timestamp without time zone", "timestamp with time zone", false}, {"timestamp(3) without time zone", "timestamp without time zone", true},
		{"integer[]", "bigint[]", true}, {"integer", "integer[]", false}, {"smallint", "numeric(3,0)", false}, {"uuid", "uuid", true}, {"real", "double precision", true},
	} {
		if got := widens(c.from, c.to); got != c.want {
			t.Errorf("%s to %s: %t", c.from, c.to, got)
		}
	}
}
