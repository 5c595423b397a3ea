package check

import (
	"fmt"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
)

// dialect is whose SQL the migrations are written in.
func (s *Settings) dialect() statement.Dialect {
	scheme, _, _ := strings.Cut(s.Scratch, ":")
	switch {
	case s.Engine == "mysql", s.Engine == "" && (scheme == "mysql" || scheme == "mariadb"):
		return statement.MySQL
	case s.Engine == "sqlite", s.Engine == "" && scheme == "sqlite":
		return statement.SQLite
	}
	return statement.PostgreSQL
}

// engines by words that only their SQL has.
var engines = map[string]string{"auto_increment": "mysql", "engine": "mysql", "autoincrement": "sqlite", "pragma": "sqlite"}

// otherEngine is a word to add when PostgreSQL refuses what was written for another
// database.
func (c *check) otherEngine() string {
	for _, m := range c.head.Migrations {
		for _, s := range statement.MySQL.Split(m.Up.Text) {
			for _, token := range s.Tokens {
				if engine := engines[token.Text]; token.Kind == statement.Word && engine != "" {
					return fmt.Sprintf("; %s on line %d of %s is none of PostgreSQL's words: is ENGINE %s?", strings.ToUpper(token.Text), s.Line, m.Up.File, engine)
				}
			}
		}
	}
	return ""
}
