// Package provision turns a freshly started build server into what an image is
// made of. It runs the application's provision script, streams its log,
// records what the image is, removes everything that belongs to this one
// server, reports the result and switches the server off.
//
// Network, script and power switch come in through Machine, so that the same
// code serves a real server, a directory on a laptop, and a simulation: give
// it a temporary directory that holds /opt/app as Root, an in-process HTTP
// transport, and a Script that is a Go function, and it runs to its end inside
// testing/synctest.
package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/contract"
)

// Machine is what provisioning needs of the world. Every field must be set,
// except those that say otherwise.
type Machine struct {
	Root    string            // the disk: "/", or the directory that MACHINE_ROOT names
	Environ []string          // boot's own environment
	HTTP    http.RoundTripper // for the presigned URLs of log and result
	Out     io.Writer         // the console of the server; sees masked text only

	// Script runs one program and returns its exit code; the error says why
	// it did not run or did not end by itself. When the context ends it must
	// end everything it started, and return. Exec is the real one.
	Script func(ctx context.Context, call ScriptCall) (exitCode int, err error)

	// Parameters reads the variables below a Parameter Store path, by
	// variable name. It is called only when the instructions name a path.
	Parameters func(ctx context.Context, path string) (map[string]string, error)

	// AddUser creates the system user of the application; nil: nobody is created.
	AddUser func(ctx context.Context, out io.Writer) error

	// PowerOff switches the server off. It is called last and always.
	PowerOff func()
}

// Time limits of what surrounds the script. Together they must fit into the
// margin that a pipe adds to the deadline before it gives a server up.
const (
	parametersBound = time.Minute
	logBound        = time.Minute
	resultBound     = 3 * time.Minute
)

var (
	errDeadline    = errors.New("the deadline was reached")
	errInterrupted = errors.New("the server was told to stop")
)

// run is one provisioning under way.
type run struct {
	Machine
	cfg    contract.Provisioning
	log    *transcript
	result contract.Provisioned
}

// Run provisions the machine and returns what it reported. Whatever happens,
// a panic included, the result is reported and the machine switched off.
func Run(ctx context.Context, cfg contract.Provisioning, m Machine) contract.Provisioned {
	defer m.PowerOff()
	started := time.Now()
	r := &run{Machine: m, cfg: cfg, log: newTranscript(m.Out)}
	r.result = contract.Provisioned{Contract: contract.Version, ExitCode: -1}

	store := store{client: &http.Client{Transport: m.HTTP}}
	streaming := stream(ctx, r.log, func(ctx context.Context, body []byte) error {
		return store.put(ctx, cfg.LogURL, body)
	})
	if err := r.guarded(ctx); err != nil {
		r.result.Reason = err.Error()
		r.log.say("not an image: %s", err)
	}
	r.result.Seconds = time.Since(started).Seconds()
	streaming.stop()

	// The context may be over by now; what is left must still be said.
	r.report(context.WithoutCancel(ctx), store)
	return r.result
}

// guarded is prepare with a panic turned into an error.
func (r *run) guarded(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("boot failed: %v", p)
		}
	}()
	return r.prepare(ctx)
}

// prepare is the whole work in order. A script that ends with a code other
// than 0 is no error: the code says it all.
func (r *run) prepare(ctx context.Context) error {
	variables, err := r.parameters(ctx)
	if err != nil {
		return err
	}
	if r.AddUser != nil {
		if err := r.AddUser(ctx, r.log); err != nil {
			return err
		}
	}
	if err := r.script(ctx, variables); err != nil || r.result.ExitCode != 0 {
		return err
	}
	if err := r.describe(); err != nil {
		return err
	}
	if err := r.install(); err != nil {
		return err
	}
	return cleanUp(r.Root, r.log)
}

// path is a place of the contract on this machine's disk.
func (r *run) path(name string) string { return filepath.Join(r.Root, name) }

func (r *run) parameters(ctx context.Context) (map[string]string, error) {
	if r.cfg.ParametersPath == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, parametersBound)
	defer cancel()
	variables, err := r.Parameters(ctx, r.cfg.ParametersPath)
	if err != nil {
		return nil, err
	}
	for _, value := range variables {
		r.log.mask(value)
	}
	r.log.say("%d parameters below %s: %s", len(variables), r.cfg.ParametersPath, strings.Join(names(variables), ", "))
	return variables, nil
}

func (r *run) script(ctx context.Context, variables map[string]string) error {
	if !filepath.IsLocal(r.cfg.Script) {
		return fmt.Errorf("%s is outside the source tree", r.cfg.Script)
	}
	argv, err := command(r.path(filepath.Join(contract.AppRoot, r.cfg.Script)))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is not in the source tree", r.cfg.Script)
	}
	if err != nil {
		return fmt.Errorf("cannot run %s: %w", r.cfg.Script, err)
	}
	started := time.Now()
	r.log.say("%s starts, it has until %s", r.cfg.Script, r.cfg.Deadline.UTC().Format("15:04:05 MST"))
	within, cancel := context.WithDeadlineCause(ctx, r.cfg.Deadline, errDeadline)
	defer cancel()
	code, err := r.Script(within, ScriptCall{
		Argv: argv, Dir: r.path(contract.AppRoot), Environ: r.environ(variables), Out: r.log,
	})
	took := time.Since(started).Round(time.Second)
	switch {
	case within.Err() != nil && errors.Is(context.Cause(within), errDeadline):
		return fmt.Errorf("%s was ended after %s: %w", r.cfg.Script, took, errDeadline)
	case within.Err() != nil:
		return fmt.Errorf("%s was ended after %s: %w", r.cfg.Script, took, errInterrupted)
	case err != nil:
		return fmt.Errorf("%s failed after %s: %w", r.cfg.Script, took, err)
	}
	r.result.ExitCode = code
	r.log.say("%s ended with exit code %d after %s", r.cfg.Script, code, took)
	return nil
}

// report uploads the whole log and then the result: who sees the result may
// rely on the log being complete.
func (r *run) report(ctx context.Context, store store) {
	whole, cancel := context.WithTimeout(ctx, logBound)
	defer cancel()
	if err := store.insist(whole, r.cfg.LogURL, r.log.whole()); err != nil {
		fmt.Fprintf(r.Out, "boot: cannot upload the log: %s\n", err)
	}
	body, err := r.result.Marshal()
	if err == nil {
		bounded, cancel := context.WithTimeout(ctx, resultBound)
		defer cancel()
		err = store.insist(bounded, r.cfg.ResultURL, body)
	}
	if err != nil {
		fmt.Fprintf(r.Out, "boot: cannot report the result: %s\n", err)
	}
}
