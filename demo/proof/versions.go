package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"bitbucket.org/fearless/pipes/pipes/ami-bake/bake"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/localcloud/stage"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

// Version is one version of the sample application with an image.
type Version struct {
	Name   string
	Commit string
	Answer string // what its web servers say to GET /version

	dir string // its clone
}

// brokenProcfile is a mistake that only shows when a server starts.
const brokenProcfile = `release:   bin/web release
web:       bin/web wbe
worker:    bin/web worker
scheduler: bin/web scheduler
`

// provision is all that is left to do on the build server: the program is compiled
// beforehand, as a step before ami-bake would do it.
const provision = "#!/bin/sh\ntest -x bin/web\n"

// bakeAll makes a clone and an image for each version, all at once.
func (p *Proof) bakeAll(ctx context.Context, sample string) error {
	p.One.Name, p.Two.Name, p.Broken.Name, p.Bad.Name = "1.0.0", "2.0.0", "3.0.0", "2.1.0"
	versions := []*Version{&p.One, &p.Two, &p.Broken, &p.Bad}
	problems := make([]error, len(versions))
	var all sync.WaitGroup
	for i, v := range versions {
		v.dir = filepath.Join(p.stage.Dir, "clone-"+v.Name)
		files := map[string]string{"VERSION": v.Name + "\n", "deploy/provision.sh": provision}
		if v == &p.Broken {
			files["Procfile"] = brokenProcfile
		}
		if err := v.commit(ctx, sample, files); err != nil {
			return err
		}
		all.Go(func() { problems[i] = p.bake(v) })
	}
	all.Wait()
	return errors.Join(problems...)
}

// commit makes a clone of the sample application with these files, and compiles it.
func (v *Version) commit(ctx context.Context, sample string, files map[string]string) error {
	repository, err := stage.NewRepository(ctx, v.dir, sample)
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := repository.Write(name, content, 0o755); err != nil {
			return err
		}
	}
	if v.Commit, err = repository.Commit(ctx, "Version "+v.Name); err != nil {
		return err
	}
	v.Answer = v.Name + " " + v.Commit[:12]
	cmd := exec.CommandContext(ctx, "go", "build", "-o", "bin/web", ".")
	cmd.Dir = v.dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") //nolint:forbidigo // the Go tool needs its own settings
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build of the sample application: %w\n%s", err, out)
	}
	return nil
}

// bake runs the pipe ami-bake.
func (p *Proof) bake(v *Version) error {
	var log bytes.Buffer
	code := pipe.Pipe[bake.Settings]{Name: bake.Name, Run: bake.Run}.Main(pipe.World{
		Environ: p.stage.Environ(map[string]string{
			"APPLICATION": application, "COMMIT": v.Commit, "INCLUDE": "bin/web", "BITBUCKET_PIPELINE_UUID": "{proof}",
		}),
		Dir: v.dir, Out: &log, Executable: p.stage.Program(bake.Name),
	})
	if code != int(exit.Passed) {
		return fmt.Errorf("ami-bake of version %s ended with %d:\n%s", v.Name, code, log.String())
	}
	return nil
}
