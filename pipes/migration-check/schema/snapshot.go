// Package schema takes snapshots of a database's schema from its catalogue, tells what
// differs between two, and gives a schema a fingerprint.
package schema

import (
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/jackc/pgx/v5"
)

//go:embed snapshot.sql
var query string

// Object is one thing of a schema.
type Object struct {
	Kind       string // table, column, index, …: the word for people
	Name       string // in full: public.users.email
	Parent     string // the relation it belongs to, or its schema
	Definition string // equal text is equal schema
	OID        int64  // of the object, for columns and comments of their relation
	Number     int64  // of a column in its relation: stays when the column is renamed
	Facts      Facts
}

// Facts are parts of a definition that rules ask for. Those of other kinds are zero.
type Facts struct {
	Type       string   `json:"type"` // of a column's values, a constraint (p, u, c, f, x, t), a function's result
	NotNull    bool     `json:"not_null"`
	Default    string   `json:"default"`
	Identity   string   `json:"identity"`  // a: always, d: by default
	Generated  string   `json:"generated"` // s: stored, v: virtual
	Relation   string   `json:"relation"`  // of a column: relkind of what it belongs to
	RLS        bool     `json:"rls"`
	Partition  bool     `json:"partition"`
	Valid      bool     `json:"valid"`
	Unique     bool     `json:"unique"`
	Partial    bool     `json:"partial"`
	OnDelete   string   `json:"on_delete"` // c: cascade, a: no action, …
	References string   `json:"references"`
	Columns    []string `json:"columns"`
	Labels     []string `json:"labels"`
	Of         int64    `json:"of"`      // the relation whose columns are meant
	Numbers    []int64  `json:"numbers"` // of the columns, in it

	Arguments []Argument `json:"arguments"` // of a function, in and out
	Required  int        `json:"required"`  // how many of those that go in a call must give
}

// Argument is one of a function.
type Argument struct {
	Name string `json:"name"` // "" is none
	Type string `json:"type"`
	Mode string `json:"mode"` // i: in, o: out, b: both, v: variadic, t: a column of the table that it returns
}

// FillsItself tells a column that an INSERT may leave out.
func (f Facts) FillsItself() bool { return f.Default != "" || f.Identity != "" || f.Generated != "" }

// Key identifies an object between two snapshots.
type Key struct{ Kind, Name string }

// Key is the object's.
func (o Object) Key() Key { return Key{o.Kind, o.Name} }

// String is the object as people write it: "column public.users.email".
func (o Object) String() string { return o.Kind + " " + o.Name }

// Snapshot is a whole schema, sorted by kind and name.
type Snapshot struct {
	Objects []Object
	byKey   map[Key]int
}

// Find looks one up.
func (s *Snapshot) Find(kind, name string) (Object, bool) {
	at, ok := s.byKey[Key{kind, name}]
	if !ok {
		return Object{}, false
	}
	return s.Objects[at], true
}

// Of lists the objects of a kind.
func (s *Snapshot) Of(kind string) []Object {
	var all []Object
	for _, o := range s.Objects {
		if o.Kind == kind {
			all = append(all, o)
		}
	}
	return all
}

// Querier is a connection, or a transaction on one.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Take reads the schema as db sees it: inside a transaction with its changes. Ignored
// are tables by name ("public.schema_migrations") and what hangs on them. The search
// path is as before afterwards, for this transaction and for the session; db must be
// in a transaction, or the first two steps are of no effect on the third.
func Take(ctx context.Context, db Querier, ignore ...string) (*Snapshot, error) {
	var path, ignored string
	err := db.QueryRow(ctx, "select current_setting('search_path'), set_config('search_path', 'pg_catalog', true)").Scan(&path, &ignored)
	if err != nil {
		return nil, fmt.Errorf("snapshot of the schema: %w", err)
	}
	if ignore == nil {
		ignore = []string{}
	}
	rows, err := db.Query(ctx, query, ignore)
	if err != nil {
		return nil, fmt.Errorf("snapshot of the schema: %w", err)
	}
	objects, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, fmt.Errorf("snapshot of the schema: %w", err)
	}
	if err := db.QueryRow(ctx, "select set_config('search_path', $1, true)", path).Scan(&ignored); err != nil {
		return nil, fmt.Errorf("snapshot of the schema: %w", err)
	}
	nameColumns(objects)
	return newSnapshot(objects), nil
}

// nameColumns gives the columns of constraints and indexes their names. Done by the server
// for each of them it would take as long as everything else.
func nameColumns(objects []Object) {
	type number struct{ relation, column int64 }
	names := map[number]string{}
	for _, o := range objects {
		if o.Kind == "column" {
			names[number{o.OID, o.Number}] = o.Name[len(o.Parent)+1:]
		}
	}
	for i := range objects {
		for _, n := range objects[i].Facts.Numbers {
			if name, ok := names[number{objects[i].Facts.Of, n}]; ok { // 0 is an expression
				objects[i].Facts.Columns = append(objects[i].Facts.Columns, name)
			}
		}
	}
}

func scan(row pgx.CollectableRow) (Object, error) {
	var o Object
	var definition *string
	var facts string
	if err := row.Scan(&o.Kind, &o.Name, &o.Parent, &definition, &o.OID, &o.Number, &facts); err != nil {
		return o, err
	}
	if definition != nil {
		o.Definition = *definition
	}
	if facts == "" {
		return o, nil
	}
	return o, json.Unmarshal([]byte(facts), &o.Facts)
}

// New is the snapshot of objects that were read elsewhere.
func New(objects []Object) *Snapshot { return newSnapshot(objects) }

func newSnapshot(objects []Object) *Snapshot {
	slices.SortFunc(objects, func(a, b Object) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	s := &Snapshot{Objects: objects, byKey: make(map[Key]int, len(objects))}
	for i, o := range objects {
		s.byKey[o.Key()] = i
	}
	return s
}

// Of takes the snapshot of what is committed, in a transaction of its own.
func Of(ctx context.Context, conn *pgx.Conn, ignore ...string) (*Snapshot, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("snapshot of the schema: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was changed
	return Take(ctx, tx, ignore...)
}

// Fingerprint is 64 hex digits that two databases share exactly when their schemas are
// equal. The order of columns does not count: up, down and up again moves them.
func (s *Snapshot) Fingerprint() string {
	digest := sha256.New()
	for _, o := range s.Objects {
		for _, part := range []string{o.Kind, o.Name, o.Definition} {
			fmt.Fprintf(digest, "%d:", len(part))
			_, _ = io.WriteString(digest, part) // a hash takes everything
		}
	}
	return hex.EncodeToString(digest.Sum(nil))
}
