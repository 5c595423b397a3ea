package ledger

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Start writes that a release begins. Until that is written nothing may be touched.
func (l *Ledger) Start(ctx context.Context, r Record) (Record, error) {
	r.Kind = KindStart
	return l.write(ctx, releases, r)
}

// End writes what became of a release. What the start says of it is said again, so that
// who reads an end knows what it is about.
func (l *Ledger) End(ctx context.Context, start, end Record) (Record, error) {
	end = about(start, end)
	return l.write(ctx, releases, end, start.Time)
}

// about fills an end with what its start says.
func about(start, end Record) Record {
	r := start
	r.Kind, r.Start, r.By, r.Clock = KindEnd, start.Key(), end.By, time.Time{}
	r.Outcome, r.Failure, r.Probe, r.Durations = end.Outcome, end.Failure, end.Probe, end.Durations
	return r
}

// Hold writes that a commit, and whatever contains it, must not be deployed.
func (l *Ledger) Hold(ctx context.Context, r Record) (Record, error) {
	r.Kind = KindHold
	return l.write(ctx, holds, r)
}

// Lift writes that a commit may be deployed again, and why.
func (l *Ledger) Lift(ctx context.Context, r Record) (Record, error) {
	r.Kind = KindLift
	return l.write(ctx, holds, r)
}

// attempts is how many names are tried. That one is taken is next to impossible.
const attempts = 3

// write adds a record. Its time is this computer's, but later than that of any record that
// was seen, and than some others: so what somebody knew of when writing comes before what
// was written, however wrong the clocks are. Who decides reads the ledger before.
func (l *Ledger) write(ctx context.Context, folder string, r Record, after ...time.Time) (Record, error) {
	r.Version, r.Application, r.Environment = Version, l.Application, l.Environment
	l.mu.Lock()
	newest := l.newest
	l.mu.Unlock()
	for _, at := range after {
		if at.After(newest) {
			newest = at
		}
	}
	for range attempts {
		r.Time, r.Clock = later(time.Now(), newest)
		var id [4]byte
		_, _ = rand.Read(id[:]) // never fails, see its documentation
		r.ID = hex.EncodeToString(id[:])
		written, err := l.put(ctx, folder, &r)
		if err != nil {
			return Record{}, exit.Unablef("the ledger %s cannot be written: %w", l, err)
		}
		if written {
			l.remember(l.key(folder, &r), r)
			return r, nil
		}
	}
	return Record{}, exit.Unablef("the ledger %s cannot be written: every name that was tried is taken", l)
}

// later is the time of a new record: now, or a millisecond after the newest one. The
// second result is the clock, where it is not the time.
func later(now, newest time.Time) (at, clock time.Time) {
	now = now.UTC().Truncate(time.Millisecond)
	if now.After(newest) {
		return now, time.Time{}
	}
	return newest.Add(time.Millisecond), now
}

// put writes one object unless there is one of that name; false: there is.
func (l *Ledger) put(ctx context.Context, folder string, r *Record) (bool, error) {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return false, err
	}
	content = append(content, '\n')
	key := l.key(folder, r)
	_, err = l.API.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &l.Bucket, Key: &key, Body: bytes.NewReader(content), ContentType: aws.String("application/json"),
		IfNoneMatch: aws.String("*"),
	})
	switch code(err) {
	case "PreconditionFailed":
		return l.ours(ctx, key, content)
	case "ConditionalRequestConflict": // somebody writes the same name at this moment: leave it to them
		return false, nil
	}
	return err == nil, err
}

// ours tells whether an object that is there already is what we wanted to write: the SDK
// repeats a call whose answer was lost.
func (l *Ledger) ours(ctx context.Context, key string, content []byte) (bool, error) {
	out, err := l.API.GetObject(ctx, &s3.GetObjectInput{Bucket: &l.Bucket, Key: &key})
	if err != nil {
		return false, err
	}
	defer func() { _ = out.Body.Close() }()
	there, err := io.ReadAll(io.LimitReader(out.Body, largest))
	return bytes.Equal(there, content), err
}

func code(err error) string {
	var apiErr smithy.APIError
	if errors.As(err, &apiErr) {
		return apiErr.ErrorCode()
	}
	return ""
}
