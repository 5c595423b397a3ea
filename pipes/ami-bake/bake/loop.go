package bake

import (
	"context"
	"fmt"
	"time"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

const (
	// mostAttempts bounds how many build servers of dead runs are stepped over. EC2
	// remembers a token for hours; whoever fails this often has another problem.
	mostAttempts = 20

	// mostBlinks is how many looks in a row may fail for passing reasons.
	mostBlinks = 6

	// mostFailedImages is how many failed images one run replaces by new tries.
	mostFailedImages = 2

	// blindness is how long EC2 may need to show what it has just made.
	blindness = 3 * time.Minute
)

// attempt is one build server of a bake, and what this run knows about it that EC2
// does not show yet.
type attempt struct {
	number  int
	server  string    // launched by this run
	at      time.Time // when it was launched, or found to be taken
	taken   bool      // another run has launched
	spent   bool      // EC2 says that the server of this attempt is terminated
	asked   bool      // a launch was asked for, with or without an answer
	log     tail
	forgets []func() // what need not be undone any more
}

// forget drops what was registered to be undone.
func (a *attempt) forget() {
	for _, f := range a.forgets {
		f()
	}
	a.forgets = nil
}

// loop looks, decides and acts until there is an image or a reason why not.
func (b *baker) loop(ctx context.Context) (*Result, error) {
	b.attempt = attempt{number: 1}
	progress := b.rt.Console.Progress("Bake")
	var blinks int
	for {
		seen, err := b.observe(ctx)
		if err != nil {
			if blinks++; ctx.Err() != nil || blinks > mostBlinks || !passing(err) {
				return nil, exit.Unablef("%w", err)
			}
			b.rt.Console.Warn("%s; looking again", pipe.Brief(err))
			if err := pause(ctx, pace(Follow, 0)); err != nil {
				return nil, err
			}
			continue
		}
		blinks = 0
		step := Decide(seen, b.wanted())
		result, err := b.act(ctx, step, seen, progress)
		if result != nil || err != nil {
			return result, err
		}
		if err := pause(ctx, pace(step.Kind, time.Since(b.attempt.at))); err != nil {
			return nil, err
		}
	}
}

// act takes one step. A result or an error ends the run.
func (b *baker) act(ctx context.Context, step Step, seen Observed, progress *console.Progress) (*Result, error) {
	switch step.Kind {
	case Use:
		return b.conclude(ctx, step.Image)
	case AwaitImage:
		progress.Update("image %s is %s", step.Image.ID, step.Image.State)
		return nil, nil
	case RemoveImage:
		return nil, b.removeFailed(ctx, step.Image)
	case Launch:
		return nil, b.launch(ctx)
	case Freeze:
		return nil, b.freeze(ctx, seen.Server)
	case Fail:
		return nil, b.provisioningFailed(ctx, seen)
	case GiveUp:
		return nil, b.giveUp(ctx, seen.Server, step.Why)
	case NextAttempt:
		return nil, b.nextAttempt(ctx, step.Why)
	}
	switch s := seen.Server; {
	case s == nil:
	case s.ID == "": // another run's, and EC2 does not show it yet
		progress.Update("a build server is being launched")
	default:
		progress.Update("build server %s is %s%s", s.ID, s.State, b.whose(s))
	}
	return nil, nil
}

// whose says aloud when another run's server is followed.
func (b *baker) whose(s *Server) string {
	if s.Run == b.run || s.Run == "" {
		return ""
	}
	return ", launched by " + s.Run
}

// pace is the pause after a step. The first minute of a wait is looked at closely: a
// small bake ends in it, and a mistake shows in it.
func pace(kind Kind, waited time.Duration) time.Duration {
	early := waited < time.Minute
	switch {
	case kind == AwaitImage && early:
		return 5 * time.Second
	case kind == AwaitImage:
		return 15 * time.Second
	case kind == NextAttempt || kind == RemoveImage:
		return 0
	case early:
		return 2 * time.Second
	}
	return 5 * time.Second
}

// pause waits, unless the run ends first; then it says why the run ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// provisioningFailed shows what the script said and ends the run. Another run's
// server is left to that run for a moment, since it wants to read the same.
func (b *baker) provisioningFailed(ctx context.Context, seen Observed) error {
	r := seen.Result
	if b.attempt.server == "" {
		for range 10 {
			if err := pause(ctx, pace(Follow, 0)); err != nil {
				return err
			}
			if again, err := b.result(ctx); err != nil || again == nil {
				break
			}
		}
	}
	if err := b.retireAttempt(ctx); err != nil {
		b.rt.Console.Warn("The build server could not be removed: %s", pipe.Brief(err))
	} else {
		b.attempt.forget()
	}
	took := console.Duration(time.Duration(r.Seconds * float64(time.Second)))
	if r.ExitCode > 0 {
		return exit.Refusedf("provisioning failed: %s ended with exit code %d after %s", b.s.Provision, r.ExitCode, took).
			Hint("its log is above; the script runs as root in APP_ROOT, without a terminal")
	}
	return exit.Unablef("provisioning failed after %s: %s", took, r.Reason)
}

// giveUp explains the loss of our own build server as far as its console does.
func (b *baker) giveUp(ctx context.Context, s *Server, why string) error {
	if s == nil {
		return exit.Unablef("%s", why)
	}
	if text, err := b.consoleOutput(ctx, s.ID); err != nil {
		b.rt.Console.Warn("The console output of %s cannot be read: %s", s.ID, pipe.Brief(err))
	} else if text != "" {
		b.rt.Console.Output("console", lastLines(text, 40))
	}
	return exit.Unablef("%s", why).Hint(
		"its console output, as far as EC2 has it, is above",
		"the build server must reach S3 and what the provision script downloads: check the routes of its subnet",
	)
}

// nextAttempt leaves a dead build server behind, with all that belongs to it.
func (b *baker) nextAttempt(ctx context.Context, why string) error {
	if b.attempt.number >= mostAttempts {
		return exit.Unablef("%d build servers of earlier runs ended without an image; the last: %s", mostAttempts, why).
			Hint("change an input, for example BASE_IMAGE, or wait a day until EC2 has forgotten them")
	}
	b.rt.Console.Warn("%s: trying again with another one", capitalised(why))
	if err := b.retireAttempt(ctx); err != nil {
		return exit.Unablef("%s, and cannot be removed: %w", why, err)
	}
	b.attempt.forget()
	b.attempt = attempt{number: b.attempt.number + 1}
	return nil
}

// removeFailed deregisters a failed image, because it keeps the name.
func (b *baker) removeFailed(ctx context.Context, img image.Image) error {
	if b.failed++; b.failed > mostFailedImages {
		return exit.Unablef("image %s failed: %s", img.ID, img.Reason).
			Hint("EC2 could not make the image, again and again; try later or in another region")
	}
	b.rt.Console.Warn("Image %s failed (%s): removing it and trying again", img.ID, img.Reason)
	b.created = ""
	if err := b.deregister(ctx, img.ID); err != nil {
		return exit.Unablef("%w", err)
	}
	return nil
}

func capitalised(text string) string {
	if text == "" {
		return text
	}
	return fmt.Sprintf("%c%s", text[0]&^0x20, text[1:])
}
