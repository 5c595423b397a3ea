package server

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"bitbucket.org/fearless/pipes/shared/settings"
)

// pace is how often the limits are looked at: much shorter than any useful limit. Adding
// up the files of a large schema's databases takes long, so that a look is followed by a
// pause of at least twenty times its own time.
const (
	pace  = 200 * time.Millisecond
	pause = 20
)

// watch ends what takes too long or too much, from outside: SQL may set its own
// statement_timeout to zero, and dumps do. It ends when the stack runs.
func (s *Server) watch(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, s.config.Copy())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer conn.Close(context.WithoutCancel(ctx))
		next := time.NewTimer(pace)
		defer next.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-next.C:
				began := time.Now()
				s.enforce(ctx, conn)
				next.Reset(max(pace, pause*time.Since(began)))
			}
		}
	}()
	s.undo.Defer("ending the watch over the scratch server", func(context.Context) error {
		cancel()
		<-done
		return nil
	})
	return nil
}

// enforce looks once. Errors are not ours to report: when the server is gone, whoever
// works on it notices.
func (s *Server) enforce(ctx context.Context, conn *pgx.Conn) {
	if s.process != nil && s.options.Disk > 0 {
		if used := size(s.process.Dir); used > s.options.Disk {
			s.end(ctx, conn, "interval '0'", fmt.Errorf("%w: the migrations take more than DISK_LIMIT, %s, of disk (%d MB)",
				ErrLimit, settings.Size(s.options.Disk), used/1e6))
			return
		}
	}
	if limit := s.options.Statement; limit > 0 {
		s.end(ctx, conn, fmt.Sprintf("interval '%d milliseconds'", limit.Milliseconds()),
			fmt.Errorf("%w: it ran longer than STATEMENT_TIMEOUT, %s", ErrLimit, settings.Duration(limit)))
	}
}

// end terminates the owner's statements that are older than age, and keeps the reason
// for who waits for them.
func (s *Server) end(ctx context.Context, conn *pgx.Conn, age string, reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ended, err := conn.Exec(ctx, `select pg_terminate_backend(pid) from pg_stat_activity
		where usename = $1 and starts_with(datname, $2) and state = 'active' and pid <> pg_backend_pid()
		and clock_timestamp() - query_start > `+age, s.owner, s.prefix)
	if err == nil && ended.RowsAffected() > 0 {
		s.limit = reason
	}
}

// size is what the files below dir take; those that vanish meanwhile take nothing.
func size(dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // a file of a running server may vanish at any time
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return nil
	})
	return sum
}
