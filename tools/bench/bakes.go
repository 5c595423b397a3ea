package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/localcloud/journal"
	"bitbucket.org/fearless/pipes/shared/localcloud/stage"
)

const (
	// payload is the size of one large file in the repository that is baked: a pipe
	// must pass it on, not hold it.
	payload = 100 << 20

	// repeats is how often the known image is asked for.
	repeats = 15

	memoryTarget = 64 << 20
	repeatTarget = time.Second
	callsTarget  = 5
)

// bakes bakes a large application once, and asks for the same image again and again.
func bakes(ctx context.Context, _, bin string) ([]row, error) {
	s, err := stage.Open(ctx, stage.Options{Bin: bin})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	clone, err := largeClone(ctx, filepath.Join(s.Dir, "clone"))
	if err != nil {
		return nil, err
	}
	first, err := bake(ctx, s, clone)
	if err != nil {
		return nil, err
	}
	var times []time.Duration
	var most run
	for range repeats {
		again, err := bake(ctx, s, clone)
		if err != nil {
			return nil, err
		}
		times = append(times, again.took)
		most.calls, most.memory = max(most.calls, again.calls), max(most.memory, again.memory)
	}
	slices.Sort(times)
	median := times[len(times)/2]
	return []row{
		{what: "bake of an application with " + console.Bytes(payload), value: fmt.Sprintf("%.1f s", first.took.Seconds())},
		{
			what: "repeat bake of the same inputs, median of " + fmt.Sprint(repeats), value: fmt.Sprintf("%.0f ms", ms(median)),
			target: "under 1 s", met: median < repeatTarget,
		},
		{what: "AWS calls of a repeat bake", value: fmt.Sprint(most.calls), target: "at most 5", met: most.calls <= callsTarget},
		{
			what: "peak memory of the bake, of a repeat", value: console.Bytes(first.memory) + ", " + console.Bytes(most.memory),
			target: "under 64 MB", met: max(first.memory, most.memory) < memoryTarget,
		},
	}, nil
}

// largeClone is a repository with little code and one large file.
func largeClone(ctx context.Context, dir string) (clone struct{ dir, commit string }, err error) {
	noise := make([]byte, payload)
	_, _ = rand.Read(noise) // cannot fail; noise, so that git and gzip find nothing to save
	r := stage.Repository{Dir: dir}
	for name, content := range map[string]string{
		"Procfile": "web: ./web\n", "deploy/provision.sh": "#!/bin/sh\necho provisioned\n", "model.bin": string(noise),
	} {
		if err := r.Write(name, content, 0o755); err != nil {
			return clone, err
		}
	}
	if err := r.Init(ctx); err != nil {
		return clone, err
	}
	clone.dir = dir
	clone.commit, err = r.Commit(ctx, "A large application")
	return clone, err
}

// run is what one run of the pipe took.
type run struct {
	took   time.Duration
	calls  int   // of AWS
	memory int64 // largest resident set, bytes
}

func bake(ctx context.Context, s *stage.Stage, clone struct{ dir, commit string }) (run, error) {
	before := len(s.Cloud.Journal().Entries())
	peakFile := filepath.Join(s.Dir, "peak")
	cmd, err := underPeak(ctx, peakFile, s.Program("ami-bake"))
	if err != nil {
		return run{}, err
	}
	cmd.Dir = clone.dir
	cmd.Env = s.Environ(map[string]string{"APPLICATION": "bench", "COMMIT": clone.commit})
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return run{}, fmt.Errorf("ami-bake: %w\n%s", err, log.String())
	}
	r := run{took: time.Since(began), calls: len(s.Cloud.Journal().Entries(journal.Since(before)))}
	if r.memory, err = readPeak(peakFile); err != nil {
		return run{}, err
	}
	return r, nil
}
