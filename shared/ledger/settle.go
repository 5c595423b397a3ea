package ledger

import (
	"context"
	"time"
)

// margin is how far beyond a release that came through one goes on reading for what is
// left open: longer than any run lasts, and than any clock is wrong.
const margin = 48 * time.Hour

// mostRecent bounds what Recent reads of a ledger in which nothing ever came through.
const mostRecent = 512

// Recent reads what a deploy needs to know: the releases back to the last one that came to
// life and some way beyond, and all holds.
func (l Ledger) Recent(ctx context.Context) ([]Record, error) {
	records, err := l.Holds(ctx)
	if err != nil {
		return nil, err
	}
	var until time.Time
	n := 0
	for r, err := range l.Walk(ctx) {
		if err != nil {
			return nil, err
		}
		if n++; n > mostRecent || !until.IsZero() && r.Time.Before(until) {
			break
		}
		records = append(records, r)
		if until.IsZero() && r.Kind == KindEnd && (r.Outcome == Live || r.Outcome == Gone) {
			until = startOf(r).Time.Add(-margin)
		}
	}
	return records, nil
}

// All reads the whole ledger back to a time, and all holds.
func (l Ledger) All(ctx context.Context, since time.Time) ([]Record, error) {
	records, err := l.Holds(ctx)
	if err != nil {
		return nil, err
	}
	for r, err := range l.Walk(ctx) {
		if err != nil {
			return nil, err
		}
		if r.Time.Before(since) {
			break
		}
		records = append(records, r)
	}
	return records, nil
}

// Holds reads all holds and lifts.
func (l Ledger) Holds(ctx context.Context) ([]Record, error) {
	keys, _, err := l.list(ctx, holds, "", "", 0)
	if err != nil {
		return nil, err
	}
	return l.readAll(ctx, holds, keys)
}

// Settle ends the releases that nobody saw end, from what the stack says of itself at
// rest, and returns what was written. A run that is still alive will say better itself,
// and its word counts for more.
func (l Ledger) Settle(ctx context.Context, records []Record, seen Seen, by By) ([]Record, error) {
	var written []Record
	for _, open := range Unsettled(records) {
		end := Settlement(open.Start, seen)
		end.By = by
		r, err := l.End(ctx, open.Start, end)
		if err != nil {
			return written, err
		}
		written = append(written, r)
	}
	return written, nil
}
