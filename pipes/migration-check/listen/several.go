package listen

import (
	"context"
	"slices"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"

	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
)

// parts are the statements of a text that the server works on one after the other, in the
// transaction that it finds or in one around them. nil is a text of one statement, or one
// that is not the same in parts.
func parts(text string, inTransaction bool) []statement.Statement {
	all := statement.Split(text)
	if len(all) < 2 {
		return nil
	}
	inTransaction = inTransaction || all[0].Begins()
	if slices.ContainsFunc(all, func(s statement.Statement) bool {
		marks := s.Is("savepoint") || s.Is("release") || s.Is("rollback") // which the server refuses in a transaction of its own making
		return marks && !inTransaction || s.Is("prepare", "transaction") || s.OutsideTransactions() || s.Data || s.Unterminated != ""
	}) {
		return nil
	}
	return all
}

// several hands on the statements of one text, so that each can be looked at. As on the
// server, those outside of a transaction share one, and after one that is refused there is
// no other.
func (s *session) several(ctx context.Context) error {
	text, all, ours := s.text, s.parts, false
	for _, part := range all {
		if s.status == 'I' && !part.Begins() {
			if err := s.silently("begin"); err != nil {
				return err
			}
			ours = true
		}
		s.text, s.executes, s.before = part.Text, true, utf8.RuneCountInString(text[:part.Start])
		if err := s.send(part.Text); err != nil {
			return err
		}
		if err := s.statement(ctx); err != nil {
			return err
		}
		if part.Begins() || part.Ends() {
			ours = false
		}
		if s.refused != nil {
			break
		}
	}
	s.before = 0
	switch {
	case !ours:
		return nil
	case s.status == 'E':
		return s.silently("rollback")
	}
	return s.silently("commit") // which may be refused, too
}

// silently has the server do what the program has not sent.
func (s *session) silently(text string) error {
	if err := s.send(text); err != nil {
		return err
	}
	s.silent = true
	defer func() { s.silent = false }()
	return s.exchange(s.ready)
}

// send makes a statement the turn.
func (s *session) send(text string) error {
	encoded, err := (&pgproto3.Query{String: text}).Encode(nil)
	s.batch = encoded
	return err
}

// ready tells the end of an answer, and takes down how the transaction stands.
func (s *session) ready(_ bool, status byte) bool {
	if status != 0 {
		s.status = status
	}
	return status != 0
}
