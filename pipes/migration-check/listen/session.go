package listen

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
)

// session is one connection of the program. It works in turns: what the program sends up
// to the point where it must wait for an answer, then the answer. So there is a moment
// between any two statements at which the connection is free to be looked at.
type session struct {
	listener *Listener
	client   *pgproto3.Backend
	conn     *pgx.Conn
	server   *pgproto3.Frontend
	observer *trace.Observer // nil: nobody looks
	status   byte            // of the transaction, as the server's letter

	prepared map[string]string // statements by name
	portals  map[string]string // their texts by the name of the portal

	batch    []byte // what the program has sent of this turn
	awaited  int    // answers to it that are due
	text     string // of the statement in it
	executes bool
	parses   bool // a statement without a name, in this turn
	reuses   bool // one of an earlier turn, which a look would wipe out
	refused  *pgconn.PgError
	parts    []statement.Statement // of a text of several; nil is one
	before   int                   // characters of the text before the part
	silent   bool                  // the program has not asked: it is told of errors only
}

// run works to the end of the connection, whoever ends it.
func (s *session) run(ctx context.Context) {
	for {
		message, err := s.client.Receive()
		if err != nil {
			return
		}
		if !s.take(message) {
			return
		}
		switch message.(type) {
		case *pgproto3.Query, *pgproto3.Sync, *pgproto3.FunctionCall:
			err = s.turn(ctx)
		case *pgproto3.Flush:
			err = s.exchange(func(done bool, _ byte) bool { return s.awaited <= 0 || done && s.refused != nil })
		}
		if err != nil {
			refuse(s.client, "08006", err.Error())
			return
		}
	}
}

// take adds a message to the turn, and notes of which statement it is. The message is
// only good until the next one.
func (s *session) take(message pgproto3.FrontendMessage) bool {
	switch m := message.(type) {
	case *pgproto3.Terminate:
		return false
	case *pgproto3.Query:
		s.text, s.executes = m.String, true
		if s.observer != nil && len(s.batch) == 0 {
			s.parts = parts(m.String, s.status == 'T')
		}
	case *pgproto3.Parse:
		s.prepared[m.Name] = m.Query
		s.parses = s.parses || m.Name == ""
		s.awaited++
	case *pgproto3.Bind:
		s.reuses = s.reuses || m.PreparedStatement == "" && !s.parses
		s.portals[m.DestinationPortal] = s.prepared[m.PreparedStatement]
		s.awaited++
	case *pgproto3.Execute:
		if !s.executes {
			s.text = s.portals[m.Portal]
		}
		s.executes = true
		s.awaited++
	case *pgproto3.Describe, *pgproto3.Close:
		s.awaited++
	}
	encoded, err := message.Encode(s.batch)
	if err != nil {
		return false
	}
	s.batch = encoded
	return true
}

// turn hands on what the program has sent, and the answer back.
func (s *session) turn(ctx context.Context) error {
	work := s.statement
	if len(s.parts) > 0 {
		work = s.several
	}
	if err := work(ctx); err != nil {
		return err
	}
	s.parts, s.refused = nil, nil
	s.client.Send(&pgproto3.ReadyForQuery{TxStatus: s.status})
	return s.client.Flush()
}

// statement hands one on, and looks at what it did.
func (s *session) statement(ctx context.Context) error {
	looks := s.observer != nil && s.executes && !s.reuses && s.status != 'E'
	if looks {
		if err := s.observer.Before(ctx, s.text, s.status == 'T'); err != nil {
			return err
		}
	}
	err := s.exchange(s.ready)
	if err != nil {
		return err
	}
	if looks {
		if s.status, err = s.observer.After(ctx, s.status, s.refused); err != nil {
			return err
		}
	}
	s.text, s.executes, s.reuses, s.awaited = "", false, false, 0
	return nil
}

// exchange sends the turn and hands answers back until enough says so. It is told whether
// a message ends the answer to one request, and the status when the server is ready.
func (s *session) exchange(enough func(done bool, status byte) bool) error {
	began := time.Now()
	defer func() { s.listener.worked(time.Since(began)) }()
	written := make(chan error, 1)
	batch := s.batch
	s.batch, s.parses = nil, false
	// Beside the reading: who sends a lot must be able to read what comes back meanwhile.
	go func() {
		_, err := s.conn.PgConn().Conn().Write(batch)
		written <- err
	}()
	for {
		message, err := s.server.Receive()
		if err != nil {
			return err
		}
		done, status := false, byte(0)
		switch m := message.(type) {
		case *pgproto3.ReadyForQuery:
			status = m.TxStatus
		case *pgproto3.ErrorResponse:
			s.note(m)
			done = true
		case *pgproto3.ParseComplete, *pgproto3.BindComplete, *pgproto3.CloseComplete, *pgproto3.CommandComplete, *pgproto3.EmptyQueryResponse,
			*pgproto3.PortalSuspended, *pgproto3.RowDescription, *pgproto3.NoData:
			s.awaited--
			done = true
		}
		if _, failed := message.(*pgproto3.ErrorResponse); status == 0 && (failed || !s.silent) {
			s.client.Send(message)
		}
		if enough(done, status) {
			break
		}
		if _, copying := message.(*pgproto3.CopyInResponse); copying {
			if err := s.copyIn(); err != nil {
				return err
			}
		}
	}
	if err := <-written; err != nil {
		return err
	}
	return s.client.Flush()
}

// note keeps a refusal. Its place is one in what the program has sent.
func (s *session) note(m *pgproto3.ErrorResponse) {
	if m.Position > 0 {
		m.Position += int32(s.before)
	}
	s.refused = pgconn.ErrorResponseToPgError(m)
	s.listener.mu.Lock()
	defer s.listener.mu.Unlock()
	s.listener.heard.Refused, s.listener.heard.Query = s.refused, s.text
}

// copyIn hands rows on until the program has no more.
func (s *session) copyIn() error {
	if err := s.client.Flush(); err != nil {
		return err
	}
	for {
		message, err := s.client.Receive()
		if err != nil {
			return err
		}
		encoded, err := message.Encode(nil)
		if err != nil {
			return err
		}
		if _, err := s.conn.PgConn().Conn().Write(encoded); err != nil {
			return err
		}
		switch message.(type) {
		case *pgproto3.CopyDone, *pgproto3.CopyFail:
			return nil
		}
	}
}

// end adds what was seen on the connection to what was heard. What the program left
// undone when it ended is taken back, as the server would.
func (s *session) end(ctx context.Context) {
	if s.status != 'I' {
		_, _ = s.conn.Exec(ctx, "rollback") // else the next question fails, which counts
	}
	seen, err := s.observer.End(ctx)
	s.listener.mu.Lock()
	defer s.listener.mu.Unlock()
	if err != nil && s.listener.heard.Err == nil {
		s.listener.heard.Err = err
		return
	}
	add(s.listener.heard.Trace, seen)
}
