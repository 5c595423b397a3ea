package folder

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func files(names ...string) []File {
	var all []File
	for _, n := range names {
		name, text, ok := strings.Cut(n, "=")
		if !ok {
			text = "select 1;"
		}
		all = append(all, File{Name: name, Text: text})
	}
	return all
}

func read(names ...string) *Folder { return Read(GolangMigrate, "db/migrations", files(names...)) }

// TestNames is the table of how golang-migrate treats names.
func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"1_a.up.sql": "1", "20260101120000_x.up.sql": "20260101120000", "1_.up.sql": "1", "1_a.up.SQL": "1", "1_a.up.": "1",
		"1_a.up.sql.bak": "1", "0001_a.up.sql": "1", "0_a.up.sql": "0", "18446744073709551615_a.up.sql": "18446744073709551615",
		"a.sql": "ignored", "1_a.sql": "ignored", "1-a.up.sql": "ignored", "1_a.Up.sql": "ignored", "sub/1_a.up.sql": "ignored",
		"18446744073709551616_a.up.sql": "ignored", "README.md": "other", "atlas.sum": "other", "embed.go": "other", ".hidden.sql": "other",
	} {
		f := read(name)
		got := "other"
		switch {
		case len(f.Migrations) == 1:
			got = f.Migrations[0].Version.String()
		case len(f.Ignored) == 1:
			got = "ignored"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestOrderIsNumeric(t *testing.T) {
	t.Parallel()
	got := ""
	for _, m := range read("10_c.up.sql", "9_b.up.sql", "001_a.up.sql", "9_b.down.sql").Migrations {
		got += m.Name() + " "
	}
	if got != "1_a 9_b 10_c " {
		t.Error(got)
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		format string
		names  []string
		want   string
	}{
		{"flyway", []string{"V1__a.sql", "V1.10__c.sql", "V1_2__b.sql", "U1__a.sql", "R__views.sql", "afterMigrate.sql"}, "1_a(down) 1.2_b 1.10_c R__views | "},
		{"dbmate", []string{"2_b.sql=-- migrate:up\nselect 2;\n-- migrate:down\nselect 3;\n", "1_a.sql=-- migrate:up transaction:false\nselect 1\n"}, "1_a 2_b(down) | "},
		{"goose", []string{"1_a.sql=-- +goose Up\nselect 2;\n-- +goose Down\nselect 3;\n"}, "1_a(down) | "},
		{"prisma", []string{"20260101_a/migration.sql", "20260102_b/migration.sql", "migration_lock.toml"}, "20260101_a 20260102_b | "},
		{"sqlx", []string{"1_a.sql", "2_b.up.sql", "2_b.down.sql"}, "1_a 2_b(down) | "},
	} {
		format, err := Guess("m", files(c.names...))
		if err != nil || format.Name != c.format {
			t.Errorf("%v: %s %v, want %s", c.names, format.Name, err, c.format)
			continue
		}
		f := Read(format, "m", files(c.names...))
		var got []string
		for _, m := range f.Migrations {
			name := m.Name()
			if m.Down.Exists() {
				name += "(down)"
			}
			got = append(got, name)
		}
		if all := strings.Join(got, " ") + " | " + strings.Join(f.Ignored, " "); all != c.want {
			t.Errorf("%s: %s, want %s", c.format, all, c.want)
		}
	}
	f := Read(Dbmate, "m", files("2_b.sql=-- migrate:up\nselect 2;\n-- migrate:down\nselect 3;\n"))
	if diff := cmp.Diff("\n\n-- migrate:down\nselect 3;\n", f.Migrations[0].Down.Text); diff != "" {
		t.Error(diff)
	}
}

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// TestIntegrity has for each rule what must be found and what must not.
func TestIntegrity(t *testing.T) {
	t.Parallel()
	base := []string{"1_a.up.sql=create table a ();", "1_a.down.sql=drop table a;", "2_b.up.sql", "2_b.down.sql"}
	with := func(more ...string) []string { return append(append([]string{}, base...), more...) }
	for _, c := range []struct {
		name            string
		base, head, tip []string
		want            string // rule file:line, …
	}{
		{"nothing new", base, base, nil, ""},
		{"new", base, with("3_c.up.sql", "3_c.down.sql"), nil, ""},
		{"edited", base, []string{"1_a.up.sql=create table\nb ();", base[1], base[2], base[3]}, nil, "I01 1_a.up.sql:1"},
		{"comment edited", base, []string{"1_a.up.sql=-- why\nCREATE TABLE a ( );", base[1], base[2], base[3]}, nil, ""},
		{"down edited", base, []string{base[0], "1_a.down.sql=drop table a cascade;", base[2], base[3]}, nil, "I01 1_a.down.sql:1"},
		{"deleted", base, base[2:], nil, "I02 :0, I02 :0"},
		{"down deleted", base, []string{base[0], base[2], base[3]}, nil, "I02 :0"},
		{"renamed, version kept", base, []string{"001_z.up.sql=create table a ();", "001_z.down.sql=drop table a;", base[2], base[3]}, nil, ""},
		{"renumbered", base, []string{"3_a.up.sql=create table a ();", "3_a.down.sql=drop table a;", base[2], base[3]}, nil, "I02 :0, I02 :0"},
		{"inserted", []string{"1_a.up.sql", "3_c.up.sql"}, []string{"1_a.up.sql", "2_b.up.sql", "3_c.up.sql"}, nil, "I03 2_b.up.sql:0"},
		{"duplicate", base, with("2_c.up.sql"), nil, "I04 2_c.up.sql:0"},
		{"duplicate by padding", base, with("02_b.down.sql"), nil, "I04 2_b.down.sql:0"},
		{"two names", base, with("3_c.up.sql", "3_d.down.sql"), nil, "I04 3_d.down.sql:0"},
		{"taken at the tip", base, with("3_c.up.sql", "3_c.down.sql"), with("3_other.up.sql=select 3"), "I05 3_c.up.sql:0"},
		{"older than the tip", base, with("3_c.up.sql", "3_c.down.sql"), with("4_other.up.sql=select 3"), "I03 3_c.up.sql:0"},
		{"same at the tip", base, with("3_c.up.sql", "3_c.down.sql"), with("3_c.up.sql", "3_c.down.sql"), ""},
		{"gap", base, with("4_c.up.sql", "4_c.down.sql"), nil, "I06 4_c.up.sql:0"},
		{"mixed", base, with("20260101120000_c.up.sql", "20260101120000_c.down.sql"), nil, "I06 20260101120000_c.up.sql:0"},
		{"future", nil, []string{"20270101120000_c.up.sql"}, nil, "I06 20270101120000_c.up.sql:0"},
		{"long", nil, []string{"202601011200001_c.up.sql"}, nil, "I06 202601011200001_c.up.sql:0"},
		{"milliseconds, as in the folder", []string{"20251201120000123_b.up.sql", "20251201120000123_b.down.sql"}, []string{"20251201120000123_b.up.sql", "20251201120000123_b.down.sql", "20260101120000000_c.up.sql", "20260101120000000_c.down.sql"}, nil, ""},
		{"milliseconds in the future", []string{"20251201120000123_b.up.sql", "20251201120000123_b.down.sql"}, []string{"20251201120000123_b.up.sql", "20251201120000123_b.down.sql", "20270101120000000_c.up.sql", "20270101120000000_c.down.sql"}, nil, "I06 20270101120000000_c.up.sql:0"},
		{"old gap", []string{"1_a.up.sql", "7_b.up.sql"}, []string{"1_a.up.sql", "7_b.up.sql", "8_c.up.sql"}, nil, ""},
		{"no down", base, with("3_c.up.sql"), nil, "I07 3_c.up.sql:0"},
		{"empty down", base, with("3_c.up.sql", "3_c.down.sql=-- nothing"), nil, "I07 3_c.down.sql:0"},
		{"no downs at all", []string{"1_a.up.sql"}, []string{"1_a.up.sql", "2_b.up.sql"}, nil, ""},
		{"empty", base, with("3_c.up.sql=\n-- later\n", "3_c.down.sql"), nil, "I08 3_c.up.sql:0"},
		{"only down", base, with("3_c.down.sql"), nil, "I08 3_c.down.sql:0"},
		{"ignored", base, with("3_c.sql", "README.md"), nil, "I09 3_c.sql:0"},
		{"ignored before", with("3_c.sql"), with("3_c.sql"), nil, ""},
		{"backup", base, with("3_c.up.sql", "3_c.down.sql.bak"), nil, "I09 3_c.down.sql.bak:0"},
		{"bom", base, with("3_c.up.sql=\ufeffselect 1", "3_c.down.sql"), nil, "I09 3_c.up.sql:1"},
		{"crlf", base, with("3_c.up.sql=select 1;\r\nselect 2;\n", "3_c.down.sql=select 1;\r\n"), nil, "I09 3_c.up.sql:0"},
		{"large", base, with("3_c.up.sql=select '"+strings.Repeat("x", 10<<20)+"'", "3_c.down.sql"), nil, "I09 3_c.up.sql:0"},
		{"begin", base, with("3_c.up.sql=select 1;\nbegin;\nselect 2;", "3_c.down.sql"), nil, "I10 3_c.up.sql:2"},
		{"begin and commit", base, with("3_c.up.sql=begin;\nselect 2; commit", "3_c.down.sql"), nil, ""},
		{"begin atomic, DO", base, with("3_c.up.sql=do $$ begin perform 1; end $$;", "3_c.down.sql"), nil, ""},
		{"commit in the middle", base, with("3_c.up.sql=begin;\nselect 2; commit;\nselect 1", "3_c.down.sql"), nil, "I10 3_c.up.sql:2"},
		{"commit alone", base, with("3_c.up.sql=select 2;\ncommit;", "3_c.down.sql"), nil, "I10 3_c.up.sql:2"},
		{"psql", base, with("3_c.up.sql=\\restrict x\nselect 1;\n\\unrestrict x\n", "3_c.down.sql"), nil, "I10 3_c.up.sql:1, I10 3_c.up.sql:3"},
		{"copy", base, with("3_c.up.sql=copy a from stdin;\n1\n\\.\n", "3_c.down.sql"), nil, "I10 3_c.up.sql:1"},
		{"open quote", base, with("3_c.up.sql=select 1;\nselect 'a;", "3_c.down.sql"), nil, "I10 3_c.up.sql:2"},
		{"zero", base, with("3_c.up.sql=select 1;\n\x00", "3_c.down.sql"), nil, "I10 3_c.up.sql:2"},
		{"sum", with("atlas.sum"), with("atlas.sum", "3_c.up.sql", "3_c.down.sql"), nil, "I11 atlas.sum:0"},
		{"sum and nothing new", with("atlas.sum"), with("atlas.sum"), nil, ""},
		{"old mistakes", with("3_c.up.sql=begin;"), with("3_c.up.sql=begin;"), nil, ""},
	} {
		change := Change{Head: read(c.head...), Base: read(c.base...), Now: now}
		if c.tip != nil {
			change.Tip = read(c.tip...)
		}
		change.Exists = func(path string) bool {
			return path == "db/migrations/atlas.sum" && strings.Contains(strings.Join(c.head, " "), "atlas.sum")
		}
		change.Touched = func(string) bool { return false }
		var got []string
		for _, f := range Check(change) {
			got = append(got, fmt.Sprintf("%s %s:%d", f.Rule, strings.TrimPrefix(f.File, "db/migrations/"), f.Line))
		}
		if all := strings.Join(got, ", "); all != c.want {
			t.Errorf("%s: %q, want %q", c.name, all, c.want)
		}
	}
}
