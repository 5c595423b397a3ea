package settings

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const typeSize = "size"

// Size is a number of bytes as people write it: "500MB" is 500,000,000 bytes,
// "1GiB" is 2^30. A number without a unit is refused.
type Size int64

// sizeUnits in ascending order, decimal and binary.
var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"KB", 1e3}, {"KiB", 1 << 10}, {"MB", 1e6}, {"MiB", 1 << 20},
	{"GB", 1e9}, {"GiB", 1 << 30}, {"TB", 1e12}, {"TiB", 1 << 40},
}

// Decode reads a number with a unit, in any case, with or without a space.
func (s *Size) Decode(value string) error {
	text := strings.ReplaceAll(value, " ", "")
	at := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	switch {
	case text == "":
		return errors.New("is empty")
	case at < 0:
		return fmt.Errorf("has no unit (did you mean %sMB?)", text)
	}
	amount, err := strconv.ParseFloat(text[:at], 64)
	if err != nil {
		return errors.New("is not a size")
	}
	unit, err := unitBytes(text[at:])
	if err != nil {
		return err
	}
	if amount*unit >= math.MaxInt64 {
		return errors.New("is too large")
	}
	*s = Size(math.Round(amount * unit))
	return nil
}

func unitBytes(name string) (float64, error) {
	if strings.EqualFold(name, "B") {
		return 1, nil
	}
	for _, u := range sizeUnits {
		if strings.EqualFold(name, u.name) {
			return u.bytes, nil
		}
		if strings.EqualFold(name, u.name[:1]) {
			// "500M" is decimal to some programs and binary to others.
			return 0, fmt.Errorf("has half a unit (did you mean %[1]sB or %[1]siB?)", u.name[:1])
		}
	}
	return 0, errors.New("is not a size")
}

// String is the size in the largest unit that divides it, so that it reads
// back as the same number.
func (s Size) String() string {
	best := fmt.Sprintf("%dB", int64(s))
	for _, u := range sizeUnits {
		if unit := int64(u.bytes); s != 0 && int64(s)%unit == 0 {
			best = fmt.Sprintf("%d%s", int64(s)/unit, u.name)
		}
	}
	return best
}

func (Size) typeName() string { return typeSize }
