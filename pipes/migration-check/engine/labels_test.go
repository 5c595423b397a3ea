package engine

import (
	"fmt"
	"testing"

	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
)

func TestLabels(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"create table t (a text check (a in ('x', 'it''s')), b int check (b IN (0, 1)))":         "map[a:[x it's] b:[0 1]]",
		"create table t (a text check (a is null or \"a\" in ('x')), check (b not in ('y')))":    "map[a:[x]]",
		"create table t (a int check (a in (select 1)), b text default 'in', c int check (c>0))": "map[]",
	} {
		if got := fmt.Sprint(labelsOf(statement.SQLite, text)); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	text := "CREATE TABLE `t` (`a` varchar(9) DEFAULT NULL CHECK (`a` in (_utf8mb4'x','y')), `e` enum('p','q'))"
	if got := fmt.Sprint(labelsOf(statement.MySQL, text)); got != "map[a:[x y]]" {
		t.Errorf("got %s", got)
	}
}
