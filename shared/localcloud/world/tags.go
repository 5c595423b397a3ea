package world

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of tags, the same for every resource of EC2.
const (
	MaxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

// ErrTooManyTags says that a resource would carry more than MaxTags tags;
// services have a code of its own for that.
var ErrTooManyTags = errors.New("the maximum of 50 tags for a resource has been reached")

// Tags are the tags of one resource. Those that the cloud itself sets start
// with "aws:" and do not count.
type Tags map[string]string

// Check says what is wrong with tags that a caller wants to set.
func (t Tags) Check() error {
	if len(t) > MaxTags {
		return ErrTooManyTags
	}
	for _, key := range t.Keys() {
		switch {
		case key == "":
			return errors.New("tag keys must not be empty")
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return errors.New("tag keys starting with 'aws:' are reserved for internal use")
		case utf8.RuneCountInString(key) > maxTagKey:
			return fmt.Errorf("tag key exceeds the maximum length of %d characters", maxTagKey)
		case utf8.RuneCountInString(t[key]) > maxTagValue:
			return fmt.Errorf("tag value exceeds the maximum length of %d characters", maxTagValue)
		}
	}
	return nil
}

// With is a copy of t in which more has been set.
func (t Tags) With(more Tags) Tags {
	both := make(Tags, len(t)+len(more))
	maps.Copy(both, t)
	maps.Copy(both, more)
	return both
}

// Own counts the tags that are not the cloud's.
func (t Tags) Own() int {
	n := 0
	for key := range t {
		if !strings.HasPrefix(key, "aws:") {
			n++
		}
	}
	return n
}

// Keys are the keys in alphabetical order.
func (t Tags) Keys() []string {
	return slices.Sorted(maps.Keys(t))
}
