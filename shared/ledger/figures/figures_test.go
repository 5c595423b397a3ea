package figures_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/ledger/figures"
	store "bitbucket.org/fearless/pipes/shared/localcloud/s3"
)

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func release(commit, why string, at time.Duration, o ledger.Outcome) ledger.Release {
	start := ledger.Record{Kind: ledger.KindStart, Commit: commit, Why: why, Time: begin.Add(at - 10*time.Minute), ID: commit, Committed: begin.Add(at - time.Hour)}
	end := start
	end.Kind, end.Outcome = ledger.KindEnd, o
	return ledger.Release{Start: start, End: end, At: begin.Add(at)}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	const hour, day = time.Hour, 24 * time.Hour
	open := release("6", ledger.WhyDeploy, 9*day, "")
	open.End = ledger.Record{}
	late := release("5", ledger.WhyDeploy, 7*day, ledger.Live)
	late.Start.Committed = time.Time{} // not in the clone
	all := []ledger.Release{
		release("1", ledger.WhyDeploy, 1*day, ledger.Live),
		release("2", ledger.WhyDeploy, 2*day, ledger.Live),
		release("1", ledger.WhyRollback, 2*day+3*hour, ledger.Live), // undoes 2 after three hours
		release("3", ledger.WhyDeploy, 4*day, ledger.RolledBack),
		release("4", ledger.WhyDeploy, 5*day, ledger.Failed),
		release("7", ledger.WhyDeploy, 6*day, ledger.Cancelled),
		late, open,
		release("8", ledger.WhyDeploy, 8*day, ledger.LiveUnproven),
		release("9", ledger.WhyDeploy, 30*day, ledger.Live), // after the period
	}
	f := figures.Of(all, begin, begin.Add(14*day))
	got := fmt.Sprint(f.Deploys, f.PerWeek, f.Lead, f.LeadOf, f.Failures, f.Ended, f.Restore, f.Restored)
	if want := "4 2 1h0m0s 3 3 6 3h0m0s 1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := fmt.Sprint(figures.Of(nil, begin, begin.Add(day)).Texts()); got != "[{0.0 a week 0 deploys} {unknown of no deploy it is known when its commit was made} {unknown no deploy ended} {nothing to restore no release was undone by a rollback}]" {
		t.Errorf("of nothing: %s", got)
	}
	var counted int
	for _, span := range figures.Spans(all, begin, begin.Add(14*day)) {
		for _, n := range span.Counts {
			counted += n
		}
	}
	if counted != 8 {
		t.Errorf("%d releases in the spans, want 8", counted)
	}
}

// year is a year of an environment, by chance.
func year(n int) []ledger.Record {
	random := rand.New(rand.NewPCG(1, 2))
	var records []ledger.Record
	at, last := begin, ""
	for i := 0; len(records) < n; i++ {
		at = at.Add(time.Duration(random.ExpFloat64() * float64(365*24*time.Hour) / float64(n/2)))
		commit := fmt.Sprintf("%08x%032x", random.Uint32(), i)
		start := ledger.Record{
			Version: 1, Kind: ledger.KindStart, ID: fmt.Sprintf("%08x", i), Application: "shop", Environment: "production", Time: at, Commit: commit,
			Committed: at.Add(-time.Duration(20+random.IntN(600)) * time.Minute), Why: ledger.WhyDeploy, Roles: ledger.Servers{"web": 6, "worker": 3},
			By: ledger.By{Who: "{ann}", Build: 1000 + i, Pipeline: fmt.Sprintf("https://bitbucket.org/acme/shop/pipelines/results/%d", 1000+i)},
		}
		end := start
		end.Kind, end.Start, end.ID, end.Outcome = ledger.KindEnd, start.Key(), fmt.Sprintf("%08x", n+i), ledger.Live
		slow := time.Duration(1 + 0.4*float64(i)/float64(n)*random.Float64())
		seconds := func(mean float64) ledger.Seconds {
			return ledger.Took(slow * time.Duration(mean*(0.7+0.6*random.Float64())*float64(time.Second)))
		}
		end.Durations = ledger.Durations{Bake: seconds(150), Boot: seconds(55), Health: seconds(35), Soak: ledger.Took(5 * time.Minute), Cleanup: seconds(80), Total: seconds(640)}
		switch chance := random.IntN(100); {
		case chance < 6:
			end.Outcome, end.Failure = ledger.RolledBack, "server i-0a1b2c3d4e5f: web: /health answers 500: <database> is missing & more"
		case chance < 8:
			end.Outcome, end.Failure = ledger.Failed, ledger.Unseen
		case chance < 9:
			end.Outcome = ledger.LiveUnproven
		case chance < 11 && last != "":
			end.Why, start.Why, end.Commit, start.Commit = ledger.WhyRollback, ledger.WhyRollback, last, last
		}
		end.Time = at.Add(11 * time.Minute)
		records = append(records, start, end)
		last = commit
	}
	return records
}

// Every release of the period is in one span, and only the first is of another length.
func TestSpans(t *testing.T) {
	t.Parallel()
	all := ledger.Releases(year(600))
	for _, days := range []int{1, 2, 59, 61, 90, 364, 365, 366, 700} {
		to := begin.AddDate(1, 0, 0)
		from := to.AddDate(0, 0, -days)
		want, counted := 0, 0
		for _, r := range all {
			if !r.Open() && !r.At.Before(from) && !r.At.After(to) {
				want++
			}
		}
		spans := figures.Spans(all, from, to)
		last := spans[len(spans)-1]
		width := last.To.Sub(last.From)
		for i, s := range spans {
			for _, n := range s.Counts {
				counted += n
			}
			length := s.To.Sub(s.From)
			if i > 0 && (length != width || !s.From.Equal(spans[i-1].To)) || length < width/2 || length > width*3/2 {
				t.Errorf("%d days: span %d of %d is from %s to %s", days, i, len(spans), s.From, s.To)
			}
		}
		if counted != want || !spans[0].From.Equal(from) || !last.To.Equal(to) || len(spans) > 61 {
			t.Errorf("%d days: %d releases of %d in %d spans from %s to %s", days, counted, want, len(spans), spans[0].From, last.To)
		}
	}
}

// One file: well formed, with nothing from elsewhere, and no program in it.
func TestPage(t *testing.T) {
	t.Parallel()
	records := year(5000)
	page := figures.Page{
		Application: "shop", Environment: "production", Releases: ledger.Releases(records), From: begin, To: begin.AddDate(1, 0, 0),
		Held: []ledger.Record{{Commit: "abc", Reason: "<script>alert(1)</script>", Time: begin}},
	}
	var b bytes.Buffer
	if err := page.Write(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, pattern := range []string{`<script`, ` src=`, `@import`, `url\(`, `<link`, ` on\w+=`, `NaN`, `Inf`, `%!`} {
		if found := regexp.MustCompile(pattern).FindString(text); found != "" {
			t.Errorf("%q is on the page", found)
		}
	}
	for _, part := range []string{"prefers-color-scheme:dark", "&lt;database&gt; is missing &amp; more", "The last 200 of 2500", "cleanup"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not on the page", part)
		}
	}
	decoder := xml.NewDecoder(strings.NewReader(text))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, []string{"meta"}, xml.HTMLEntity
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if len(text) > 1<<20 {
		t.Errorf("%d bytes", len(text))
	}
	if name := os.Getenv("FEARLESS_PAGE"); name != "" { // to look at it
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// An environment without releases has a page too.
func TestPageOfNothing(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := (figures.Page{Application: "shop", Environment: "staging", From: begin, To: begin.AddDate(0, 0, 1)}).Write(&b); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); !strings.Contains(text, "No release failed") || strings.Contains(text, "NaN") {
		t.Error(text)
	}
}

// BenchmarkHistory reads the 5,000 records of a year out of a bucket of the local cloud, over
// a socket, and makes the page; then once more with answers that take as long as those of S3.
func BenchmarkHistory(b *testing.B) {
	b.Run("near", func(b *testing.B) { history(b, 0) })
	b.Run("far", func(b *testing.B) { history(b, 20*time.Millisecond) })
}

// slow answers after a while.
type slow struct {
	http.Handler
	after time.Duration
}

func (s *slow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(s.after) //nolint:forbidigo // that is what is measured
	s.Handler.ServeHTTP(w, r)
}

func history(b *testing.B, distance time.Duration) {
	objects := store.New()
	objects.CreateBucket("bucket")
	handler := &slow{Handler: objects}
	server := httptest.NewServer(handler)
	defer server.Close()
	client := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("A", "b", ""),
		HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = 128 }), // as account.Open has it
	})
	for _, r := range year(5000) {
		text, err := json.Marshal(r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := client.PutObject(b.Context(), &s3.PutObjectInput{
			Bucket: aws.String("bucket"), Key: aws.String("ledger/shop/production/" + r.Key() + ".json"), Body: bytes.NewReader(text),
		}); err != nil {
			b.Fatal(err)
		}
	}
	handler.after = distance
	making, rounds := time.Duration(0), 0
	for b.Loop() {
		l := &ledger.Ledger{API: client, Bucket: "bucket", Application: "shop", Environment: "production"}
		records, err := l.All(b.Context(), begin)
		if err != nil || len(records) != 5000 {
			b.Fatal(len(records), err)
		}
		read := time.Now()
		page := figures.Page{Application: "shop", Environment: "production", Releases: ledger.Releases(records), From: begin, To: begin.AddDate(1, 0, 0)}
		if err := page.Write(io.Discard); err != nil {
			b.Fatal(err)
		}
		making, rounds = making+time.Since(read), rounds+1
	}
	b.ReportMetric(float64(making.Microseconds())/1000/float64(rounds), "page-ms")
}
