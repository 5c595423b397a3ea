package format

import (
	"strconv"
)

// words is a value that some tools write as text and others as a number.
func words(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}
