package main

import (
	"context"
	"os"
	"path/filepath"
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

func TestJobIsDoneOnce(t *testing.T) {
	spool := newSpool(t)
	job := Job{Name: "20260501T120000.000-tick", Created: time.Now()}
	for i, want := range []bool{true, false} {
		if added, err := spool.Add(job); added != want || err != nil {
			t.Errorf("time %d: added %v, %v", i+1, added, err)
		}
	}
	taken, found, err := spool.Take()
	if err != nil || !found || taken.Name != job.Name {
		t.Fatalf("took %+v, %v, %v", taken, found, err)
	}
	if _, found, _ := spool.Take(); found {
		t.Error("taken twice")
	}
	if added, err := spool.Add(job); added || err != nil {
		t.Errorf("queued again while it is done: %v, %v", added, err)
	}
	if err := spool.Finish(taken); err != nil {
		t.Fatal(err)
	}
	if waiting, done := spool.Count(); waiting != 0 || done != 1 {
		t.Errorf("%d wait, %d are done", waiting, done)
	}
}

func TestOldestFirstAndFewKept(t *testing.T) {
	spool := newSpool(t)
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for i := keep + 20; i > 0; i-- {
		if err := tick(spool, start.Add(time.Duration(i)*time.Second), time.Second); err != nil {
			t.Fatal(err)
		}
	}
	last := ""
	for {
		job, found, err := spool.Take()
		if err != nil {
			t.Fatal(err)
		}
		if !found {
			break
		}
		if job.Name <= last {
			t.Errorf("%s came after %s", job.Name, last)
		}
		last = job.Name
		if err := spool.Finish(job); err != nil {
			t.Fatal(err)
		}
	}
	if _, done := spool.Count(); done != keep {
		t.Errorf("%d finished jobs are kept", done)
	}
}

func TestLostJobWaitsAgain(t *testing.T) {
	spool := newSpool(t)
	if _, err := spool.Add(Job{Name: "a"}); err != nil {
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

// Scheduler and worker together, as the Procfile runs them.
func TestSchedulerFeedsWorker(t *testing.T) {
	spool := newSpool(t)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 2)
	go func() { ended <- work(ctx, spool, 5*time.Millisecond) }()
	go func() { ended <- schedule(ctx, spool, 50*time.Millisecond) }()
	eventually(t, "three jobs are done", func() bool { _, done := spool.Count(); return done >= 3 })
	stop()
	for i := 0; i < 2; i++ {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if names, err := spool.names("work"); err != nil || len(names) != 0 {
		t.Errorf("left under way: %v, %v", names, err)
	}
}

func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	env := func(name string) string {
		return map[string]string{"DATA_DIR": dir, "TICK": "often"}[name]
	}
	if err := run(context.Background(), []string{"release"}, env); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "schema")); err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{nil, {"cook"}, {"scheduler"}, {"web", "worker"}} {
		if err := run(context.Background(), args, env); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
}
