package settings

import "strings"

// DidYouMean is ", did you mean x?" for the known name that is closest to a
// wrong one; "" when none is so close that it can be meant.
func DidYouMean(wrong string, known []string) string {
	best, least := "", min(3, (len(wrong)+2)/3+1)
	for _, name := range known {
		d := Distance(strings.ToLower(wrong), strings.ToLower(name))
		if d < least || d == least && best != "" && name < best {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return ", did you mean " + best + "?"
}
