package settings

import (
	"slices"
	"strings"
)

// typo is an unknown name that is probably meant to be a known one.
type typo struct {
	name  string
	meant field
}

// reserved are the prefixes of names that come from somewhere else in large
// numbers; one is only suspected of meaning a known name of the same prefix.
var reserved = []string{"BITBUCKET_", "AWS_"}

// elsewhere are names that shells, images and CI machines set by themselves.
var elsewhere = []string{
	"CI", "DOCKER_HOST", "HOME", "HOSTNAME", "HTTPS_PROXY", "HTTP_PROXY", "LANG", "LANGUAGE", "LC_ALL", "LOGNAME",
	"MAIL", "NO_PROXY", "OLDPWD", "PATH", "PIPE", "PIPELINES_JWT_TOKEN", "PWD", "SHELL", "SHLVL", "SSL_CERT_DIR",
	"SSL_CERT_FILE", "TEMP", "TERM", "TMP", "TMPDIR", "TZ", "USER",
}

// typos finds names that nothing reads and that are a slip away from a known
// variable that nobody has set. A variable that is set was spelt right, so
// its neighbours are somebody else's.
func (e *environment) typos(fields []field) []typo {
	known := knownNames(fields)
	var found []typo
	for _, name := range e.names {
		base := e.listBase(name)
		if base == "" || slices.Contains(known, base) || slices.Contains(elsewhere, base) {
			continue
		}
		if e.get(name) == "" {
			continue
		}
		if meant, near := e.nearest(base, fields); near {
			found = append(found, typo{base, meant})
		}
	}
	return found
}

// listBase is the name itself, for X_COUNT of a list X, and nothing for the
// items X_0, X_1, …, which are judged with their count.
func (e *environment) listBase(name string) string {
	at := strings.LastIndexByte(name, '_')
	if at < 0 {
		return name
	}
	base, tail := name[:at], name[at+1:]
	if _, list := e.values[base+"_COUNT"]; !list {
		return name
	}
	if tail == "COUNT" {
		return base
	}
	if strings.Trim(tail, "0123456789") == "" {
		return ""
	}
	return name
}

func knownNames(fields []field) []string {
	var names []string
	for _, f := range fields {
		names = append(append(names, f.Name), split(f.Fallback)...)
	}
	return names
}

// nearest finds the unset variable a name is a slip of: one letter, or two in
// names of nine letters and more, or only the case. Names of three letters
// have too many neighbours to suspect anybody. A default counts as unset, for
// pipe.yml sends it whether or not anybody wrote the variable.
func (e *environment) nearest(name string, fields []field) (field, bool) {
	for slip := range 3 {
		for _, f := range fields {
			if len(f.Name) < 4 || e.written(f) {
				continue
			}
			if slip > slips(name, f.Name) || !samePrefix(name, f.Name) {
				continue
			}
			if Distance(name, f.Name) == slip || (slip == 0 && strings.EqualFold(name, f.Name)) {
				return f, true
			}
		}
	}
	return field{}, false
}

// written tells whether somebody has given the variable a value.
func (e *environment) written(f field) bool {
	value := e.get(f.Name)
	return (value != "" && value != f.Default) || e.get(f.Name+"_COUNT") != ""
}

// slips is how far a name may be from a known one.
func slips(name, known string) int {
	for _, p := range reserved {
		if strings.HasPrefix(name, p) {
			return 1
		}
	}
	if min(len(name), len(known)) >= 9 {
		return 2
	}
	return 1
}

// samePrefix keeps reserved names among themselves.
func samePrefix(name, known string) bool {
	for _, p := range reserved {
		if strings.HasPrefix(name, p) && !strings.HasPrefix(known, p) {
			return false
		}
	}
	return true
}

// Distance counts the letters to insert, delete, replace or swap with their
// neighbour to get from one text to the other (Damerau-Levenshtein, each
// letter touched once).
func Distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
