package rows

import (
	"fmt"
	"strings"
)

// value is an SQL expression for the n-th row; "" is none that we know.
func (c column) value(kind, n int) string {
	literal := c.literal(kind, n)
	if literal == "" {
		return ""
	}
	return "'" + strings.ReplaceAll(literal, "'", "''") + "'::" + c.format
}

// fixed are values of types without a length, with %d for the row.
var fixed = map[string]string{
	"int2": "%d", "int4": "%d", "int8": "%d", "oid": "%d", "money": "%d.50", "float4": "%d.5", "float8": "%d.5",
	"uuid": "00000000-0000-4000-8000-%012d", "date": "2024-01-%02d", "time": "10:20:%02d.123456", "timetz": "10:20:%02d.123456+02",
	"timestamp": "2024-01-%02d 10:20:30.123456", "timestamptz": "2024-01-%02d 10:20:30.123456+02", "interval": "%d days",
	"json": `{"row": %d}`, "jsonb": `{"row": %d}`, "bytea": `\x00%02x`, "inet": "10.0.0.%d", "cidr": "10.0.%d.0/24",
	"macaddr": "08:00:2b:01:02:%02x", "macaddr8": "08:00:2b:01:02:03:04:%02x", "xml": "<row>%d</row>", "tsvector": "row%d", "tsquery": "row%d",
	"point": "(%d,1)", "box": "(1,1),(%d,2)", "circle": "<(1,1),%d>", "line": "{1,%d,0}", "lseg": "[(1,1),(%d,2)]", "path": "[(1,1),(%d,2)]", "polygon": "((1,1),(%d,2))",
	"ltree": "row.r%d", "hstore": "row=>%d", "char": "a",
}

func (c column) literal(kind, n int) string {
	switch {
	case len(c.labels) > 0:
		return c.labels[n%len(c.labels)]
	case c.base == "bool":
		return fmt.Sprint(n%2 == 0)
	case c.base == "numeric":
		return c.number(n)
	case c.base == "bit":
		return strings.Repeat("1", int(max(c.mod, 1)))
	case c.base == "varbit":
		return "1"
	case c.category == "A":
		return "{}"
	case c.category == "R" && strings.HasSuffix(c.base, "multirange"):
		return "{}"
	case c.category == "R":
		return "empty"
	}
	if form, ok := fixed[c.base]; ok {
		if !strings.Contains(form, "%") {
			return form
		}
		return fmt.Sprintf(form, n)
	}
	if c.category == "S" {
		return c.text(kind, n)
	}
	return ""
}

// number uses all the digits behind the point, so that a narrower type shows.
func (c column) number(n int) string {
	if c.mod < 4 {
		return fmt.Sprintf("%d.2345", n)
	}
	precision, scale := (c.mod-4)>>16&0xffff, (c.mod-4)&0x7ff
	digits := strings.Repeat("1234567890", 1+int(scale)/10)[:scale]
	whole := fmt.Sprint(n)
	if precision == scale {
		whole = "0"
		if scale > 0 {
			digits = fmt.Sprint(n) + digits[1:]
		}
	}
	if scale == 0 {
		return whole
	}
	return whole + "." + digits
}

// text is short, or as long as the column takes, up to 60 characters, beyond ASCII.
func (c column) text(kind, n int) string {
	text := fmt.Sprintf("%d", n)
	if kind == edge {
		text += " größer als üblich, “quoted” \U0001F600 and longer than most limits are"
	} else {
		text += " row"
	}
	runes := []rune(text)
	if c.mod > 4 {
		runes = runes[:min(len(runes), int(c.mod-4))]
	}
	return string(runes[:min(len(runes), 60)])
}
