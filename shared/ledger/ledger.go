// Package ledger is the append-only record of releases: what came to an environment, who
// brought it, and what became of it.
//
// Every record is one object in the bucket, written once, by condition: nothing changes
// or replaces it. Releases lie under
//
//	ledger/<application>/<environment>/<time>-<id>.json
//
// and holds, of which there are few and all of which count at any time, beside them under
//
//	ledger/<application>/<environment>/holds/<time>-<id>.json
//
// The names sort by time, so what happened last is found without reading the rest, and
// any S3 browser shows the ledger in its order.
//
// Who asks the ledger wants to know whether something is allowed. So whatever cannot be
// read (no answer, a damaged record, one of a newer version) is an error that refuses;
// it is never "there is no such record".
package ledger

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// objects is what the ledger needs of S3.
type objects interface {
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
}

// Ledger is the record of one environment of an application. It remembers what it has
// read, since no record ever changes; it is safe for concurrent use.
type Ledger struct {
	API         objects
	Bucket      string
	Application string
	Environment string

	mu     sync.Mutex
	known  map[string]Record // by key
	newest time.Time         // of the records that were seen
}

// remember keeps a record that was read or written.
func (l *Ledger) remember(key string, r Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil {
		l.known = map[string]Record{}
	}
	l.known[key] = r
	if r.Time.After(l.newest) {
		l.newest = r.Time
	}
}

// remembered is a record that was read or written before.
func (l *Ledger) remembered(key string) (Record, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.known[key]
	return r, ok
}

// stamp is how a key tells the time: UTC, to the millisecond, always of the same length,
// so that keys sort as times do.
const stamp = "20060102T150405.000Z"

// The folders of a ledger, below its application and environment.
const (
	releases = ""
	holds    = "holds/"
)

// prefix is where the records of a folder lie.
func (l *Ledger) prefix(folder string) string {
	return "ledger/" + l.Application + "/" + l.Environment + "/" + folder
}

// String is the place of the ledger, for people.
func (l *Ledger) String() string { return "s3://" + l.Bucket + "/" + l.prefix(releases) }

// name is the last part of a key.
var name = regexp.MustCompile(`^(\d{8}T\d{6}\.\d{3}Z)-([0-9a-f]{8})\.json$`)

// key is where a record lies.
func (l *Ledger) key(folder string, r *Record) string {
	return l.prefix(folder) + r.Time.UTC().Format(stamp) + "-" + r.ID + ".json"
}

// parse takes a key apart. A folder that somebody made by hand is none of ours and says
// nothing; any other name does not belong there, and may be the record of a newer version.
func (l *Ledger) parse(folder, key string) (at time.Time, id string, ok bool, err error) {
	last := strings.TrimPrefix(key, l.prefix(folder))
	if last == "" || strings.HasSuffix(last, "/") {
		return time.Time{}, "", false, nil
	}
	parts := name.FindStringSubmatch(last)
	if parts == nil {
		return time.Time{}, "", false, l.unreadable(key, fmt.Errorf("its name is not that of a record"))
	}
	if at, err = time.Parse(stamp, parts[1]); err != nil {
		return time.Time{}, "", false, l.unreadable(key, err)
	}
	return at, parts[2], true, nil
}
