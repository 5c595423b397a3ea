package rows

import (
	"cmp"
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
	own          bool     // filled by a sequence, identity or expression
	labels       []string // values of an enum, or those that a check names
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

// catalogue lists the columns of all tables. Checks that name the values of one column, as
// in x IN ('a', 'b'), or the least of them, are known by their form.
const catalogue = `with named as (
	  select k.conrelid, k.contypid, k.conkey[1] as att,
	    (array_agg(replace(l.found[1], '''''', '''') order by l.n))[1:case when k.text ~ '= ANY' then 1000 else 1 end] as labels
	  from (select *, pg_get_constraintdef(oid) as text from pg_constraint where contype = 'c' and (contypid <> 0 or cardinality(conkey) = 1)) k,
	    regexp_matches(k.text, '''((?:[^'']|'''')*)''::', 'g') with ordinality l(found, n)
	  where k.text ~ '= ANY|>= ''' and k.text !~ '<> ALL| NOT ' group by k.oid, k.conrelid, k.contypid, k.conkey, k.text)
	select c.oid::int8, n.nspname || '.' || c.relname, quote_ident(n.nspname) || '.' || quote_ident(c.relname), quote_ident(a.attname),
	  format_type(a.atttypid, a.atttypmod), coalesce(b.typname, t.typname)::text, coalesce(b.typcategory, t.typcategory)::text,
	  case when t.typtype = 'd' then t.typtypmod else a.atttypmod end, a.attnotnull or t.typnotnull,
	  a.attidentity <> '' or a.attgenerated <> '' or coalesce(pg_get_expr(d.adbin, d.adrelid) like 'nextval(%', false),
	  coalesce((select array_agg(e.enumlabel::text order by e.enumsortorder) from pg_enum e where e.enumtypid = coalesce(b.oid, t.oid)),
	    (select k.labels from named k where k.conrelid = c.oid and k.att = a.attnum limit 1),
	    (select k.labels from named k where t.typtype = 'd' and k.contypid = t.oid limit 1), '{}')
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
	Bare   []string // their names
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
		made, reason := fill(ctx, conn, t, kinds)
		if conn.IsClosed() {
			return g, fmt.Errorf("generating rows: %w", reason)
		}
		g.Rows += made
		if made > 0 {
			g.Tables++
		} else {
			g.Bare = append(g.Bare, t.name)
			g.Empty = append(g.Empty, fmt.Sprintf("%s: %v", t.name, reason))
		}
	}
	return g, nil
}

// fill adds a row of each kind, at once where all are accepted: a statement for each takes
// twice as long. Otherwise one after the other, with another kind in the place of one that
// is refused.
func fill(ctx context.Context, conn *pgx.Conn, t *table, kinds []int) (made int, reason error) {
	if !t.refersToItself() {
		if _, err := conn.Exec(ctx, t.insert(kinds, 0)); err == nil {
			return len(kinds), nil
		}
	}
	for k, kind := range kinds {
		var err error
		for _, try := range instead[kind] {
			if _, err = conn.Exec(ctx, t.insert([]int{try}, k)); err == nil || conn.IsClosed() {
				break
			}
		}
		if err != nil {
			reason = err
			continue
		}
		made++
	}
	return made, reason
}

// instead are the kinds to try for each.
var instead = map[int][]int{full: {full, sparse}, edge: {edge, full}, sparse: {sparse}}

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

// refersToItself tells a table whose rows need others of it to be there.
func (t *table) refersToItself() bool {
	return slices.ContainsFunc(t.foreign, func(f foreign) bool { return f.to == t.oid })
}

// insert is the statement for rows of some kinds, the first of which has the number. What
// one of them leaves out has its default there, or NULL.
func (t *table) insert(kinds []int, number int) string {
	given := make([][]string, len(kinds)) // the values of a row, by column
	var names []string
	for _, c := range t.columns {
		column, any := make([]string, len(kinds)), false
		for k, kind := range kinds {
			column[k] = t.value(c, kind, number+k)
			any = any || column[k] != ""
		}
		if !any {
			continue
		}
		names = append(names, c.name)
		for k := range kinds {
			given[k] = append(given[k], cmp.Or(column[k], "default"))
		}
	}
	if len(names) == 0 {
		return strings.Repeat("insert into "+t.quoted+" default values;", len(kinds))
	}
	all := make([]string, len(kinds))
	for k, values := range given {
		all[k] = "(" + strings.Join(values, ", ") + ")"
	}
	return fmt.Sprintf("insert into %s (%s) values %s", t.quoted, strings.Join(names, ", "), strings.Join(all, ", "))
}

// value is an expression for a column of the n-th row; "" leaves it out: one that fills
// itself, or of a type we know no value of.
func (t *table) value(c column, kind, n int) string {
	if c.own || kind == sparse && !c.notNull {
		return ""
	}
	value := c.value(kind, n+1)
	for _, f := range t.foreign {
		if at := slices.Index(f.columns, c.name); at >= 0 {
			value = fmt.Sprintf("(select %s from %s order by ctid offset %d limit 1)", f.refers[at], f.toName, n)
			if f.to == t.oid && !c.notNull {
				value = "null"
			}
		}
	}
	return value
}
