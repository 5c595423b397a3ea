package check

import (
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
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

// sameFailure makes one finding of D01 and D02 where the same file fails from nothing as on
// the base.
func (c *check) sameFailure() {
	c.findings = slices.DeleteFunc(c.findings, func(f finding.Finding) bool {
		if f.Rule != "D01" {
			return false
		}
		_, why, _ := strings.Cut(f.Message, ": ")
		for i := range c.findings {
			other := &c.findings[i]
			if other.Rule == "D02" && other.Severity == finding.Error && other.File == f.File && strings.Contains(other.Message, why) {
				other.Message = strings.Replace(other.Message, "On the base's schema", "On an empty database and on the base's schema", 1)
				return true
			}
		}
		return false
	})
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
