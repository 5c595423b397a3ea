package wire

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// tokenPrefix makes a token of another service or of nonsense recognizable.
const tokenPrefix = "after:"

// Page cuts one page out of items that stand in the order of their ordinals.
// A token names the last item that was seen, not a position: what is created
// or deleted between two pages neither repeats nor hides another item. A
// limit of 0 means everything.
func Page[T any](items []T, ordinal func(T) int64, limit int, token string) (page []T, next string, err error) {
	if token != "" {
		last, ok := parseToken(token)
		if !ok {
			return nil, "", Errorf("InvalidNextToken", "The specified NextToken is not valid.")
		}
		for len(items) > 0 && ordinal(items[0]) <= last {
			items = items[1:]
		}
	}
	if limit <= 0 || len(items) <= limit {
		return items, "", nil
	}
	page = items[:limit]
	return page, formatToken(ordinal(page[limit-1])), nil
}

func formatToken(last int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(tokenPrefix + strconv.FormatInt(last, 10)))
}

func parseToken(token string) (int64, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, false
	}
	number, ok := strings.CutPrefix(string(raw), tokenPrefix)
	if !ok {
		return 0, false
	}
	last, err := strconv.ParseInt(number, 10, 64)
	return last, err == nil
}
