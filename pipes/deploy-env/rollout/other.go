package rollout

import (
	"context"
	"io"
	"time"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/outputs"
	"bitbucket.org/fearless/pipes/shared/release"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// templates writes both templates into .fearless, for people and for other tools. AWS
// is not asked anything.
func (d *deployer) templates() (*Result, error) {
	place := outputs.Place{Dir: d.rt.CloneDir()}
	result := &Result{Application: d.s.Application, Environment: d.s.Environment, Outcome: OutcomeWritten}
	for _, part := range []struct {
		name     string
		template *environment.Template
	}{{"base", d.file.Base()}, {"servers", d.file.Servers(environment.Values{})}} {
		text, err := part.template.JSON()
		if err != nil {
			return nil, exit.Unablef("%w", err)
		}
		name, err := place.File(d.s.Environment+"."+part.name+".json", 0o644, func(w io.Writer) error {
			_, err := w.Write(append(text, '\n'))
			return err
		})
		if err != nil {
			return nil, exit.Unablef("the templates cannot be written: %w", err)
		}
		d.rt.Console.Info("Wrote %s", name)
		result.Files = append(result.Files, name)
	}
	return result, nil
}

// destroy deletes the stacks of an environment that is not protected.
func (d *deployer) destroy(ctx context.Context) (*Result, error) {
	if d.file.Protected {
		return nil, exit.Refusedf("%s is protected: this pipe does not destroy it", d.s.Environment).
			Hint("say protected: false in " + d.file.Path + ", deploy that, and destroy it then")
	}
	for _, name := range []string{d.file.ServersStack(), d.file.BaseStack()} {
		now, err := d.op.Resting(ctx, name)
		if err != nil {
			return nil, err
		}
		if name == d.file.ServersStack() {
			if err := d.op.BeginEnd(ctx, now); err != nil {
				return nil, err
			}
		}
		if now == nil {
			d.rt.Console.Info("There is no stack %s", name)
			continue
		}
		d.rt.Console.Info("Deleting stack %s", name)
		final, events, err := stack.Delete(ctx, d.op.CFN, now, d.serviceRole(name), d.op.Quietly)
		if err != nil {
			return nil, unable(err)
		}
		if final.Status != stack.DeleteComplete {
			return nil, exit.Unablef("stack %s could not be deleted: %s", name, release.Why(final, events))
		}
	}
	if err := d.op.Gone(ctx); err != nil {
		return nil, err
	}
	d.rt.Console.Success("%s of %s is gone", d.s.Environment, d.s.Application)
	return &Result{
		Application: d.s.Application, Environment: d.s.Environment, Outcome: OutcomeDestroyed,
		Seconds: time.Since(d.rt.Started).Seconds(),
	}, nil
}
