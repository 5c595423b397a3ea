package rows

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Kinds of rows to generate.
const (
	full   = iota // every column has a value
	edge          // the longest and oddest values that fit
	sparse        // NULL wherever it is allowed
)

// column is one that a row may give.
type column struct {
	name, format string // quoted; the type in full
	base         string // typname of the type, of a domain's base type
	category     string
	mod          int32
	notNull      bool
	own          bool // filled by a sequence, identity or expression
	labels       []string
}

// table is one to fill.
type table struct {
	oid     int64
	name    string // full
	quoted  string
	columns []column
	foreign []foreign
}

type foreign struct {
	to      int64 // oid of the table
	toName  string
	columns []string // quoted
	refers  []string
}

const catalogue = `select c.oid::int8, n.nspname || '.' || c.relname, quote_ident(n.nspname) || '.' || quote_ident(c.relname), quote_ident(a.attname),
	  format_type(a.atttypid, a.atttypmod), coalesce(b.typname, t.typname)::text, coalesce(b.typcategory, t.typcategory)::text,
	  case when t.typtype = 'd' then t.typtypmod else a.atttypmod end, a.attnotnull or t.typnotnull,
	  a.attidentity <> '' or a.attgenerated <> '' or coalesce(pg_get_expr(d.adbin, d.adrelid) like 'nextval(%', false),
	  coalesce((select array_agg(e.enumlabel::text order by e.enumsortorder) from pg_enum e where e.enumtypid = coalesce(b.oid, t.oid)), '{}')
	from pg_class c join pg_namespace n on n.oid = c.relnamespace
	join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
	join pg_type t on t.oid = a.atttypid left join pg_type b on t.typtype = 'd' and b.oid = t.typbasetype
	left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
	where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
	  and not n.nspname || '.' || c.relname = any ($1) order by c.oid, a.attnum`

const keys = `select k.conrelid::int8, k.confrelid::int8, k.confrelid::regclass::text,
	  (select array_agg(quote_ident(a.attname) order by p.n) from unnest(k.conkey) with ordinality p(att, n) join pg_attribute a on a.attrelid = k.conrelid and a.attnum = p.att),
	  (select array_agg(quote_ident(a.attname) order by p.n) from unnest(k.confkey) with ordinality p(att, n) join pg_attribute a on a.attrelid = k.confrelid and a.attnum = p.att)
	from pg_constraint k where k.contype = 'f'`

// Generated says what was filled.
type Generated struct {
	Tables int
	Rows   int
	Empty  []string // tables without a row, with the reason
}

// Generate puts up to three rows into every table: a plain one, one with long and odd
// values, and, with sparse, one with NULL wherever it is allowed. Checks and triggers may
// refuse any of them; then the table has fewer.
func Generate(ctx context.Context, conn *pgx.Conn, ignore []string, withSparse bool) (Generated, error) {
	var g Generated
	tables, err := read(ctx, conn, ignore)
	if err != nil {
		return g, fmt.Errorf("generating rows: %w", err)
	}
	kinds := []int{full, edge}
	if withSparse {
		kinds = append(kinds, sparse)
	}
	for _, t := range ordered(tables) {
		made := 0
		var reason error
		for k, kind := range kinds {
			err := insert(ctx, conn, t, kind, k)
			if err != nil && kind == edge {
				err = insert(ctx, conn, t, full, k)
			}
			if err != nil && kind == full {
				err = insert(ctx, conn, t, sparse, k)
			}
			if conn.IsClosed() {
				return g, fmt.Errorf("generating rows: %w", err)
			}
			if err != nil {
				reason = err
				continue
			}
			made++
		}
		g.Rows += made
		if made > 0 {
			g.Tables++
		} else {
			g.Empty = append(g.Empty, fmt.Sprintf("%s: %v", t.name, reason))
		}
	}
	return g, nil
}

func read(ctx context.Context, conn *pgx.Conn, ignore []string) ([]*table, error) {
	found, err := conn.Query(ctx, catalogue, ignore)
	if err != nil {
		return nil, err
	}
	var all []*table
	byOID := map[int64]*table{}
	var oid int64
	var name, quoted string
	var c column
	_, err = pgx.ForEachRow(found, []any{&oid, &name, &quoted, &c.name, &c.format, &c.base, &c.category, &c.mod, &c.notNull, &c.own, &c.labels}, func() error {
		if byOID[oid] == nil {
			byOID[oid] = &table{oid: oid, name: name, quoted: quoted}
			all = append(all, byOID[oid])
		}
		byOID[oid].columns = append(byOID[oid].columns, c)
		c.labels = nil
		return nil
	})
	if err != nil {
		return nil, err
	}
	found, err = conn.Query(ctx, keys)
	if err != nil {
		return nil, err
	}
	var f foreign
	_, err = pgx.ForEachRow(found, []any{&oid, &f.to, &f.toName, &f.columns, &f.refers}, func() error {
		if t := byOID[oid]; t != nil {
			t.foreign = append(t.foreign, f)
		}
		f.columns, f.refers = nil, nil
		return nil
	})
	return all, err
}

// ordered puts tables behind those they refer to; of a circle, in the order made.
func ordered(tables []*table) []*table {
	var all []*table
	done := map[int64]bool{}
	for len(all) < len(tables) {
		before := len(all)
		for _, t := range tables {
			waits := slices.ContainsFunc(t.foreign, func(f foreign) bool {
				return f.to != t.oid && !done[f.to] && slices.ContainsFunc(tables, func(o *table) bool { return o.oid == f.to })
			})
			if !done[t.oid] && !waits {
				done[t.oid] = true
				all = append(all, t)
			}
		}
		if len(all) == before {
			for _, t := range tables {
				if !done[t.oid] {
					done[t.oid] = true
					all = append(all, t)
					break
				}
			}
		}
	}
	return all
}

// insert adds one row. A statement of its own is a transaction of its own.
func insert(ctx context.Context, conn *pgx.Conn, t *table, kind, number int) error {
	var names, values []string
	for _, c := range t.columns {
		if c.own || kind == sparse && !c.notNull {
			continue
		}
		value := c.value(kind, number+1)
		for _, f := range t.foreign {
			if at := slices.Index(f.columns, c.name); at >= 0 {
				value = fmt.Sprintf("(select %s from %s order by ctid offset %d limit 1)", f.refers[at], f.toName, number)
				if f.to == t.oid && !c.notNull {
					value = "null"
				}
			}
		}
		if value == "" {
			continue // a type we know no value of: its default, or NULL
		}
		names, values = append(names, c.name), append(values, value)
	}
	sql := "insert into " + t.quoted + " default values"
	if len(names) > 0 {
		sql = fmt.Sprintf("insert into %s (%s) values (%s)", t.quoted, strings.Join(names, ", "), strings.Join(values, ", "))
	}
	_, err := conn.Exec(ctx, sql)
	return err
}
