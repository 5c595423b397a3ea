package engine

import (
	"errors"
	"regexp"

	mysqldriver "github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"
)

// codes are those of PostgreSQL that refusals of other servers come next to, where the
// server's own say less or nothing.
var codes = map[uint16]string{
	1044: "42501", 1142: "42501", 1227: "42501", 1370: "42501", 1419: "42501", // no right to
	1048: "23502", 1138: "23502", 1364: "23502", // NULL
	1062: "23505", 1586: "23505", // twice
	1216: "23503", 1217: "23503", 1451: "23503", 1452: "23503", // refers to nothing
	3819: "23514", 4025: "23514", // a check
	1264: "22003", 1265: "22001", 1406: "22001", // out of range, truncated, too long
	1292: "22007", 1366: "22P02", 1411: "22007", // another form
}

// sqliteCodes are the same for extended result codes of SQLite.
var sqliteCodes = map[int]string{
	275: "23514", 787: "23503", 1299: "23502", 1555: "23505", 2067: "23505", 3091: "22P02",
}

// codeOf is the SQLSTATE of a refusal, or what comes next to it.
func codeOf(err error) string {
	var my *mysqldriver.MySQLError
	var lite *sqlite.Error
	switch {
	case errors.As(err, &my):
		if code, known := codes[my.Number]; known {
			return code
		}
		return string(my.SQLState[:])
	case errors.As(err, &lite):
		if code, known := sqliteCodes[lite.Code()]; known {
			return code
		}
		if lite.Code()&0xff == 19 { // SQLITE_CONSTRAINT
			return "23000"
		}
	}
	return ""
}

// What servers write about the constraint that refuses a row.
var (
	namedByMySQL  = regexp.MustCompile("(?i)(?:for key|constraint) [`'](?:[^`'.]*\\.)?([^`']+)[`']")
	namedBySQLite = regexp.MustCompile(`UNIQUE constraint failed: (.*?)(?: \(\d+\))?$`)
	inSQLite      = regexp.MustCompile(`[^., ]+\.([^, ]+)`)
)

// Refusing is the constraint that has refused a row, as far as the server names it, or the
// columns that it is over.
func Refusing(err error) (constraint string, columns []string) {
	if err == nil {
		return "", nil
	}
	var my *mysqldriver.MySQLError
	if errors.As(err, &my) {
		if m := namedByMySQL.FindStringSubmatch(my.Message); m != nil {
			return m[1], nil
		}
		return "", nil
	}
	if m := namedBySQLite.FindStringSubmatch(err.Error()); m != nil {
		for _, c := range inSQLite.FindAllStringSubmatch(m[1], -1) {
			columns = append(columns, c[1])
		}
	}
	return "", columns
}
