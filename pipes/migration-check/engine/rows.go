package engine

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rows"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
)

// table is one to fill or to compare.
type table struct {
	name    string
	columns []column
	foreign []foreign
}

type column struct {
	name, declared string
	notNull        bool
	own            bool // filled by the database
	labels         []string
}

type foreign struct {
	column, to, refers string
}

// Contents reads all tables. Sums are taken here, not in the database, since SQLite has
// no function for them; the rows are few.
func (d *Database) Contents(ctx context.Context, ignore []string) (rows.Contents, error) {
	db := d.open()
	defer func() { _ = db.Close() }()
	tables, err := d.tables(ctx, db, ignore)
	if err != nil {
		return nil, err
	}
	all := rows.Contents{}
	for _, t := range tables {
		if all[t.name], err = contents(ctx, db, d, t); err != nil {
			return nil, fmt.Errorf("rows of %s: %w", t.name, err)
		}
	}
	return all, nil
}

func contents(ctx context.Context, db *sql.DB, d *Database, t *table) (rows.Table, error) {
	result := rows.Table{Columns: map[string]rows.Sum{}}
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = d.quote(c.name)
	}
	sums := make([]uint64, len(names))
	filled := make([]int64, len(names))
	found, err := db.QueryContext(ctx, "select "+strings.Join(names, ", ")+" from "+d.quote(t.name)) //nolint:gosec // the names are quoted
	if err != nil {
		return result, err
	}
	defer func() { _ = found.Close() }()
	cells := make([]sql.NullString, len(names))
	into := make([]any, len(names))
	for i := range cells {
		into[i] = &cells[i]
	}
	for found.Next() {
		if err := found.Scan(into...); err != nil {
			return result, err
		}
		result.Count++
		for i, c := range cells {
			if c.Valid {
				digest := sha256.Sum256([]byte(plain(c.String)))
				sums[i] += binary.BigEndian.Uint64(digest[:]) // in any order
				filled[i]++
			}
		}
	}
	for i, c := range t.columns {
		result.Columns[c.name] = rows.Sum{Type: c.declared, Hash: strconv.FormatUint(sums[i], 16), NotNull: filled[i]}
	}
	return result, found.Err()
}

var decimal = regexp.MustCompile(`^-?\d+\.\d+$`)

// plain is a value in a form that stays when its type changes and nothing is lost.
func plain(text string) string {
	if decimal.MatchString(text) {
		return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// Generate puts up to three rows into every table: a plain one, one with long values,
// and, with sparse, one with NULL wherever it is allowed.
func (d *Database) Generate(ctx context.Context, ignore []string, withSparse bool) (rows.Generated, error) {
	var g rows.Generated
	db := d.open()
	defer func() { _ = db.Close() }()
	tables, err := d.tables(ctx, db, ignore)
	if err != nil {
		return g, err
	}
	count := 2
	if withSparse {
		count = 3
	}
	values := map[string][]map[string]any{} // by table, what each row was given
	for _, t := range parentsFirst(tables) {
		var reason error
		for n := range count {
			row, columns, args := t.row(n, values)
			if _, err := db.ExecContext(ctx, d.insert(t.name, columns), args...); err != nil {
				reason = d.Server.Explain(err)
				continue
			}
			values[t.name] = append(values[t.name], row)
			g.Rows++
		}
		if len(values[t.name]) > 0 {
			g.Tables++
		} else {
			g.Bare = append(g.Bare, t.name)
			g.Empty = append(g.Empty, fmt.Sprintf("%s: %v", t.name, reason))
		}
	}
	return g, nil
}

// row is the n-th of a table. What refers to another table takes the value of a row there.
func (t *table) row(n int, values map[string][]map[string]any) (row map[string]any, columns []string, args []any) {
	row = map[string]any{}
	for _, c := range t.columns {
		if c.own || n == 2 && !c.notNull {
			continue
		}
		value := c.value(n)
		for _, f := range t.foreign {
			if f.column != c.name {
				continue
			}
			switch there := values[f.to]; {
			case f.to == t.name && !c.notNull, len(there) == 0:
				value = nil
			default:
				if v, ok := there[min(n, len(there)-1)][f.refers]; ok {
					value = v
				}
			}
		}
		row[c.name] = value
		columns, args = append(columns, c.name), append(args, value)
	}
	return row, columns, args
}

var typeLength = regexp.MustCompile(`\((\d+)(?:,\s*(\d+))?\)`)

// value is the n-th of a column: 1, 2, 3 as numbers, so that those that refer to each
// other fit.
func (c column) value(n int) any {
	declared := strings.ToLower(c.declared)
	is := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(declared, p) })
	}
	length := 0
	if m := typeLength.FindStringSubmatch(declared); m != nil {
		length, _ = strconv.Atoi(m[1]) // digits
	}
	switch {
	case len(c.labels) > 0:
		return c.labels[n%len(c.labels)]
	case is("bool", "bit", "tinyint(1)"):
		return n % 2
	case is("time", "date", "year"):
		return moment(declared, n)
	case is("int", "serial"):
		return n + 1
	case is("dec", "num"):
		if m := typeLength.FindStringSubmatch(declared); m != nil && m[2] != "" && m[2] != "0" {
			return fmt.Sprintf("%d.%s", n+1, strings.Repeat("7", number(m[2])))
		}
		return n + 1
	case is("real", "float", "double"):
		return float64(n) + 1.25
	case is("json"):
		return fmt.Sprintf(`{"n": %d}`, n+1)
	case is("uuid"):
		return fmt.Sprintf("0192f0c1-0000-4000-8000-00000000000%d", n+1)
	case is("char", "text", "clob", "blob", "binary"), declared == "":
		return text(n, length)
	}
	return nil
}

// moment is a time, a date, or both.
func moment(declared string, n int) any {
	switch {
	case strings.Contains(declared, "timestamp"), strings.Contains(declared, "datetime"):
		return fmt.Sprintf("2026-0%d-01 12:34:56", n+1)
	case strings.Contains(declared, "date"):
		return fmt.Sprintf("2026-0%d-01", n+1)
	case strings.Contains(declared, "year"):
		return 2026 + n
	}
	return fmt.Sprintf("12:34:5%d", n)
}

func number(digits string) int {
	n, _ := strconv.Atoi(digits) // digits, of a pattern
	return n
}

// text is as long as it may be in the second row, with letters beyond ASCII.
func text(n, length int) string {
	value := fmt.Sprintf("%d ordinary", n+1)
	if n == 1 {
		value = "2 Ünïcode " + strings.Repeat("x", max(0, min(length, 300)-10))
	}
	if runes := []rune(value); length > 0 && len(runes) > length {
		return string(runes[:length])
	}
	return value
}

// parentsFirst puts tables behind those they refer to; of a circle, in their order.
func parentsFirst(tables []*table) []*table {
	var all []*table
	done := map[string]bool{}
	for len(all) < len(tables) {
		next := slices.IndexFunc(tables, func(t *table) bool {
			return !done[t.name] && !slices.ContainsFunc(t.foreign, func(f foreign) bool {
				return f.to != t.name && !done[f.to] && slices.ContainsFunc(tables, func(o *table) bool { return o.name == f.to })
			})
		})
		if next < 0 {
			next = slices.IndexFunc(tables, func(t *table) bool { return !done[t.name] })
		}
		done[tables[next].name] = true
		all = append(all, tables[next])
	}
	return all
}

// insert is a statement with a mark for each column.
func insert(table string, columns []string, quote, none string) string {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = quote + c + quote
	}
	if len(columns) == 0 {
		return "insert into " + quote + table + quote + " " + none
	}
	return "insert into " + quote + table + quote + " (" + strings.Join(quoted, ", ") + ") values (?" + strings.Repeat(", ?", len(columns)-1) + ")"
}

// sqliteTables reads what there is to fill.
func sqliteTables(ctx context.Context, db *sql.DB, ignore []string) ([]*table, error) {
	var all []*table
	texts := map[string]string{}
	err := each(ctx, db, "select name, sql from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\' order by rowid", nil, func(r []string) {
		if !slices.Contains(ignore, r[0]) {
			all = append(all, &table{name: r[0]})
			texts[r[0]] = r[1]
		}
	})
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		err := each(ctx, db, "select name, type, \"notnull\", hidden from pragma_table_xinfo(?)", []any{t.name}, func(r []string) {
			t.columns = append(t.columns, column{name: r[0], declared: r[1], notNull: r[2] == "1", own: r[3] != "0"})
		})
		if err != nil {
			return nil, err
		}
		err = each(ctx, db, "select \"from\", \"table\", coalesce(\"to\", (select name from pragma_table_info(f.\"table\") where pk = 1)) from pragma_foreign_key_list(?) f", []any{t.name}, func(r []string) {
			t.foreign = append(t.foreign, foreign{column: r[0], to: r[1], refers: r[2]})
		})
		if err != nil {
			return nil, err
		}
		t.label(statement.SQLite, texts[t.name])
	}
	return all, nil
}
