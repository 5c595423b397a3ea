package pipe

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/settings"
	"bitbucket.org/fearless/pipes/shared/undo"
)

// Main runs the pipe and returns the exit code of the process. Nothing is
// changed anywhere before all settings are found to be good.
func (p Pipe[S]) Main(w World) int {
	started := time.Now()
	var s S
	common, problem := load(w.Environ, &s)
	log := console.New(w.Out, common.Debug)
	log.Mask(settings.Secrets(&s)...)
	log.Mask(tokens(w.Environ)...)
	log.Info("%s", firstLine(p.Name, w, common))

	end := &ending{log: log, pipe: p.Name, started: started}
	if problem != nil {
		return end.say(problem, nil)
	}
	rt := &Runtime{Console: log, Undo: &undo.Stack{}, World: w, Settings: *common, Started: started}
	life := begin(w, rt)
	defer life.stop()

	result, err := p.run(life.ctx, rt, s)
	var cause error
	if err != nil {
		cause = context.Cause(life.ctx)
	}
	life.finishing()
	end.undo(rt.Undo, err != nil)
	end.report(result, rt)
	return end.say(err, cause)
}

// load fills the pipe's settings and finds the common ones among them.
func load[S any](environ []string, s *S) (*Settings, error) {
	problem := settings.Load(environ, s)
	if embedding, ok := any(s).(interface{ common() *Settings }); ok {
		return embedding.common(), problem
	}
	// Without them there is neither deadline nor place for outputs.
	return &Settings{}, exit.Unablef("the settings of this pipe (%T) do not embed pipe.Settings", *s)
}

// run keeps a panic from ending the process before anything is undone.
func (p Pipe[S]) run(ctx context.Context, rt *Runtime, s S) (result Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			rt.Console.Output("panic", string(debug.Stack()))
			result, err = nil, exit.Unablef("this is a bug in %s: panic: %v", p.Name, v)
		}
	}()
	return p.Run(ctx, rt, s)
}

// firstLine says who we are and what we work for.
func firstLine(name string, w World, s *Settings) string {
	line := name
	if w.Version != "" {
		line += " " + w.Version
	}
	if s.RepoFullName != "" {
		line += " for " + s.RepoFullName
	}
	if s.Commit != "" {
		line += " at " + s.Commit[:min(len(s.Commit), 12)]
	}
	if s.BuildNumber > 0 {
		line += fmt.Sprintf(", pipeline %d", s.BuildNumber)
	}
	return line
}
