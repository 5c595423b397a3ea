package check

import (
	"testing"

	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
)

func TestForeign(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"create table a (id int) ENGINE=InnoDB":                 "mysql",
		"create table a (id int auto_increment primary key)":    "mysql",
		"create table a (id integer primary key autoincrement)": "sqlite",
		"pragma foreign_keys = off":                             "sqlite",
		"create table cars (id int, engine text)":               "",
		"update cars set engine = 'V8'":                         "",
		"create table a (pragma text)":                          "",
		"create table a (id int) -- ENGINE=InnoDB":              "",
		"comment on table a is 'auto_increment'":                "",
	} {
		for _, s := range statement.MySQL.Split(text) {
			if _, got := foreign(s.Tokens); got != want {
				t.Errorf("%s: %q, want %q", text, got, want)
			}
		}
	}
}
