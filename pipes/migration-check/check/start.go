package check

import (
	"context"
	"sync"
	"time"

	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
)

// starting runs the scratch server, which takes half a second, beside the reading of the
// clone. Ready waits for it. Forget is for the end, when nobody may have needed it.
func (c *check) starting(ctx context.Context) (ready func() error, forget func()) {
	if c.s.dialect() != statement.PostgreSQL {
		return func() error { return nil }, func() {}
	}
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	var started *server.Server
	var failed error
	go func() {
		defer close(done)
		started, failed = c.start(ctx)
	}()
	ready = sync.OnceValue(func() error {
		<-done
		if failed == nil {
			c.server, c.result.Server = started, started.Version
			c.rt.Console.Info("PostgreSQL %s for trying them, ready after %d ms", started.Version, time.Since(began).Milliseconds())
		}
		return failed
	})
	return ready, func() {
		cancel()
		<-done // the stack may only be run when nothing is added to it any more
	}
}

func (c *check) start(ctx context.Context) (*server.Server, error) {
	options := server.Options{
		Binaries: c.s.Binaries, Statement: c.s.Statement.Std(), Disk: int64(c.s.Disk),
		Extensions: c.s.Extensions, Roles: c.s.Roles,
	}
	if c.s.Scratch != "" {
		return server.Attach(ctx, c.s.Scratch, options, c.rt.Undo)
	}
	return server.Start(ctx, options, c.rt.Undo)
}
