package engine

import (
	"fmt"
	"strings"
	"testing"

	mysqldriver "github.com/go-sql-driver/mysql"
)

func TestRefusing(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"Duplicate entry 'a' for key 'users_name'":         "users_name",
		"Duplicate entry 'a.b' for key 'users.users_name'": "users_name",
		"CONSTRAINT `known` failed for `s`.`orders`":       "known",
		"Check constraint 'known' is violated.":            "known",
		"Cannot add or update a child row: a foreign key constraint fails (`s`.`#sql-1`, CONSTRAINT `to` FOREIGN KEY (`p`) REFERENCES `users` (`id`))": "to",
		"Data too long for column 'name' at row 2": "",
	} {
		if got, _ := Refusing(&mysqldriver.MySQLError{Message: message}); got != want {
			t.Errorf("%s: got %q, want %q", message, got, want)
		}
	}
	for message, want := range map[string]string{
		"constraint failed: UNIQUE constraint failed: users.name, users.city (2067)": "name city",
		"constraint failed: CHECK constraint failed: known (275)":                    "",
	} {
		if _, got := Refusing(fmt.Errorf("%s", message)); strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", message, got, want)
		}
	}
}
