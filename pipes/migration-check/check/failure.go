package check

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// failure splits what a tool returned: a migration that failed is an answer, everything
// else an error. Nothing to do is neither.
func (c *check) failure(err error) (*tool.Failure, error) {
	var failed *tool.Failure
	var ours *exit.Error
	switch {
	case err == nil, errors.Is(err, tool.ErrNothing):
		return nil, nil
	case errors.As(err, &ours):
		return nil, err // such as an extension that is not there: nothing was judged
	case errors.As(err, &failed):
		return failed, nil
	}
	return nil, err
}

func errorOf(failed *tool.Failure, err error) error {
	if failed != nil {
		return failed
	}
	return err
}

// line is where a migration failed, as far as the server has told.
func (c *check) line(failed *tool.Failure) int {
	if failed.Line > 0 {
		return failed.Line
	}
	m, found := c.head.Find(failed.Version)
	if !found || failed.Position <= 0 {
		return 0
	}
	part := m.Up // which has all lines of its file, and not all of its characters
	if failed.Direction == tool.Down {
		part = m.Down
	}
	runes := []rune(part.Text)
	return 1 + strings.Count(string(runes[:min(int(failed.Position)-1, len(runes))]), "\n")
}

// needsRights tells a refusal that a superuser would not have met.
func needsRights(failed *tool.Failure) bool { return failed.Code == "42501" }

// sameFailure puts D01 on the line of D02 where the server has not told it and the same
// file fails from nothing as on the base: there it was looked for, statement by statement.
func (c *check) sameFailure() {
	for i := range c.findings {
		f := &c.findings[i]
		if f.Rule != "D01" || f.Line != 0 {
			continue
		}
		_, why, _ := strings.Cut(f.Message, ": ")
		for _, other := range c.findings {
			if other.Rule == "D02" && other.File == f.File && strings.Contains(other.Message, why) {
				f.Line = other.Line
			}
		}
	}
}

// missingRole is a word to add when the server does not know a role.
func missingRole(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) && (refused.Code == "42704" || refused.Code == "22023") && strings.HasPrefix(refused.Message, "role ") {
		return "; if an administrator has made it in production, name it in ROLES"
	}
	return ""
}

// meetsRows tells a refusal that depends on the rows that are there.
func meetsRows(code string) bool {
	return strings.HasPrefix(code, "23") || strings.HasPrefix(code, "22")
}

// concurrently tells whether a file builds or drops an index beside those who work.
func concurrently(text string) bool {
	for _, s := range statement.Split(text) {
		if s.Concurrently() {
			return true
		}
	}
	return false
}
