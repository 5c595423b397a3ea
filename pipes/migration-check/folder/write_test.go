package folder

import (
	"strings"
	"testing"
	"time"
)

// TestWrite holds that what is proposed is read again as the folder's next migration.
func TestWrite(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		format     Format
		last, want string
	}{
		{GolangMigrate, "000009_a.up.sql=select 1", "000010_b.up.sql 000010_b.down.sql"},
		{GolangMigrate, "20240101000000_a.up.sql=select 1", "20261123120000_b.up.sql 20261123120000_b.down.sql"},
		{GolangMigrate, "", "000001_b.up.sql 000001_b.down.sql"},
		{Flyway, "V2.3__a.sql=select 1", "V3__b.sql"},
		{Flyway, "V007__a.sql=select 1", "V008__b.sql"},
		{Flyway, "V20240101000000__a.sql=select 1", "V20261123120000__b.sql"},
		{Prisma, "20240101000000_a/migration.sql=select 1", "20261123120000_b/migration.sql"},
		{Dbmate, "20240101000000_a.sql=-- migrate:up\nselect 1", "20261123120000_b.sql"},
		{Goose, "00002_a.sql=-- +goose Up\nselect 1", "00003_b.sql"},
		{SQLx, "20240101000000_a.sql=select 1", "20261123120000_b.sql"},
		{SQLx, "20240101000000_a.up.sql=select 1", "20261123120000_b.up.sql 20261123120000_b.down.sql"},
	} {
		var files []File
		if name, text, ok := strings.Cut(c.last, "="); ok {
			files = append(files, File{Name: name, Text: text})
		}
		written := Read(c.format, "db", files).Write("b", "create table b ();\n", "drop table b;\n", now)
		var names []string
		for _, f := range written {
			names = append(names, f.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s after %q: %s, want %s", c.format.Name, c.last, got, c.want)
		}
		f := Read(c.format, "db", append(files, written...))
		last := f.Migrations[len(f.Migrations)-1]
		down := last.Down.Text == "" || strings.Contains(last.Down.Text, "drop table b;") && !strings.Contains(last.Up.Text, "drop")
		if last.Title != "b" || !strings.Contains(last.Up.Text, "create table b ();") || !down || len(f.Ignored) > 0 {
			t.Errorf("%s after %q is read as %+v", c.format.Name, c.last, last)
		}
	}
}
