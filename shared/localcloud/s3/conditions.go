package s3

import (
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// preconditions answers the conditions of a read that gofakes3 does not know.
// It knows If-None-Match and If-Modified-Since of a read, and both conditions
// of a write, which have to be compared where the write happens.
func (s *Store) preconditions(r *http.Request) *problem {
	name, _ := operation(r)
	if name != "GetObject" && name != "HeadObject" {
		return nil
	}
	bucket, key := split(r.URL.Path)
	object, err := s.memory.HeadObject(bucket, key)
	if err != nil {
		return nil // deleted meanwhile; gofakes3 says so
	}
	if match := r.Header.Get("If-Match"); match != "" {
		if match != "*" && strings.Trim(match, `"`) != hex.EncodeToString(object.Hash) {
			return preconditionFailed()
		}
		return nil // a matching tag settles it, whatever the dates say
	}
	since, err := http.ParseTime(r.Header.Get("If-Unmodified-Since"))
	if err != nil {
		return nil // absent, or not a date: ignored, as HTTP wants it
	}
	modified, err := time.Parse(http.TimeFormat, object.Metadata["Last-Modified"])
	if err == nil && modified.After(since) {
		return preconditionFailed()
	}
	return nil
}

func preconditionFailed() *problem {
	return &problem{http.StatusPreconditionFailed, "PreconditionFailed",
		"At least one of the pre-conditions you specified did not hold"}
}
