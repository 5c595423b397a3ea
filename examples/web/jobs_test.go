package main

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

func newSpool(t *testing.T) Spool {
	t.Helper()
	spool := Spool{Dir: filepath.Join(t.TempDir(), "data")}
	if err := spool.Migrate(); err != nil {
		t.Fatal(err)
	}
	return spool
}

func TestMigrate(t *testing.T) {
	spool := newSpool(t)
	if err := spool.Migrate(); err != nil {
		t.Errorf("a second time: %v", err)
	}
	for text, want := range map[string]string{"2\n": "is at schema 2, this release knows 1", "x": "does not hold a number"} {
		if err := os.WriteFile(filepath.Join(spool.Dir, "schema"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := spool.Migrate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("schema %q: %v", text, err)
		}
	}
}

func TestJobIsTakenOnce(t *testing.T) {
	spool := newSpool(t)
	if job, err := spool.Add("a"); err != nil || job.Number != 1 {
		t.Fatalf("%+v, %v", job, err)
	}
	taken, found, err := spool.Take()
	if err != nil || !found || taken.Number != 1 || taken.Name != "a" {
		t.Fatalf("took %+v, %v, %v", taken, found, err)
	}
	if _, found, _ := spool.Take(); found {
		t.Error("taken twice")
	}
	expect(t, spool, Tally{Queued: 1, Working: 1})
	if err := spool.Finish(taken, "w"); err != nil {
		t.Fatal(err)
	}
	expect(t, spool, Tally{Queued: 1, Done: 1})
}

func expect(t *testing.T, spool Spool, want Tally) {
	t.Helper()
	if got, err := spool.Tally(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// Two schedulers, or one that was started again, queue a tick once.
func TestTickIsQueuedOnce(t *testing.T) {
	spool := newSpool(t)
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for i, test := range []struct {
		after time.Duration
		who   string
	}{{0, "a"}, {9 * time.Second, "b"}, {11 * time.Second, "b"}, {5 * time.Second, "a"}} {
		s := scheduler{spool: spool, name: test.who, every: 10 * time.Second}
		if err := s.tick(start.Add(test.after)); err != nil {
			t.Fatal(i, err)
		}
	}
	expect(t, spool, Tally{Queued: 2, Waiting: 2, Schedulers: 2, Overlaps: 1, Gap: 9 * time.Second})
}

func TestOldestFirst(t *testing.T) {
	spool := newSpool(t)
	for range 12 {
		if _, err := spool.Add("a"); err != nil {
			t.Fatal(err)
		}
	}
	for want := 1; want <= 12; want++ {
		job, found, err := spool.Take()
		if err != nil || !found || job.Number != want {
			t.Fatalf("took %d, %v, %v, want %d", job.Number, found, err, want)
		}
		if err := spool.Finish(job, "w"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAbandonedJobWaitsAgain(t *testing.T) {
	spool := newSpool(t)
	if _, err := spool.Add("a"); err != nil {
		t.Fatal(err)
	}
	if _, found, err := spool.Take(); !found || err != nil {
		t.Fatal(found, err)
	}
	if n, err := spool.Return(time.Hour); n != 0 || err != nil {
		t.Errorf("returned %d young jobs, %v", n, err)
	}
	if n, err := spool.Return(0); n != 1 || err != nil {
		t.Errorf("returned %d, %v", n, err)
	}
	if _, found, _ := spool.Take(); !found {
		t.Error("it does not wait again")
	}
}

// What went wrong is counted, and the tally fails.
func TestTallyFindsLostAndDoubleWork(t *testing.T) {
	spool := newSpool(t)
	for range 5 {
		if _, err := spool.Add("a"); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		job, _, err := spool.Take()
		if err == nil && job.Number == 2 {
			err = spool.note(doneFile, "2 another")
		}
		if err == nil {
			err = spool.Finish(job, "w")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tally(spool); err == nil || err.Error() != "lost: [], done twice: [2], overlaps of schedulers: 0" {
		t.Errorf("error %v", err)
	}
	if err := os.Remove(spool.path("new", file(4))); err != nil {
		t.Fatal(err)
	}
	expect(t, spool, Tally{Queued: 5, Waiting: 1, Done: 3, Lost: []int{4}, Double: []int{2}})
	if err := tally(spool); err == nil || err.Error() != "lost: [4], done twice: [2], overlaps of schedulers: 0" {
		t.Errorf("error %v", err)
	}
}

// Scheduler, visitors and several workers together: every number once, however
// they come between each other.
func TestAllTogether(t *testing.T) {
	spool := newSpool(t)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	const workers, visitors, jobs = 4, 3, 20
	ended := make(chan error, workers+visitors+1)
	for i := range workers {
		w := worker{spool: spool, name: strconv.Itoa(i), pause: 5 * time.Millisecond, takes: time.Millisecond, abandoned: time.Minute}
		go func() { ended <- w.work(ctx) }()
	}
	go func() {
		ended <- scheduler{spool: spool, name: "s", every: 20 * time.Millisecond}.schedule(ctx)
	}()
	for range visitors {
		go func() {
			var err error
			for i := 0; i < jobs && err == nil; i++ {
				_, err = spool.Add("visitor")
			}
			ended <- err
		}()
	}
	eventually(t, "the jobs are done", func() bool {
		got, err := spool.Tally() // in the middle of it all
		if err != nil || len(got.Lost)+len(got.Double) > 0 {
			t.Fatalf("%+v, %v", got, err)
		}
		return got.Done >= visitors*jobs+3
	})
	stop()
	for range workers + visitors + 1 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	got, err := spool.Tally()
	if err != nil || got.Working != 0 || len(got.Lost)+len(got.Double)+got.Overlaps > 0 || got.Done+got.Waiting != got.Queued {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	env := func(name string) string {
		return map[string]string{"DATA_DIR": dir, "TICK": "often", "JOB_TIME": "-1s"}[name]
	}
	if err := run(context.Background(), []string{"release"}, env); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "schema")); err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{nil, {"cook"}, {"scheduler"}, {"worker"}, {"web", "worker"}} {
		if err := run(context.Background(), args, env); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
}
