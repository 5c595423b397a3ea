package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/shared/exit"
)

const (
	// largest bounds what is read of a record, in bytes.
	largest = 256 << 10

	// Records are read in batches, the newest first: a small one, since mostly the last
	// release tells enough, and then ever larger ones. So many of a batch are read at once:
	// an answer of S3 takes some 20 ms, and a folder of it gives 5,500 in a second.
	firstBatch, lastBatch, readers = 16, 1024, 128

	// page is how many names a listing tells at a time: S3's own limit.
	page = 1000

	// window is the first stretch of time that is listed of a long ledger, back from its
	// end; every further one is twice as long as the one before.
	window = 24 * time.Hour
)

// Walk hands over the releases' records, the newest first; it reads no more of them than
// the loop takes, but for the rest of a batch. The first error ends it.
func (l *Ledger) Walk(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		batch := firstBatch
		for keys, err := range l.windows(ctx, time.Now()) {
			if err != nil {
				yield(Record{}, err)
				return
			}
			for len(keys) > 0 {
				n := min(batch, len(keys))
				records, err := l.readAll(ctx, releases, keys[:n])
				if err != nil {
					yield(Record{}, err)
					return
				}
				for _, r := range records {
					if !yield(r, nil) {
						return
					}
				}
				keys, batch = keys[n:], min(2*batch, lastBatch)
			}
		}
	}
}

// windows hands over keys, the newest first. S3 lists the oldest first and nothing else.
// So one page from the beginning, which is all there is of most ledgers; else stretches of
// time back from the end, until one reaches what the page told.
func (l *Ledger) windows(ctx context.Context, now time.Time) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		oldest, more, err := l.list(ctx, releases, "", "", page)
		if err != nil {
			yield(nil, err)
			return
		}
		var known string // the newest key of the first page
		if len(oldest) > 0 {
			known = oldest[len(oldest)-1]
		}
		// Nothing bounds the first stretch above: a writer's clock may be ahead of ours.
		before := ""
		for span, from := window, now.Add(-window); more; span, from = 2*span, from.Add(-2*span) {
			after := max(known, l.prefix(releases)+from.UTC().Format(stamp))
			keys, _, err := l.list(ctx, releases, after, before, 0)
			if err != nil {
				yield(nil, err)
				return
			}
			slices.Reverse(keys)
			if len(keys) > 0 && !yield(keys, nil) {
				return
			}
			before, more = after, after != known
		}
		slices.Reverse(oldest)
		if len(oldest) > 0 {
			yield(oldest, nil)
		}
	}
}

// list tells the keys of a folder after one key and up to another (which may both be
// blank), the oldest first; with a limit, whether there are more than that.
func (l *Ledger) list(ctx context.Context, folder, after, upTo string, limit int) (keys []string, more bool, err error) {
	in := &s3.ListObjectsV2Input{Bucket: &l.Bucket, Prefix: aws.String(l.prefix(folder)), Delimiter: aws.String("/")}
	if after != "" {
		in.StartAfter = &after
	}
	for {
		out, err := l.API.ListObjectsV2(ctx, in)
		if err != nil {
			return nil, false, l.unreachable(err)
		}
		for _, object := range out.Contents {
			key := aws.ToString(object.Key)
			if upTo != "" && key > upTo {
				return keys, false, nil
			}
			_, _, ours, err := l.parse(folder, key)
			if err != nil {
				return nil, false, err
			}
			if ours {
				keys = append(keys, key)
			}
		}
		switch {
		case !aws.ToBool(out.IsTruncated):
			return keys, false, nil
		case limit > 0 && len(keys) >= limit:
			return keys, true, nil
		case aws.ToString(out.NextContinuationToken) == "":
			return nil, false, l.unreachable(errors.New("S3 says that there are more records, and not how to get them"))
		}
		in.ContinuationToken = out.NextContinuationToken
	}
}

// readAll reads records, several at once, and returns them in the order of their keys.
func (l *Ledger) readAll(ctx context.Context, folder string, keys []string) ([]Record, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	records := make([]Record, len(keys))
	var next atomic.Int64
	var all sync.WaitGroup
	// A goroutine reads many: its stack, which has to grow for the SDK, has grown then.
	for range min(readers, len(keys)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(keys) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				var err error
				if records[i], err = l.read(ctx, folder, keys[i]); err != nil {
					stop(err) // one is enough: the others mostly have the same reason
				}
			}
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return records, nil
}

// read reads one record that was listed. That it is missing now is an error too: nobody
// may remove anything.
func (l *Ledger) read(ctx context.Context, folder, key string) (Record, error) {
	if r, ok := l.remembered(key); ok {
		return r, nil
	}
	out, err := l.API.GetObject(ctx, &s3.GetObjectInput{Bucket: &l.Bucket, Key: &key})
	if err != nil {
		return Record{}, l.unreadable(key, err)
	}
	defer func() { _ = out.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(out.Body, largest))
	if err != nil {
		return Record{}, l.unreadable(key, err)
	}
	r, err := decode(content)
	if err != nil {
		return Record{}, l.unreadable(key, err)
	}
	if r.Application != l.Application || r.Environment != l.Environment || l.key(folder, &r) != key {
		return Record{}, l.unreadable(key, fmt.Errorf("it says that it is %s of %s of %s: somebody moved or copied it", r.Key(), r.Environment, r.Application))
	}
	if isHold := r.Kind == KindHold || r.Kind == KindLift; isHold != (folder == holds) {
		return Record{}, l.unreadable(key, fmt.Errorf("a %s does not belong there", r.Kind))
	}
	l.remember(key, r)
	return r, nil
}

// decode reads the text of a record and refuses what it cannot be sure to understand.
func decode(content []byte) (Record, error) {
	var about struct {
		Version int  `json:"version"`
		Kind    Kind `json:"kind"`
	}
	if err := json.Unmarshal(content, &about); err != nil {
		return Record{}, fmt.Errorf("it is damaged: %w", err)
	}
	if about.Version > Version {
		return Record{}, fmt.Errorf("it has version %d, and this program knows %d: use a newer version of the pipe", about.Version, Version)
	}
	switch about.Kind {
	case KindStart, KindEnd, KindHold, KindLift:
	default:
		return Record{}, fmt.Errorf("%q of version %d is not a kind of record that this program knows", about.Kind, about.Version)
	}
	var r Record
	if err := json.Unmarshal(content, &r); err != nil {
		return Record{}, fmt.Errorf("it is damaged: %w", err)
	}
	switch {
	case r.Version < 1, r.ID == "", r.Time.IsZero():
		return Record{}, errors.New("it is damaged: version, id or time is missing")
	case r.Kind == KindEnd && (r.Start == "" || !known(r.Outcome)):
		return Record{}, fmt.Errorf("it ends %q with outcome %q, which this program does not understand", r.Start, r.Outcome)
	case r.Kind != KindEnd && r.Commit == "" && r.Why != WhyDestroy:
		return Record{}, fmt.Errorf("it is damaged: a %s without a commit", r.Kind)
	}
	return r, nil
}

func known(o Outcome) bool {
	return slices.Contains([]Outcome{Live, LiveUnproven, RolledBack, Failed, Cancelled, Gone}, o)
}

// unreadable is the error of one record.
func (l *Ledger) unreadable(key string, err error) error {
	return exit.Unablef("the ledger's record s3://%s/%s cannot be read, and without it nothing is certain: %w", l.Bucket, key, err)
}

// unreachable is the error of a ledger that gives no answer.
func (l *Ledger) unreachable(err error) error {
	return exit.Unablef("the ledger %s cannot be read, and without it nothing is certain: %w", l, err)
}
