package trace

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
)

// look takes down what the statement that just ran did, inside its transaction.
func (t *tracer) look(ctx context.Context, step *Step) error {
	if t.open {
		if err := t.locks(ctx, step); err != nil {
			return err
		}
		scanned, rows, err := t.counters(ctx)
		if err != nil {
			return err
		}
		step.Scanned, step.Rows = scanned, rows
	}
	if err := t.files(ctx, step); err != nil {
		return err
	}
	if step.Statement.ChangesData() || setsOnly(step.Statement) {
		return nil // which saves the dearest look; triggers do not change schemas
	}
	after, err := t.snapshot(ctx)
	if err != nil {
		return err
	}
	step.Changes = schema.Follow(t.schema, after)
	t.schema = after
	return nil
}

// setsOnly tells statements that change how others run, and nothing in a database.
func setsOnly(s statement.Statement) bool { return s.Is("set") || s.Is("reset") || s.Is("lock") }

func (t *tracer) snapshot(ctx context.Context) (*schema.Snapshot, error) {
	if t.open {
		return schema.Take(ctx, t.conn, t.options.Ignore...)
	}
	return schema.Of(ctx, t.conn, t.options.Ignore...)
}

// relations are those that production has. Its TOAST tables count as the tables they
// belong to.
func relations(ctx context.Context, conn *pgx.Conn, existing map[int64]bool) (map[int64]Relation, error) {
	rows, err := conn.Query(ctx, `
		select c.oid::int8, n.nspname || '.' || c.relname, c.relkind::text, c.relfilenode::int8,
		  coalesce((select m.nspname || '.' || p.relname from pg_class p join pg_namespace m on m.oid = p.relnamespace
		    where p.oid = case c.relkind when 't' then (select o.oid from pg_class o where o.reltoastrelid = c.oid)
		      else (select indrelid from pg_index where indexrelid = c.oid) end), n.nspname || '.' || c.relname)
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where (n.nspname !~ '^pg_' or n.nspname = 'pg_toast') and n.nspname <> 'information_schema' and c.oid >= 16384`)
	if err != nil {
		return nil, err
	}
	all := map[int64]Relation{}
	var r Relation
	_, err = pgx.ForEachRow(rows, []any{&r.OID, &r.Name, &r.Kind, &r.file, &r.Table}, func() error {
		if existing == nil || existing[r.OID] {
			all[r.OID] = r
		}
		return nil
	})
	return all, err
}

// Existing are the relations of a database as Options want them.
func Existing(ctx context.Context, conn *pgx.Conn) (map[int64]bool, error) {
	all, err := relations(ctx, conn, nil)
	if err != nil {
		return nil, err
	}
	oids := map[int64]bool{}
	for oid := range all {
		oids[oid] = true
	}
	return oids, nil
}

// locks compares with what was held before: by oid, since the name of a dropped table is
// gone while its lock is there.
func (t *tracer) locks(ctx context.Context, step *Step) error {
	rows, err := t.conn.Query(ctx, "select relation::int8, mode from pg_locks where pid = pg_backend_pid() and locktype = 'relation' and granted and mode <> 'SIReadLock'") // which nobody waits for
	if err != nil {
		return err
	}
	now := map[int64]Mode{}
	var oid int64
	var name string
	_, err = pgx.ForEachRow(rows, []any{&oid, &name}, func() error {
		mode, known := modes[name]
		if !known {
			return fmt.Errorf("unknown lock mode %s", name)
		}
		if _, counts := t.relations[oid]; counts {
			now[oid] = max(now[oid], mode)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for oid, mode := range now {
		if mode > t.held[oid] && mode > AccessShare {
			step.Locks = append(step.Locks, Lock{t.relations[oid], mode})
			t.held[oid] = mode
		}
	}
	sortLocks(step.Locks)
	return nil
}

// counters reads what the transaction has read as a whole and written, and gives what
// came since the last look.
func (t *tracer) counters(ctx context.Context) ([]Relation, []Rows, error) {
	rows, err := t.conn.Query(ctx, "select relid::int8, seq_scan, n_tup_ins, n_tup_upd, n_tup_del from pg_stat_xact_user_tables")
	if err != nil {
		return nil, nil, err
	}
	var scanned []Relation
	var written []Rows
	var oid, scans int64
	var r Rows
	_, err = pgx.ForEachRow(rows, []any{&oid, &scans, &r.Inserted, &r.Updated, &r.Deleted}, func() error {
		relation, counts := t.relations[oid]
		if !counts {
			return nil
		}
		if scans > t.scans[oid] {
			scanned = append(scanned, relation)
		}
		was := t.rows[oid]
		since := Rows{relation, r.Inserted - was.Inserted, r.Updated - was.Updated, r.Deleted - was.Deleted}
		if since.Inserted > 0 || since.Updated > 0 || since.Deleted > 0 {
			written = append(written, since)
		}
		t.scans[oid], t.rows[oid] = scans, r
		return nil
	})
	slices.SortFunc(scanned, byName)
	slices.SortFunc(written, func(a, b Rows) int { return byName(a.Relation, b.Relation) })
	return scanned, written, err
}

// files finds what was written anew: it is in another file then, even when it is empty.
func (t *tracer) files(ctx context.Context, step *Step) error {
	rows, err := t.conn.Query(ctx, "select oid::int8, relfilenode::int8 from pg_class where relkind in ('r', 'i', 'm')")
	if err != nil {
		return err
	}
	var oid, file int64
	_, err = pgx.ForEachRow(rows, []any{&oid, &file}, func() error {
		r, counts := t.relations[oid]
		if !counts || r.file == file {
			return nil
		}
		r.file = file
		t.relations[oid] = r
		if r.Kind == "i" {
			step.Rebuilt = append(step.Rebuilt, r)
		} else {
			step.Rewrote = append(step.Rewrote, r)
		}
		return nil
	})
	slices.SortFunc(step.Rebuilt, byName)
	slices.SortFunc(step.Rewrote, byName)
	return err
}

// leaks are what the session has now and did not have at the start, or has otherwise.
func (t *tracer) leaks(ctx context.Context) error {
	now, err := server.SessionOf(ctx, t.conn)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if value := now[name]; t.session[name] != value || value == "" {
			t.trace.Leaks = append(t.trace.Leaks, name)
		}
	}
	return nil
}

func byName(a, b Relation) int { return cmp.Compare(a.Name, b.Name) }

func sortLocks(locks []Lock) []Lock {
	slices.SortFunc(locks, func(a, b Lock) int { return cmp.Or(cmp.Compare(b.Mode, a.Mode), byName(a.Relation, b.Relation)) })
	return locks
}

// Strongest is the strongest lock on a table, materialized view or partitioned table
// that the trace took, and how long it was kept: from the start of the statement that
// took it to the end.
func (t *Trace) Strongest() (Lock, time.Duration) {
	var strongest Lock
	var from int
	for at, s := range t.Steps {
		for _, l := range s.Locks {
			if l.Relation.Kind != "i" && l.Relation.Kind != "t" && l.Relation.Kind != "S" && l.Mode > strongest.Mode {
				strongest, from = l, at
			}
		}
	}
	var kept time.Duration
	for _, s := range t.Steps[from:] {
		kept += s.Took
	}
	return strongest, kept
}
