package ledger

import (
	"context"
	"time"
)

const (
	// margin is how many records beyond a release that came through are read for what was
	// left open: more than are written at the same time.
	margin = 16

	// mostRecent bounds what is read of a ledger in which nothing ever came through.
	mostRecent = 512
)

// Recent reads what a deploy needs to know: the releases back to the last one that came to
// life and some way beyond, and all holds.
func (l *Ledger) Recent(ctx context.Context) ([]Record, error) {
	records, err := l.Holds(ctx)
	if err != nil {
		return nil, err
	}
	n, most := 0, mostRecent
	began := "" // key of the start of the last release that came through
	for r, err := range l.Walk(ctx) {
		if err != nil {
			return nil, err
		}
		if n++; n > most {
			break
		}
		records = append(records, r)
		switch {
		case began == "" && r.Kind == KindEnd && (r.Outcome == Live || r.Outcome == Gone):
			began = r.Start
		case r.Key() == began:
			most = n + margin
		}
	}
	return records, nil
}

// All reads the whole ledger back to a time, and all holds.
func (l *Ledger) All(ctx context.Context, since time.Time) ([]Record, error) {
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
func (l *Ledger) Holds(ctx context.Context) ([]Record, error) {
	keys, _, err := l.list(ctx, holds, "", "", 0)
	if err != nil {
		return nil, err
	}
	return l.readAll(ctx, holds, keys)
}

// Settle ends a release that nobody saw end, from what the stack says of itself at rest. A
// run that is still alive will say better itself, and its word counts for more.
func (l *Ledger) Settle(ctx context.Context, open Release, seen Seen, by By) (Record, error) {
	end := Settlement(open.Start, seen)
	end.By = by
	return l.End(ctx, open.Start, end)
}
