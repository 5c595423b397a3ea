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

// otherEngine is a word to add when PostgreSQL refuses what was written for another
// database.
func (c *check) otherEngine() string {
	if c.program != nil {
		return "" // no SQL in its files, and no other engine to choose
	}
	for _, m := range c.head.Migrations {
		for _, s := range statement.MySQL.Split(m.Up.Text) {
			if word, engine := foreign(s.Tokens); engine != "" {
				return fmt.Sprintf("; %s on line %d of %s is none of PostgreSQL's words: is ENGINE %s?", word, s.Line, m.Up.File, engine)
			}
		}
	}
	return ""
}

// foreign finds what only MySQL or SQLite would take. A column may be called engine, so that the word alone tells nothing.
func foreign(tokens []statement.Token) (word, engine string) {
	for i, t := range tokens {
		if t.Kind != statement.Word {
			continue
		}
		switch {
		case t.Text == "auto_increment":
			return "AUTO_INCREMENT", "mysql"
		case t.Text == "engine" && i > 0 && tokens[i-1].Text == ")":
			return "ENGINE", "mysql"
		case t.Text == "autoincrement":
			return "AUTOINCREMENT", "sqlite"
		case t.Text == "pragma" && i == 0:
			return "PRAGMA", "sqlite"
		}
	}
	return "", ""
}
