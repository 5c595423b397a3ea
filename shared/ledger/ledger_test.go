package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
	store "bitbucket.org/fearless/pipes/shared/localcloud/s3"
)

const bucket = "fearless-111122223333-us-east-1"

// book is a ledger in a bucket of the local cloud, which counts what is asked of it.
type book struct {
	*ledger.Ledger
	t       *testing.T
	objects *store.Store

	mu    sync.Mutex
	calls map[string]int
}

// inProcess calls the store in the caller's goroutine, as simulated time needs it.
type inProcess struct{ store http.Handler }

func (i inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	i.store.ServeHTTP(recorder, in)
	out := recorder.Result()
	out.Request = r
	return out, nil
}

func (b *book) RoundTrip(r *http.Request) (*http.Response, error) {
	kind := r.Method
	if r.URL.Query().Has("list-type") {
		kind = "LIST"
	}
	b.mu.Lock()
	b.calls[kind]++
	b.mu.Unlock()
	return inProcess{b.objects}.RoundTrip(r)
}

func (b *book) made(kind string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.calls[kind]
	b.calls[kind] = 0
	return n
}

func open(t *testing.T) *book { return openWith(t, nil) }

func openWith(t *testing.T, plan fault.Plan) *book {
	t.Helper()
	b := &book{t: t, objects: store.New(), calls: map[string]int{}}
	b.objects.CreateBucket(bucket)
	b.Ledger = &ledger.Ledger{API: client(&fault.Transport{Next: b, Plan: plan}), Bucket: bucket, Application: "shop", Environment: "production"}
	return b
}

// fresh is the ledger as another program meets it.
func (b *book) fresh() *ledger.Ledger {
	return &ledger.Ledger{API: b.API, Bucket: b.Bucket, Application: b.Application, Environment: b.Environment}
}

func client(transport http.RoundTripper) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://s3.local"), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("A", "b", ""), HTTPClient: &http.Client{Transport: transport},
	})
}

// lay puts an object there as it is.
func (b *book) lay(key, content string) {
	b.t.Helper()
	_, err := client(inProcess{b.objects}).PutObject(b.t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: strings.NewReader(content)})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *book) all() []ledger.Record {
	b.t.Helper()
	var records []ledger.Record
	for r, err := range b.fresh().Walk(b.t.Context()) {
		if err != nil {
			b.t.Fatal(err)
		}
		records = append(records, r)
	}
	return records
}

func release(commit string) ledger.Record {
	return ledger.Record{
		Commit: commit, Image: ledger.Image{ID: "ami-" + commit, Name: "shop-" + commit, Owner: "111122223333", RootSnapshot: "snap-1", Inputs: "abc"},
		By: ledger.By{Who: ledger.Unknown, Program: "test"}, Settings: "none", Template: "t1", Why: ledger.WhyDeploy,
		Schema: ledger.Schema{Fingerprint: ledger.Unknown, Compatible: ledger.Unknown}, Roles: ledger.Servers{"web": 2},
	}
}

// The record is a format that others read: its text is fixed here.
func TestRecordIsDocumented(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		start, err := b.Start(t.Context(), release("c1"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(90 * time.Second) //nolint:forbidigo // simulated
		end, err := b.End(t.Context(), start, ledger.Record{
			By: start.By, Outcome: ledger.Live, Durations: ledger.Durations{Boot: ledger.Took(61500 * time.Millisecond)},
		})
		if err != nil {
			t.Fatal(err)
		}
		text := string(b.objects.Objects(bucket)["ledger/shop/production/20000101T000130.000Z-"+end.ID+".json"].Body)
		want := strings.NewReplacer("ID", end.ID, "START", start.ID).Replace(`{
  "version": 1,
  "kind": "end",
  "id": "ID",
  "application": "shop",
  "environment": "production",
  "time": "2000-01-01T00:01:30Z",
  "by": {
    "who": "unknown",
    "program": "test"
  },
  "start": "20000101T000000.000Z-START",
  "commit": "c1",
  "image": {
    "id": "ami-c1",
    "name": "shop-c1",
    "owner": "111122223333",
    "root_snapshot": "snap-1",
    "inputs": "abc",
    "baked_from": ""
  },
  "settings": "none",
  "template": "t1",
  "schema": {
    "fingerprint": "unknown",
    "compatible": "unknown"
  },
  "migrated": false,
  "why": "deploy",
  "capacities": {
    "web": 2
  },
  "outcome": "live",
  "probe": null,
  "durations": {
    "bake_seconds": "unknown",
    "boot_seconds": 61.5,
    "health_seconds": "unknown",
    "soak_seconds": "unknown",
    "cleanup_seconds": "unknown",
    "total_seconds": "unknown"
  }
}
`)
		if diff := cmp.Diff(want, text); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]ledger.Record{end, start}, b.all(), cmp.AllowUnexported(ledger.Seconds{})); diff != "" {
			t.Errorf("what was read is not what was written:\n%s", diff)
		}
		if now := ledger.Running(b.all()); now == nil || now.Start.Commit != "c1" || !now.At.Equal(end.Time) {
			t.Errorf("running: %+v", now)
		}
	})
}

// Writers of many computers at once lose nothing, and each comes after what it has seen.
func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	b := open(t)
	server := httptest.NewServer(b.objects)
	t.Cleanup(server.Close)
	const writers, each = 16, 12
	var all sync.WaitGroup
	var mu sync.Mutex
	written := map[string]string{}
	for w := range writers {
		l := b.fresh()
		l.API = s3.New(s3.Options{
			Region: "us-east-1", BaseEndpoint: &server.URL, UsePathStyle: true,
			Credentials: credentials.NewStaticCredentialsProvider("A", "b", ""),
		})
		all.Go(func() {
			for n := range each {
				commit := fmt.Sprintf("w%d-%d", w, n)
				start, err := l.Start(t.Context(), release(commit))
				if err != nil {
					t.Error(err)
					return
				}
				end, err := l.End(t.Context(), start, ledger.Record{Outcome: ledger.Live})
				if err != nil {
					t.Error(err)
					return
				}
				if !end.Time.After(start.Time) {
					t.Errorf("%s ends at %s and starts at %s", commit, end.Time, start.Time)
				}
				mu.Lock()
				written[start.Key()], written[end.Key()] = commit, commit
				mu.Unlock()
			}
		})
	}
	all.Wait()
	read := map[string]string{}
	last := ""
	for _, r := range b.all() {
		if last != "" && r.Key() >= last {
			t.Errorf("%s comes after %s", r.Key(), last)
		}
		read[r.Key()], last = r.Commit, r.Key()
	}
	if diff := cmp.Diff(written, read); diff != "" || len(read) != 2*writers*each {
		t.Errorf("%d records of %d (-written +read):\n%s", len(read), 2*writers*each, diff)
	}
	if n := len(ledger.Unsettled(b.all())); n != 0 {
		t.Errorf("%d releases are open", n)
	}
}

// A clock that is ahead, or behind, does not put the order upside down.
func TestClocksThatAreWrong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		ahead := release("c1")
		ahead.Version, ahead.Kind, ahead.ID, ahead.Application, ahead.Environment = 1, ledger.KindStart, "ffffffff", "shop", "production"
		ahead.Time = time.Now().UTC().Add(10 * time.Minute)
		b.lay("ledger/shop/production/20000101T001000.000Z-ffffffff.json", encode(t, ahead))
		end, err := b.End(t.Context(), ahead, ledger.Record{Outcome: ledger.Live})
		if err != nil {
			t.Fatal(err)
		}
		if !end.Time.Equal(ahead.Time.Add(time.Millisecond)) || !end.Clock.Equal(time.Now()) {
			t.Errorf("the end is at %s by a clock that says %s", end.Time, end.Clock)
		}
		next, err := b.Start(t.Context(), release("c2"))
		if err != nil {
			t.Fatal(err)
		}
		if !next.Time.After(end.Time) {
			t.Errorf("what came later is at %s, before %s", next.Time, end.Time)
		}
		time.Sleep(time.Hour) //nolint:forbidigo // simulated
		if r, err := b.Start(t.Context(), release("c3")); err != nil || !r.Time.Equal(time.Now()) || !r.Clock.IsZero() {
			t.Errorf("a clock that is right is not believed: %s, %s, %v", r.Time, r.Clock, err)
		}
	})
}

// A long ledger is read from its end, and no more of it than is asked for.
func TestReadsFromTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		var keys []string
		for n := range 2300 { // two a day for three years
			r := release(fmt.Sprintf("c%d", n))
			r.Version, r.Kind, r.ID, r.Application, r.Environment = 1, ledger.KindStart, fmt.Sprintf("%08x", n), "shop", "production"
			r.Time = time.Now().UTC()
			b.lay("ledger/shop/production/"+r.Key()+".json", encode(t, r))
			keys = append(keys, r.Key())
			time.Sleep(12 * time.Hour) //nolint:forbidigo // simulated
		}
		slices.Reverse(keys)
		n := 0
		for r, err := range b.fresh().Walk(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Key() != keys[n] {
				t.Fatalf("record %d is %s, want %s", n, r.Key(), keys[n])
			}
			if n++; n == 20 {
				break
			}
		}
		if lists, gets := b.made("LIST"), b.made("GET"); lists > 8 || gets > 64 {
			t.Errorf("the last 20 took %d lists and %d reads", lists, gets)
		}
		var got []string
		for _, r := range b.all() {
			got = append(got, r.Key())
		}
		if !slices.Equal(got, keys) {
			t.Errorf("%d records, want %d in their order", len(got), len(keys))
		}
		if lists, gets := b.made("LIST"), b.made("GET"); lists > 25 || gets != len(keys) {
			t.Errorf("all of it took %d lists and %d reads", lists, gets)
		}
	})
}

// Whatever cannot be read refuses, in one sentence; it is never "there is nothing".
func TestRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	good := release("c1")
	good.Version, good.Kind, good.ID, good.Application, good.Environment = 1, ledger.KindStart, "0000000a", "shop", "production"
	good.Time = time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	const key = "ledger/shop/production/20260501T080000.000Z-0000000a.json"
	text := encode(t, good)
	for name, test := range map[string]struct{ key, content, want string }{
		"empty":         {key, "", "it is damaged"},
		"cut off":       {key, text[:len(text)/2], "it is damaged"},
		"another text":  {key, "<html>", "it is damaged"},
		"newer version": {key, strings.Replace(text, `"version": 1`, `"version": 2`, 1), "it has version 2, and this program knows 1: use a newer version of the pipe"},
		"no version":    {key, strings.Replace(text, `"version": 1,`, "", 1), "version, id or time is missing"},
		"unknown kind":  {key, strings.Replace(text, `"start"`, `"pause"`, 1), `"pause" of version 1 is not a kind`},
		"a hold there":  {key, strings.Replace(text, `"start"`, `"hold"`, 1), "a hold does not belong there"},
		"moved":         {strings.Replace(key, "0501", "0502", 1), text, "somebody moved or copied it"},
		"of another":    {key, strings.Replace(text, `"production"`, `"staging"`, 1), "somebody moved or copied it"},
		"no commit":     {key, strings.Replace(text, `"c1"`, `""`, 1), "a start without a commit"},
		"odd outcome":   {key, strings.Replace(text, `"start"`, `"end", "start": "20260501T070000.000Z-0000000b", "outcome": "splendid"`, 1), `"splendid", which this program does not understand`},
		"odd duration":  {key, strings.Replace(text, `"commit"`, `"durations": {"boot_seconds": "long"}, "commit"`, 1), "neither a number of seconds nor unknown"},
		"odd name":      {"ledger/shop/production/readme.txt", "hello", "its name is not that of a record"},
		"an odd hold":   {"ledger/shop/production/holds/x.json", "hello", "its name is not that of a record"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t)
			b.lay(test.key, test.content)
			_, err := b.Recent(t.Context())
			if exit.CodeOf(err) != exit.Unable || !strings.Contains(fmt.Sprint(err), test.want) || !strings.Contains(fmt.Sprint(err), "nothing is certain") {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one sentence: %v", err)
			}
		})
	}
	t.Run("what is allowed", func(t *testing.T) {
		t.Parallel()
		b := open(t)
		b.lay("ledger/shop/production/", "")       // S3 browsers make folders
		b.lay("ledger/shop/production/holds/", "") //
		b.lay("ledger/shop/production-eu/x", "no") // another environment
		b.lay(key, strings.Replace(text, `"commit"`, `"mood": "good", "commit"`, 1))
		if records, err := b.Recent(t.Context()); err != nil || len(records) != 1 || records[0].Commit != "c1" {
			t.Errorf("%v, %v", records, err)
		}
	})
}

// A ledger that gives no answer refuses, at every one of its calls.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"AccessDenied", "NoSuchBucket", "NoSuchKey"} {
		for _, call := range []string{"s3:ListObjectsV2", "s3:GetObject"} {
			t.Run(code+" "+call, func(t *testing.T) {
				t.Parallel()
				failing := false
				b := openWith(t, func(c fault.Call) fault.Fault {
					if failing && c.Is(call) {
						return fault.Error(http.StatusForbidden, code)
					}
					return fault.None
				})
				if _, err := b.Start(t.Context(), release("c1")); err != nil {
					t.Fatal(err)
				}
				failing = true
				if records, err := b.fresh().Recent(t.Context()); exit.CodeOf(err) != exit.Unable || records != nil {
					t.Errorf("%v, %v", records, err)
				}
			})
		}
	}
}

// A reply that is lost makes the SDK write once more; it is one record all the same.
func TestLostReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := openWith(t, fault.On("s3:PutObject", 1, fault.Lost))
		start, err := b.Start(t.Context(), release("c1"))
		if err != nil {
			t.Fatal(err)
		}
		if all := b.all(); len(all) != 1 || all[0].Key() != start.Key() {
			t.Errorf("%d records: %+v", len(all), all)
		}
	})
}

// Nothing is ever written over: a name that is taken leads to another one.
type taken struct {
	*s3.Client
	left int
}

func (c *taken) PutObject(ctx context.Context, in *s3.PutObjectInput, options ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	if c.left > 0 {
		c.left--
		other := *in
		other.Body = strings.NewReader("somebody else's")
		if _, err := c.Client.PutObject(ctx, &other, options...); err != nil {
			return nil, err
		}
	}
	return c.Client.PutObject(ctx, in, options...)
}

func TestNeverWritesOver(t *testing.T) {
	t.Parallel()
	for left, works := range map[int]bool{1: true, 2: true, 3: false} {
		b := open(t)
		l := b.fresh()
		l.API = &taken{Client: client(inProcess{b.objects}), left: left}
		_, err := l.Start(t.Context(), release("c1"))
		if (err == nil) != works {
			t.Errorf("%d names taken: %v", left, err)
		}
		others := 0
		for _, o := range b.objects.Objects(bucket) {
			if bytes.Equal(o.Body, []byte("somebody else's")) {
				others++
			}
		}
		if others != left {
			t.Errorf("%d of %d objects of others are left", others, left)
		}
	}
}

// A body that ends early is an error, not a short record.
type short struct{ *s3.Client }

func (c short) GetObject(ctx context.Context, in *s3.GetObjectInput, options ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	out, err := c.Client.GetObject(ctx, in, options...)
	if err == nil {
		out.Body = io.NopCloser(io.MultiReader(io.LimitReader(out.Body, 40), broken{}))
	}
	return out, err
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

func TestBodyThatEndsEarly(t *testing.T) {
	t.Parallel()
	b := open(t)
	if _, err := b.Start(t.Context(), release("c1")); err != nil {
		t.Fatal(err)
	}
	l := b.fresh()
	l.API = short{client(inProcess{b.objects})}
	if _, err := l.Recent(t.Context()); err == nil || !strings.Contains(err.Error(), "connection reset by peer") {
		t.Errorf("got %v", err)
	}
}
