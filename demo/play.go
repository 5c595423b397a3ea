package main

import (
	"context"
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

// release is one commit of the sample application on its way.
type release struct {
	version, commit, image string
	baked                  time.Duration
	server, address        string
	answer                 string
	booted                 time.Duration
}

// application is the name under which the demo bakes.
const application = "demo"

// play is the demo from the first line to the table.
func play(ctx context.Context, out io.Writer) error {
	root, err := stage.Root(ctx)
	if err != nil {
		return err
	}
	heading(out, "Compiling the pipes and the boot agent")
	bin, cache := filepath.Join(root, ".bin", "demo"), filepath.Join(root, ".bin", "guest-cache")
	if err := stage.Build(ctx, root, bin, []string{"ami-bake", "deploy-env", "rollback", "test-env"}); err != nil {
		return err
	}
	if err := openCache(cache); err != nil {
		return err
	}
	s, err := stage.Open(ctx, stage.Options{Bin: bin, GuestCache: cache})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	fmt.Fprintf(out, "The local cloud listens on %s\n", s.URL)
	s.Cloud.AddApplication(application)

	repository, releases, err := commits(ctx, s, filepath.Join(root, "examples", "web"))
	if err != nil {
		return err
	}
	for i := range releases {
		heading(out, fmt.Sprintf("Pipeline of commit %.12s: ami-bake", releases[i].commit))
		if err := bake(ctx, out, s, repository, &releases[i]); err != nil {
			return err
		}
	}
	heading(out, "The same commit again: ami-bake finds the image")
	again := releases[1]
	if err := bake(ctx, out, s, repository, &again); err != nil {
		return err
	}
	heading(out, "A server of each of the first two images")
	for i := range releases[:2] {
		if err := start(ctx, s, &releases[i]); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: server %s answers at %s: %s\n", releases[i].image, releases[i].server, releases[i].address, releases[i].answer)
	}
	table(out, releases[:2], again)
	return deployAll(ctx, out, s, repository, releases)
}

func heading(out io.Writer, text string) { fmt.Fprintf(out, "\n\x1b[1m== %s\x1b[0m\n", text) }

// openCache makes the folder in which the servers keep compiled packages. They run as
// another user when the demo runs as root, so everybody may write there; it holds
// nothing that is used outside of the demo.
func openCache(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return os.Chmod(dir, 0o777)
}

// brokenProcfile is a mistake that only shows when a server starts.
const brokenProcfile = `release:   bin/web release
web:       bin/web wbe
worker:    bin/web worker
scheduler: bin/web scheduler
`

// commits makes a repository of the sample application with three versions.
func commits(ctx context.Context, s *stage.Stage, sample string) (stage.Repository, []release, error) {
	repository, err := stage.NewRepository(ctx, filepath.Join(s.Dir, "clone"), sample)
	if err != nil {
		return repository, nil, err
	}
	releases := []release{{version: "1.0.0"}, {version: "2.0.0"}, {version: "3.0.0"}}
	for i := range releases {
		if i == 2 { // the third version does not start: its web process is called wrongly
			if err := repository.Write("Procfile", brokenProcfile, 0o644); err != nil {
				return repository, nil, err
			}
		}
		if err := repository.Write("VERSION", releases[i].version+"\n", 0o644); err != nil {
			return repository, nil, err
		}
		if releases[i].commit, err = repository.Commit(ctx, "Release "+releases[i].version); err != nil {
			return repository, nil, err
		}
	}
	return repository, releases, nil
}

// bake runs the pipe as a pipeline would: the program, in the clone, with variables.
func bake(ctx context.Context, out io.Writer, s *stage.Stage, repository stage.Repository, r *release) error {
	started := time.Now()
	cmd := exec.CommandContext(ctx, s.Program("ami-bake"))
	cmd.Dir = repository.Dir
	cmd.Env = s.Environ(map[string]string{
		"APPLICATION": application, "COMMIT": r.commit,
		"BITBUCKET_PIPELINE_UUID": "{demo}", "BITBUCKET_CLONE_DIR": repository.Dir,
	})
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("ami-bake for version %s: %w", r.version, err)
	}
	r.baked = time.Since(started)
	content, err := os.ReadFile(filepath.Join(repository.Dir, ".fearless", "outputs.env"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(content)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "IMAGE_ID="); ok {
			r.image = strings.Trim(value, "'")
		}
	}
	if r.image == "" {
		return fmt.Errorf("ami-bake for version %s wrote no IMAGE_ID", r.version)
	}
	return nil
}

func table(out io.Writer, releases []release, again release) {
	heading(out, "What happened")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VERSION\tCOMMIT\tIMAGE\tBAKED IN\tBOOTED IN\tITS WEB ROLE SAYS")
	for _, r := range releases {
		fmt.Fprintf(w, "%s\t%.12s\t%s\t%s\t%s\t%s\n", r.version, r.commit, r.image, seconds(r.baked), seconds(r.booted), r.answer)
	}
	fmt.Fprintf(w, "%s\t%.12s\t%s\t%s\t\tthe same image: nothing was baked\n", again.version, again.commit, again.image, seconds(again.baked))
	_ = w.Flush()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
