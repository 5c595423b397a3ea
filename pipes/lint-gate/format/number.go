package format

import (
	"strconv"
	"strings"
)

// number is a position that a tool may have left out or written as text: what
// cannot be read is not known (0), since the finding itself still counts.
type number int

// UnmarshalText reads an attribute.
func (n *number) UnmarshalText(text []byte) error {
	value, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	*n = number(value)
	return nil
}

// UnmarshalJSON reads 7, 7.0, "7" and null.
func (n *number) UnmarshalJSON(data []byte) error {
	value, _ := strconv.ParseFloat(strings.Trim(string(data), `"`), 64)
	*n = number(value)
	return nil
}
