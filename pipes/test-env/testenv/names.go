package testenv

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

const (
	// mostName is how long the application's part of a name may be: with a commit's part
	// and what a stack adds it stays below the 63 characters of a host label.
	mostName = 40
	digits   = 8 // of a commit, or of a digest in its place
)

var (
	plainName   = regexp.MustCompile(`^[a-z]([a-z0-9-]*[a-z0-9])?$`)
	hexadecimal = regexp.MustCompile(`^[0-9a-f]{8}`)
	others      = regexp.MustCompile(`[^a-z0-9]+`)
)

// StackName is the stack of a commit's test environment: test-<application>-<commit8>.
func StackName(application, commit string) string {
	return prefix(application) + commit8(commit)
}

// prefix begins the names of all test environments of an application.
func prefix(application string) string { return "test-" + part(application) + "-" }

// HostLabel is the first part of its host name: <application>-<commit8>.
func HostLabel(application, commit string) string {
	label := part(application) + "-" + commit8(commit)
	if label[2:4] == "--" { // such labels are kept for names in other alphabets
		label = digested(application) + "-" + commit8(commit)
	}
	return label
}

// part is the application in a name: itself where it can be, as in every application that
// our pipes accept, or else what is left of it and a digest of all.
func part(application string) string {
	if len(application) <= mostName && plainName.MatchString(application) {
		return application
	}
	return digested(application)
}

func digested(application string) string {
	words := strings.Trim(others.ReplaceAllString(strings.ToLower(application), "-"), "-0123456789")
	words = strings.Trim(words[:min(len(words), mostName-digits-1)], "-")
	if words == "" {
		words = "app"
	}
	return words + "-" + digest(application)
}

// commit8 is the beginning of a hash, or of the digest of what is none.
func commit8(commit string) string {
	if hexadecimal.MatchString(commit) {
		return commit[:digits]
	}
	return digest(commit)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:digits]
}

// named reports whether a name is one of a test environment of the application, and of no
// other one: shop-eu's begin as shop's do, and have more in the middle.
func named(application, name string) bool {
	rest, ok := strings.CutPrefix(name, prefix(application))
	return ok && len(rest) == digits && hexadecimal.MatchString(rest)
}
