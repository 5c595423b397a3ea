package folder

import (
	"path"
	"regexp"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// Format is a tool's way of naming migrations.
type Format struct {
	Name string
	// parse finds what a file holds; nothing when the tool would pass over it.
	parse func(File) []parsed
	// Numeric: versions are single numbers, so that gaps and schemes can be told.
	Numeric bool
	// Down: the format has down migrations.
	Down bool
	// unversioned are names of files that the tool applies without counting them.
	unversioned *regexp.Regexp
	// Without is how a file asks the tool for no transaction; "" where it need not.
	Without string
}

// parsed is one direction of one migration as found in a file.
type parsed struct {
	version Version
	title   string
	down    bool
	again   bool // repeatable
	part    Part
}

// GolangMigrate is github.com/golang-migrate/migrate's format: 1_title.up.sql. The
// pattern is its own; a file behind it, such as .up.sql.bak, is a migration, too.
var GolangMigrate = Format{Name: "golang-migrate", Numeric: true, Down: true, parse: parseGolangMigrate}

var golangMigrate = regexp.MustCompile(`^([0-9]+)_(.*)\.(down|up)\.(.*)$`)

func parseGolangMigrate(f File) []parsed {
	m := golangMigrate.FindStringSubmatch(f.Name)
	if m == nil || strings.Contains(f.Name, "/") {
		return nil
	}
	version, ok := NewVersion(m[1])
	if !ok {
		return nil
	}
	return []parsed{{version: version, title: m[2], down: m[3] == "down", part: Part{File: f.Name, Text: f.Text}}}
}

// The formats of other tools, applied as plain SQL in their order.
var (
	// Flyway: V1.2__title.sql, and U1.2__title.sql to undo. R__title.sql is applied behind
	// them, again whenever its text is another one.
	Flyway = Format{Name: "flyway", Down: true, parse: parseFlyway, unversioned: regexp.MustCompile(`^(before|after)[A-Z][A-Za-z]*(__.*)?\.sql$`)}
	// Dbmate: 20260101120000_title.sql with "-- migrate:up" and "-- migrate:down" in it.
	Dbmate = Format{Name: "dbmate", Numeric: true, Down: true, Without: "-- migrate:up transaction:false",
		parse: sections(regexp.MustCompile(`^--\s*migrate:(up|down)\b`), dbmateTransaction)}
	// Goose: the same with "-- +goose Up" and "-- +goose Down".
	Goose = Format{Name: "goose", Numeric: true, Down: true, Without: "-- +goose NO TRANSACTION",
		parse: sections(regexp.MustCompile(`(?i)^--\s*\+goose\s+(up|down)\b`), gooseTransaction)}
	// Prisma: 20260101120000_title/migration.sql.
	Prisma = Format{Name: "prisma", Numeric: true, parse: parsePrisma}
	// SQLx: 20260101120000_title.up.sql, or without a direction.
	SQLx = Format{Name: "sqlx", Numeric: true, Down: true, Without: "-- no-transaction, as the first line of the file", parse: parseSQLx}
)

var (
	flyway = regexp.MustCompile(`^([VU])([0-9]+(?:[._][0-9]+)*)__(.*)\.sql$`)
	plain  = regexp.MustCompile(`^([0-9]+)_(.*?)(?:\.(up|down))?\.sql$`)
	again  = regexp.MustCompile(`^R__(.*)\.sql$`)
	prisma = regexp.MustCompile(`^([0-9]+)_([^/]*)/migration\.sql$`)
)

func parseFlyway(f File) []parsed {
	if m := again.FindStringSubmatch(path.Base(f.Name)); m != nil {
		return []parsed{{version: ofText(m[1], f.Text), title: "R__" + m[1], again: true, part: Part{File: f.Name, Text: f.Text, Transaction: flywayTransaction(f.Text)}}}
	}
	m := flyway.FindStringSubmatch(path.Base(f.Name))
	if m == nil {
		return nil
	}
	version, ok := NewVersion(m[2])
	if !ok {
		return nil
	}
	return []parsed{{version: version, title: m[3], down: m[1] == "U", part: Part{File: f.Name, Text: f.Text, Transaction: flywayTransaction(f.Text)}}}
}

func parsePrisma(f File) []parsed {
	m := prisma.FindStringSubmatch(f.Name)
	if m == nil {
		return nil
	}
	version, ok := NewVersion(m[1])
	if !ok {
		return nil
	}
	return []parsed{{version: version, title: m[2], part: Part{File: f.Name, Text: f.Text}}}
}

func parseSQLx(f File) []parsed {
	m := plain.FindStringSubmatch(f.Name)
	if m == nil || strings.Contains(f.Name, "/") {
		return nil
	}
	version, ok := NewVersion(m[1])
	if !ok {
		return nil
	}
	around := statement.Around
	if strings.HasPrefix(f.Text, "-- no-transaction") {
		around = statement.AsSent
	}
	return []parsed{{version: version, title: m[2], down: m[3] == "down", part: Part{File: f.Name, Text: f.Text, Transaction: around}}}
}

var (
	dbmateWithout = regexp.MustCompile(`(?m)^--\s*migrate:(?:up|down)\b.*\btransaction:false\b`)
	gooseWithout  = regexp.MustCompile(`(?mi)^--\s*\+goose\s+no\s+transaction\b`)
)

// dbmateTransaction is asked for by part; without one all statements are sent at once.
func dbmateTransaction(_, part string) statement.Transaction {
	if dbmateWithout.MatchString(part) {
		return statement.AsSent
	}
	return statement.Around
}

// gooseTransaction is asked for by file.
func gooseTransaction(file, _ string) statement.Transaction {
	if gooseWithout.MatchString(file) {
		return statement.OneByOne
	}
	return statement.Around
}

// flywayTransaction is none where every statement refuses one; a mixture is refused.
func flywayTransaction(text string) statement.Transaction {
	for _, s := range statement.Split(text) {
		if !s.OutsideTransactions() {
			return statement.AsSent
		}
	}
	return statement.OneByOne
}

// sections reads formats that keep both directions in one file, under marks.
func sections(mark *regexp.Regexp, transaction func(file, part string) statement.Transaction) func(File) []parsed {
	return func(f File) []parsed {
		m := plain.FindStringSubmatch(f.Name)
		if m == nil || m[3] != "" || strings.Contains(f.Name, "/") {
			return nil
		}
		version, ok := NewVersion(m[1])
		if !ok {
			return nil
		}
		var up, down strings.Builder
		marked := map[string]bool{}
		direction := ""
		for line := range strings.Lines(f.Text) {
			if found := mark.FindStringSubmatch(line); found != nil {
				direction = strings.ToLower(found[1])
				marked[direction] = true
			}
			for name, b := range map[string]*strings.Builder{"up": &up, "down": &down} {
				if name == direction {
					b.WriteString(line)
				} else {
					b.WriteString("\n") // keeps the numbers of the lines
				}
			}
		}
		if !marked["up"] {
			return nil
		}
		all := []parsed{{version: version, title: m[2], part: Part{File: f.Name, Text: up.String(), Transaction: transaction(f.Text, up.String())}}}
		if marked["down"] {
			all = append(all, parsed{version: version, title: m[2], down: true, part: Part{File: f.Name, Text: down.String(), Transaction: transaction(f.Text, down.String())}})
		}
		return all
	}
}

// Guess finds the format of a folder of plain SQL: the one that reads most of it, which
// must be all that looks like a migration. Names alone do not tell sqlx from dbmate and
// goose, marks do.
func Guess(dir string, files []File) (Format, error) {
	var best *Folder
	for _, format := range []Format{Dbmate, Goose, Flyway, Prisma, SQLx} {
		f := Read(format, dir, files)
		if len(f.Migrations) > 0 && (best == nil || len(f.Migrations) > len(best.Migrations)) {
			best = f
		}
	}
	if best == nil {
		return Format{}, exit.Invalidf("%s: no migration of a format we know", dir).
			Hint("TOOL sql reads V1__title.sql (Flyway), 1_title.sql with `-- migrate:up` (dbmate) or `-- +goose Up` (goose), 1_title/migration.sql (Prisma), 1_title.up.sql and 1_title.sql (sqlx).")
	}
	return best.Format, nil
}
