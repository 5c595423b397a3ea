package engine

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
)

// mysqlObjects reads the schema of one database.
func mysqlObjects(ctx context.Context, db *sql.DB, name string, maria bool, ignore []string) ([]schema.Object, error) {
	r := &mysqlReader{ctx: ctx, db: db, name: name, ignore: ignore}
	r.each("select table_name, table_type, engine, table_collation, table_comment from information_schema.tables where table_schema = ?", func(c []string) {
		if c[1] == "VIEW" {
			r.views = append(r.views, c[0])
			return
		}
		r.add(c[0], schema.Object{Kind: "table", Name: c[0], Definition: strings.Join(c[2:], " "), Facts: schema.Facts{Relation: "r"}})
	})
	r.each("select table_name, view_definition, security_type from information_schema.views where table_schema = ?", func(c []string) {
		r.add(c[0], schema.Object{Kind: "view", Name: c[0], Definition: r.local(c[1]) + " " + c[2]})
	})
	r.columns()
	r.indexes()
	r.foreign()
	checks := "select t.table_name, c.constraint_name, c.check_clause from information_schema.check_constraints c join information_schema.table_constraints t using (constraint_schema, constraint_name) where c.constraint_schema = ? and t.constraint_type = 'CHECK'"
	if maria { // where names are the table's own, and those of columns are no constraints of the table
		checks = "select table_name, constraint_name, check_clause from information_schema.check_constraints where constraint_schema = ?"
	}
	r.each(checks, func(c []string) {
		r.add(c[0], schema.Object{Kind: "constraint", Name: c[0] + "." + c[1], Parent: c[0], Definition: r.local(c[2]), Facts: schema.Facts{Type: "c"}})
	})
	r.each("select event_object_table, trigger_name, concat(action_timing, ' ', event_manipulation), action_statement from information_schema.triggers where trigger_schema = ?", func(c []string) {
		r.add(c[0], schema.Object{Kind: "trigger", Name: c[0] + "." + c[1], Parent: c[0], Definition: c[2] + " " + c[3]})
	})
	r.routines()
	r.each("select event_name, event_definition, interval_value, interval_field, status from information_schema.events where event_schema = ?", func(c []string) {
		r.add("", schema.Object{Kind: "event", Name: c[0], Definition: strings.Join(c[1:], " ")})
	})
	return r.all, r.err
}

// mysqlReader keeps the first error.
type mysqlReader struct {
	ctx    context.Context //nolint:containedctx // it lives for one snapshot
	db     *sql.DB
	name   string
	ignore []string
	views  []string
	all    []schema.Object
	err    error
}

func (r *mysqlReader) each(query string, use func([]string)) {
	if r.err == nil {
		r.err = each(r.ctx, r.db, query, []any{r.name}, use)
	}
}

func (r *mysqlReader) add(table string, o schema.Object) {
	if !slices.Contains(r.ignore, table) {
		r.all = append(r.all, o)
	}
}

// local takes our database's name out of a definition.
func (r *mysqlReader) local(text string) string {
	return strings.ReplaceAll(text, "`"+r.name+"`.", "")
}

var enumLabel = regexp.MustCompile(`'((?:[^']|'')*)'`)

func labels(columnType string) []string {
	if !strings.HasPrefix(columnType, "enum(") {
		return nil
	}
	var all []string
	for _, m := range enumLabel.FindAllStringSubmatch(columnType, -1) {
		all = append(all, strings.ReplaceAll(m[1], "''", "'"))
	}
	return all
}

func (r *mysqlReader) columns() {
	r.each("select c.table_name, c.column_name, c.column_type, c.is_nullable, c.column_default, c.extra, case when t.table_collation <> c.collation_name then c.collation_name end,"+
		" c.generation_expression, c.column_comment, c.ordinal_position from information_schema.columns c join information_schema.tables t using (table_schema, table_name) where table_schema = ?", func(c []string) {
		relation := "r"
		if slices.Contains(r.views, c[0]) {
			relation = "v"
		}
		f := schema.Facts{Type: wordOf(c[2]), NotNull: c[3] == "NO", Default: c[4], Relation: relation}
		if c[4] == "NULL" { // as MariaDB writes none
			f.Default = ""
		}
		if strings.Contains(c[5], "auto_increment") {
			f.Identity = "d"
		}
		if c[7] != "" {
			f.Generated = "s"
		}
		var number int64
		_, _ = fmt.Sscan(c[9], &number) // a number
		r.add(c[0], schema.Object{Kind: "column", Name: c[0] + "." + c[1], Parent: c[0], Number: number, Definition: definitionOf(c), Facts: f})
		if values := labels(c[2]); values != nil {
			r.add(c[0], schema.Object{Kind: "enum", Name: c[0] + "." + c[1], Parent: c[0], Definition: strings.Join(values, ", "), Facts: schema.Facts{Labels: values}})
		}
	})
}

// definitionOf writes a column as people do.
func definitionOf(c []string) string {
	parts := []string{c[2]}
	if c[3] == "NO" {
		parts = append(parts, "not null")
	}
	for at, word := range map[int]string{4: "default ", 5: "", 6: "collate ", 7: "as ", 8: "comment "} {
		if c[at] != "" && (at != 4 || c[at] != "NULL") { // as MariaDB writes no default
			parts = append(parts, word+c[at])
		}
	}
	slices.Sort(parts[1:])
	return strings.Join(parts, " ")
}

// routines are functions and procedures. A call gives all of their arguments.
func (r *mysqlReader) routines() {
	arguments := map[string][]schema.Argument{}
	modes := map[string]string{"IN": "i", "OUT": "o", "INOUT": "b"}
	r.each("select specific_name, coalesce(parameter_name, ''), dtd_identifier, coalesce(parameter_mode, 'IN') from information_schema.parameters where specific_schema = ? and ordinal_position > 0 order by specific_name, ordinal_position", func(c []string) {
		arguments[c[0]] = append(arguments[c[0]], schema.Argument{Name: c[1], Type: wordOf(c[2]), Mode: modes[c[3]]})
	})
	r.each("select specific_name, routine_name, lower(routine_type), dtd_identifier, routine_definition, security_type from information_schema.routines where routine_schema = ?", func(c []string) {
		f := schema.Facts{Type: wordOf(c[3]), Arguments: arguments[c[0]], Required: len(arguments[c[0]])}
		parts := []string{c[3], c[4], c[5]}
		for _, a := range f.Arguments {
			parts = append(parts, strings.TrimSpace(a.Mode+" "+a.Name+" "+a.Type))
		}
		r.add("", schema.Object{Kind: c[2], Name: c[1], Definition: strings.Join(parts, " "), Facts: f})
	})
}

func (r *mysqlReader) indexes() {
	r.each("select table_name, index_name, max(non_unique), group_concat(coalesce(column_name, '(expression)') order by seq_in_index separator ', '),"+
		" group_concat(coalesce(sub_part, '') order by seq_in_index), max(index_type) from information_schema.statistics where table_schema = ? group by 1, 2", func(c []string) {
		o := schema.Object{
			Kind: "index", Name: c[0] + "." + c[1], Parent: c[0], Definition: strings.Join(c[2:], " "),
			Facts: schema.Facts{Unique: c[2] == "0", Columns: strings.Split(c[3], ", ")},
		}
		if c[1] == "PRIMARY" {
			o.Kind, o.Facts.Type = "constraint", "p"
		}
		r.add(c[0], o)
	})
}

func (r *mysqlReader) foreign() {
	r.each("select k.table_name, k.constraint_name, max(k.referenced_table_name), max(c.update_rule), max(c.delete_rule), group_concat(k.column_name order by k.ordinal_position separator ', '),"+
		" group_concat(k.referenced_column_name order by k.ordinal_position) from information_schema.key_column_usage k join information_schema.referential_constraints c"+
		" on c.constraint_schema = k.constraint_schema and c.constraint_name = k.constraint_name and c.table_name = k.table_name"+
		" where k.constraint_schema = ? and k.referenced_table_name is not null group by 1, 2", func(c []string) {
		f := schema.Facts{Type: "f", References: c[2], Columns: strings.Split(c[5], ", ")}
		if c[4] == "CASCADE" {
			f.OnDelete = "c"
		}
		r.add(c[0], schema.Object{Kind: "constraint", Name: c[0] + "." + c[1], Parent: c[0], Definition: strings.Join(c[2:], " "), Facts: f})
	})
}

var mysqlType = regexp.MustCompile(`^([a-z]+)(\([0-9, ]+\))?(.*)$`)

// wordOf is a type in the words of the rules, which know what holds the values of what.
func wordOf(columnType string) string {
	m := mysqlType.FindStringSubmatch(columnType)
	if m == nil {
		return columnType
	}
	words := map[string]string{
		"int": "integer", "mediumint": "integer", "smallint": "smallint", "tinyint": "smallint", "bigint": "bigint", "decimal": "numeric" + m[2],
		"varchar": "character varying" + m[2], "char": "character" + m[2], "text": "text", "mediumtext": "text", "longtext": "text", "float": "real", "double": "double precision",
	}
	switch word, known := words[m[1]]; {
	case strings.HasPrefix(columnType, "enum("):
		return "enum"
	case known && m[3] == "":
		return word
	}
	return columnType
}

// mysqlTables reads what there is to fill.
func mysqlTables(ctx context.Context, db *sql.DB, ignore []string) ([]*table, error) {
	var all []*table
	byName := map[string]*table{}
	err := each(ctx, db, "select c.table_name, c.column_name, c.column_type, c.is_nullable, concat(c.extra, c.generation_expression) from information_schema.columns c"+
		" join information_schema.tables t using (table_schema, table_name) where table_schema = database() and t.table_type = 'BASE TABLE' order by t.create_time, c.table_name, c.ordinal_position", nil, func(r []string) {
		if slices.Contains(ignore, r[0]) {
			return
		}
		if byName[r[0]] == nil {
			byName[r[0]] = &table{name: r[0]}
			all = append(all, byName[r[0]])
		}
		own := strings.Contains(r[4], "auto_increment") || strings.Contains(strings.ToLower(r[4]), "generated") || strings.Contains(r[4], "(")
		byName[r[0]].columns = append(byName[r[0]].columns, column{name: r[1], declared: r[2], notNull: r[3] == "NO", own: own && !strings.Contains(r[4], "current_timestamp"), labels: labels(r[2])})
	})
	if err != nil {
		return nil, err
	}
	err = each(ctx, db, "select table_name, column_name, referenced_table_name, referenced_column_name from information_schema.key_column_usage where table_schema = database() and referenced_table_name is not null", nil, func(r []string) {
		if t := byName[r[0]]; t != nil {
			t.foreign = append(t.foreign, foreign{column: r[1], to: r[2], refers: r[3]})
		}
	})
	for _, t := range all {
		if err == nil {
			err = each(ctx, db, "show create table `"+strings.ReplaceAll(t.name, "`", "``")+"`", nil, func(r []string) { t.label(statement.MySQL, r[1]) })
		}
	}
	return all, err
}
