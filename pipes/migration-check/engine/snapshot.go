package engine

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
)

func identity(k schema.Key) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(k.Kind + "\x00" + k.Name)) // a hash takes everything
	return int64(h.Sum64() >> 1)
}

// each reads all rows of a query as text; NULL is "".
func each(ctx context.Context, db *sql.DB, query string, args []any, use func(row []string)) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("snapshot of the schema: %w", err)
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	cells := make([]sql.NullString, len(names))
	into := make([]any, len(names))
	for i := range cells {
		into[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("snapshot of the schema: %w", err)
		}
		row := make([]string, len(cells))
		for i, c := range cells {
			row[i] = c.String
		}
		use(row)
	}
	return rows.Err()
}

// sqliteObjects reads the schema of an SQLite file. The text that made a table is not its
// definition: ALTER TABLE and a rebuild leave other texts for the same table.
func sqliteObjects(ctx context.Context, db *sql.DB, ignore []string) ([]schema.Object, error) {
	var all []schema.Object
	var tables []string
	texts := map[string]string{}
	err := each(ctx, db, "select type, name, tbl_name, sql from sqlite_schema where name not like 'sqlite\\_%' escape '\\'", nil, func(r []string) {
		switch {
		case slices.Contains(ignore, r[2]):
		case r[0] == "table":
			tables = append(tables, r[1])
			texts[r[1]] = r[3]
		case r[0] == "view":
			tables = append(tables, r[1])
			all = append(all, schema.Object{Kind: "view", Name: r[1], Definition: words(r[3])})
		case r[0] == "trigger":
			all = append(all, schema.Object{Kind: "trigger", Name: r[2] + "." + r[1], Parent: r[2], Definition: words(r[3])})
		}
	})
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		text, isTable := texts[t]
		relation := "v"
		if isTable {
			relation = "r"
			all = append(all, schema.Object{Kind: "table", Name: t, Definition: tableOptions(text), Facts: schema.Facts{Relation: "r"}})
		}
		parts, err := sqliteParts(ctx, db, t, relation)
		if err != nil {
			return nil, err
		}
		all = append(all, parts...)
	}
	return all, nil
}

// sqliteParts are columns, indexes and foreign keys of a table.
func sqliteParts(ctx context.Context, db *sql.DB, table, relation string) ([]schema.Object, error) {
	var all []schema.Object
	var keys []string
	number := int64(0)
	err := each(ctx, db, "select name, type, \"notnull\", dflt_value, pk, hidden from pragma_table_xinfo(?)", []any{table}, func(r []string) {
		number++
		f := schema.Facts{Type: affinity(r[1]), NotNull: r[2] == "1", Default: r[3], Relation: relation}
		if r[4] != "0" {
			keys = append(keys, r[0])
			if strings.EqualFold(r[1], "integer") {
				f.Identity = "d" // filled when an INSERT leaves it out
			}
		}
		if r[5] == "2" || r[5] == "3" {
			f.Generated = "s"
		}
		definition := strings.TrimSpace(r[1] + " " + map[string]string{"1": "not null"}[r[2]])
		if r[3] != "" {
			definition += " default " + r[3]
		}
		all = append(all, schema.Object{Kind: "column", Name: table + "." + r[0], Parent: table, Number: number, Definition: definition + map[string]string{"2": " generated", "3": " stored"}[r[5]], Facts: f})
	})
	if err != nil {
		return nil, err
	}
	if len(keys) > 0 {
		all = append(all, schema.Object{Kind: "constraint", Name: table + ".primary key", Parent: table, Definition: strings.Join(keys, ", "), Facts: schema.Facts{Type: "p", Columns: keys}})
	}
	type index struct{ name, unique, origin, partial string }
	var indexes []index
	err = each(ctx, db, "select name, \"unique\", origin, partial from pragma_index_list(?)", []any{table}, func(r []string) {
		indexes = append(indexes, index{r[0], r[1], r[2], r[3]})
	})
	if err != nil {
		return nil, err
	}
	for _, i := range indexes {
		var columns []string
		if err := each(ctx, db, "select coalesce(name, '(expression)') || case \"desc\" when 1 then ' desc' else '' end from pragma_index_xinfo(?) where key = 1", []any{i.name},
			func(r []string) { columns = append(columns, r[0]) }); err != nil {
			return nil, err
		}
		var text string
		if err := each(ctx, db, "select sql from sqlite_schema where name = ?", []any{i.name}, func(r []string) { text = r[0] }); err != nil {
			return nil, err
		}
		o := schema.Object{Kind: "index", Name: table + "." + i.name, Parent: table, Definition: words(text), Facts: schema.Facts{Unique: i.unique == "1", Partial: i.partial == "1", Columns: columns}}
		switch i.origin {
		case "pk":
			continue
		case "u":
			o.Kind, o.Name, o.Definition, o.Facts.Type = "constraint", table+".unique ("+strings.Join(columns, ", ")+")", "unique", "u"
		}
		all = append(all, o)
	}
	foreign, err := sqliteForeign(ctx, db, table)
	return append(all, foreign...), err
}

func sqliteForeign(ctx context.Context, db *sql.DB, table string) ([]schema.Object, error) {
	var order []string
	byID := map[string]*schema.Object{}
	refers := map[string][]string{}
	err := each(ctx, db, "select id, \"table\", \"from\", \"to\", on_update, on_delete from pragma_foreign_key_list(?) order by id, seq", []any{table}, func(r []string) {
		o := byID[r[0]]
		if o == nil {
			order = append(order, r[0])
			o = &schema.Object{Kind: "constraint", Parent: table, Definition: "on update " + r[4] + " on delete " + r[5], Facts: schema.Facts{Type: "f", References: r[1]}}
			if r[5] == "CASCADE" {
				o.Facts.OnDelete = "c"
			}
			byID[r[0]] = o
		}
		o.Facts.Columns = append(o.Facts.Columns, r[2])
		refers[r[0]] = append(refers[r[0]], r[3])
	})
	var all []schema.Object
	for _, id := range order {
		o := byID[id]
		o.Name = fmt.Sprintf("%s.foreign key (%s)", table, strings.Join(o.Facts.Columns, ", "))
		to := o.Facts.References
		if refers[id][0] != "" { // else its primary key
			to += " (" + strings.Join(refers[id], ", ") + ")"
		}
		o.Definition = "references " + to + " " + o.Definition
		all = append(all, *o)
	}
	return all, err
}

// affinity is the type by which SQLite keeps values, in the words of the rules.
func affinity(declared string) string {
	t := strings.ToUpper(declared)
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(t, p) })
	}
	switch {
	case has("INT"):
		return "bigint"
	case has("CHAR", "CLOB", "TEXT"):
		return "text"
	case t == "" || has("BLOB"):
		return "blob"
	case has("REAL", "FLOAT", "DOUBLE"):
		return "double precision"
	}
	return "numeric"
}

// words is a text without what does not matter in it: comments, white space, quotes.
func words(text string) string {
	var parts []string
	for _, s := range statement.SQLite.Split(text) {
		for _, t := range s.Tokens {
			parts = append(parts, strings.Trim(t.Text, "`\""))
		}
	}
	return strings.Join(parts, " ")
}

// tableOptions are what columns, indexes and foreign keys do not tell of a table: its
// checks, and how it is kept.
func tableOptions(text string) string {
	var parts []string
	for _, s := range statement.SQLite.Split(text) {
		for at := 0; at < len(s.Tokens); at++ {
			t := s.Tokens[at]
			switch {
			case t.Kind != statement.Word:
			case t.Text == "autoincrement", t.Text == "strict", t.Text == "rowid":
				parts = append(parts, t.Text)
			case t.Text == "check" || t.Text == "collate":
				var b strings.Builder
				b.WriteString(t.Text)
				for at++; at < len(s.Tokens); at++ {
					b.WriteString(" " + strings.Trim(s.Tokens[at].Text, "`\""))
					if t.Text == "collate" || s.Tokens[at].Text == ")" && s.Tokens[at].Depth <= t.Depth {
						break
					}
				}
				parts = append(parts, b.String())
			}
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}
