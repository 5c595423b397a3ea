package proof

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/demo/traffic"
	"bitbucket.org/fearless/pipes/shared/localcloud/cloudformation"
	"bitbucket.org/fearless/pipes/shared/localcloud/stage"
)

// file is the environment file. A deploy that is quick to watch has roles that say at
// once when they are ready, and balancers that need not wait for long requests: the
// longest here takes a second, of which a busy computer makes many.
const file = `
network:
  create: {cidr: 10.40.0.0/16}
balancer:
  create: {}
settings: [/proof/%[1]s]
roles:
  web:
    instance: %[2]s
    min: 2
    http: {drain: 20s}
    drain: 5s
  worker: {instance: %[2]s, drain: 10s, ready: 'test -e "$DATA_DIR/schema"'}
  scheduler: {instance: %[2]s, exactly: 1, drain: 5s, ready: 'test -e "$DATA_DIR/schema"'}
release: {when: always}
soak: 1m
`

// Environment is one environment under traffic.
type Environment struct {
	*traffic.Client
	Name string
	Live Version

	proof *Proof
	dir   string // the clone of its pipelines
	queue string // the jobs
	url   string

	wrong map[string]bool // phases in which a web server ends in the middle of its work, and requests fail
}

// Load is the traffic that every environment is under, in requests a second.
func Load() traffic.Load { return traffic.Load{Quick: 200, Slow: 1, Jobs: 2} }

// Environment brings an environment live with version One, and the client to it.
func (p *Proof) Environment(ctx context.Context, name string, load traffic.Load, settings map[string]string) (*Environment, error) {
	e := &Environment{
		Name: name, Live: p.One, proof: p, wrong: map[string]bool{},
		dir: filepath.Join(p.stage.Dir, name), queue: filepath.Join(p.stage.Dir, name+"-jobs"),
	}
	if err := e.furnish(settings); err != nil {
		return nil, err
	}
	if d := e.deploy(ctx, p.One, 0); d.code != 0 {
		return nil, fmt.Errorf("the first deploy to %s ended with %d:\n%s", name, d.code, d.log)
	}
	listener := e.stack("-base").Outputs["ListenerArn"]
	if e.url = p.stage.Cloud.ListenerURL(listener); e.url == "" {
		return nil, fmt.Errorf("the balancer of %s cannot be reached", name)
	}
	load.URL = e.url
	e.Client = traffic.Start(ctx, load, "before", p.One.Answer)
	return e, e.Watch(ctx, 100)
}

// furnish writes the environment file, makes the directory that all servers share for
// their jobs, and stores the settings.
func (e *Environment) furnish(settings map[string]string) error {
	instance := "t3.small"
	if stage.Architecture() == "arm64" {
		instance = "t4g.small"
	}
	path := filepath.Join(e.dir, "environments", e.Name+".yml")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, file, e.Name, instance), 0o644); err != nil {
		return err
	}
	// Servers run as another user where this is run by root.
	if err := errors.Join(os.Mkdir(e.queue, 0o777), os.Chmod(e.queue, 0o777)); err != nil {
		return err
	}
	all := map[string]string{"DATA_DIR": e.queue, "TICK": "500ms", "JOB_TIME": "20ms", "JOB_LIMIT": "3s"}
	for name, value := range settings {
		all[name] = value
	}
	for name, value := range all {
		e.proof.stage.Cloud.PutParameter("/proof/"+e.Name+"/"+name, value, false)
	}
	return nil
}

// stack is the stack of the servers, or with "-base" the other one, as it is now.
func (e *Environment) stack(suffix string) cloudformation.Stack {
	name := application + "-" + e.Name + suffix
	for _, s := range e.proof.stage.Cloud.Stacks() {
		if s.Name == name && s.Status != "DELETE_COMPLETE" {
			return s
		}
	}
	return cloudformation.Stack{}
}

// resource is the physical id of one of the servers' resources.
func (e *Environment) resource(logical string) string { return e.stack("").Resources[logical].Physical }

// Watch waits until so many more requests of the phase were answered or have failed.
func (e *Environment) Watch(ctx context.Context, more int) error {
	counted := func() int {
		counts := e.Counts()
		last := counts[len(counts)-1]
		return last.Answered + last.Failed
	}
	before := counted()
	return until(ctx, "requests are answered", func() (bool, error) { return counted() >= before+more, nil })
}

// next begins a phase and lets those requests end that belong to the one before: the
// slow ones take a second.
func (e *Environment) next(ctx context.Context, phase string, allowed ...Version) error {
	var answers []string
	for _, v := range allowed {
		answers = append(answers, v.Answer)
	}
	began := e.Phase(phase, answers...)
	return until(ctx, "slow requests are answered", func() (bool, error) { return time.Since(began) > 1500*time.Millisecond, nil })
}

// well is nil when nothing was wrong in these phases.
func (e *Environment) well(phases ...string) error {
	var all []string
	for _, name := range phases {
		if trouble := e.Last(name).Trouble(); trouble != "" {
			all = append(all, trouble)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New(strings.Join(all, "\n"))
}
