package settings

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const typeDuration = "duration"

// Duration is a time span as people write it: "30m", "1h30m", "7d", "2w".
// A day is 24 hours. A bare number is refused, since nobody can tell whether
// it means seconds or minutes.
type Duration time.Duration

// units are the lengths Duration knows, as far as time.ParseDuration has them
// and beyond.
var units = map[string]time.Duration{
	"ms": time.Millisecond,
	"s":  time.Second,
	"m":  time.Minute,
	"h":  time.Hour,
	"d":  24 * time.Hour,
	"w":  7 * 24 * time.Hour,
}

// Std is the same span for the standard library.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Decode reads a sequence of numbers with units.
func (d *Duration) Decode(value string) error {
	text := strings.ToLower(strings.ReplaceAll(value, " ", ""))
	switch {
	case text == "":
		return errors.New("is empty")
	case strings.Trim(text, "0123456789.") == "":
		return fmt.Errorf("has no unit (did you mean %sm?)", text)
	case text[0] == '-':
		return errors.New("is negative")
	}
	total := 0.0
	for text != "" {
		number, unit, rest := nextPart(text)
		length, known := units[unit]
		amount, err := strconv.ParseFloat(number, 64)
		if !known || err != nil {
			return errors.New("is not a duration")
		}
		total += amount * float64(length)
		text = rest
	}
	if total >= math.MaxInt64 {
		return errors.New("is too long")
	}
	*d = Duration(math.Round(total))
	return nil
}

// nextPart cuts "1h" off "1h30m".
func nextPart(text string) (number, unit, rest string) {
	digits := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if digits < 0 {
		return text, "", ""
	}
	number, text = text[:digits], text[digits:]
	letters := strings.IndexFunc(text, func(r rune) bool { return r < 'a' || r > 'z' })
	if letters < 0 {
		return number, text, ""
	}
	return number, text[:letters], text[letters:]
}

// String is the shortest form: "1h30m", not "1h30m0s"; whole days are days.
func (d Duration) String() string {
	if day := 24 * time.Hour; d != 0 && d.Std()%day == 0 {
		return strconv.Itoa(int(d.Std()/day)) + "d"
	}
	text := d.Std().String()
	for _, nothing := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, nothing) {
			text = text[:len(text)-2]
		}
	}
	return text
}

func (Duration) typeName() string { return typeDuration }
