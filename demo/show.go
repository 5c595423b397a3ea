package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/stage"
)

// shown is a commit in a test environment of its own.
type shown struct {
	release release
	host    string
	took    time.Duration
}

// domain is that of test environments, as environments/testing.yml of the sample has it.
const domain = "test.example.com"

// shows are the test environments: they are made beside the releases to staging, by other
// pipelines with clones of their own, as people do it.
type shows struct {
	log  bytes.Buffer // what the pipes say, until it is their turn
	all  []shown
	done chan error
}

// showBeside starts to bring the balancer of test environments up, and a test environment
// for each of the commits.
func showBeside(ctx context.Context, s *stage.Stage, repository stage.Repository, releases []release) *shows {
	w := &shows{done: make(chan error, 1)}
	go func() { w.done <- w.play(ctx, s, repository, releases) }()
	return w
}

func (w *shows) play(ctx context.Context, s *stage.Stage, repository stage.Repository, releases []release) error {
	dir := filepath.Join(s.Dir, "clone-of-another-pipeline")
	if err := os.CopyFS(dir, os.DirFS(repository.Dir)); err != nil {
		return err
	}
	heading(&w.log, "Another pipeline: deploy-env to testing, whose balancer test environments share")
	if _, err := w.run(ctx, s, dir, "deploy-env", map[string]string{"ENVIRONMENT": "testing", "COMMIT": releases[0].commit}); err != nil {
		return err
	}
	for _, r := range releases {
		heading(&w.log, fmt.Sprintf("Another pipeline: test-env of commit %.12s", r.commit))
		took, err := w.run(ctx, s, dir, "test-env", map[string]string{"COMMIT": r.commit, "TTL": "1h"})
		if err != nil {
			return err
		}
		w.all = append(w.all, shown{release: r, host: fmt.Sprintf("%s-%.8s.%s", application, r.commit, domain), took: took})
	}
	heading(&w.log, "Another pipeline: test-env, which test environments there are")
	_, err := w.run(ctx, s, dir, "test-env", map[string]string{"ACTION": "list"})
	return err
}

// run runs a pipe and keeps what it says.
func (w *shows) run(ctx context.Context, s *stage.Stage, dir, pipe string, variables map[string]string) (time.Duration, error) {
	began := time.Now()
	cmd := exec.CommandContext(ctx, s.Program(pipe))
	cmd.Dir = dir
	variables["APPLICATION"], variables["BITBUCKET_PIPELINE_UUID"], variables["BITBUCKET_CLONE_DIR"] = application, "{another}", dir
	cmd.Env = s.Environ(variables)
	cmd.Stdout, cmd.Stderr = &w.log, &w.log
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", pipe, err, w.log.String())
	}
	return time.Since(began), nil
}

// finish waits for the test environments, looks at them side by side through their
// balancer, and ends one: the other goes on.
func (w *shows) finish(ctx context.Context, out io.Writer, s *stage.Stage) error {
	select {
	case err := <-w.done:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	url, err := listener(ctx, s, "testing")
	if err != nil {
		return err
	}
	answers := map[string]string{}
	for _, one := range w.all {
		answer, err := askFor(ctx, url+"/version", one.host)
		if err != nil {
			return fmt.Errorf("the test environment of version %s: %w", one.release.version, err)
		}
		if !strings.HasPrefix(answer, one.release.version) {
			return fmt.Errorf("%s shows %q instead of version %s", one.host, answer, one.release.version)
		}
		answers[one.host] = answer
	}
	gone, stays := w.all[0], w.all[1]
	heading(&w.log, fmt.Sprintf("Another pipeline: test-env ends the environment of commit %.12s", gone.release.commit))
	if _, err := w.run(ctx, s, filepath.Join(s.Dir, "clone-of-another-pipeline"), "test-env", map[string]string{"ACTION": "destroy", "COMMIT": gone.release.commit}); err != nil {
		return err
	}
	if _, err := out.Write(w.log.Bytes()); err != nil {
		return err
	}
	if _, err := get(ctx, url+"/version", gone.host); err == nil {
		return errors.New(gone.host + " still answers after its end")
	}
	if _, err := get(ctx, url+"/version", stays.host); err != nil {
		return fmt.Errorf("%s went with the other: %w", stays.host, err)
	}
	heading(out, "What was shown, side by side behind one balancer")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VERSION\tHOST\tMADE IN\tANSWERED\tNOW")
	for _, one := range w.all {
		now := "goes on"
		if one.host == gone.host {
			now = "gone"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", one.release.version, one.host, seconds(one.took), answers[one.host], now)
	}
	return table.Flush()
}
