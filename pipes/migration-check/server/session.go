package server

import (
	"context"
	"maps"

	"github.com/jackc/pgx/v5"
)

// Session is what a session has that a new one would not have, by name: settings, the
// role it acts as, temporary tables, and what it keeps prepared or open.
type Session map[string]string

// SessionOf looks at a connection. The names that the driver gives to what it prepares by
// itself are left out.
func SessionOf(ctx context.Context, conn *pgx.Conn) (Session, error) {
	rows, err := conn.Query(ctx, `select name, setting from pg_settings where source = 'session' and name not in ('application_name', 'transaction_read_only')
		union all select 'role', current_user::text where current_user <> session_user
		union all select 'temporary table ' || relname, '' from pg_class where relpersistence = 't' and relkind = 'r' and pg_table_is_visible(oid)
		union all select 'prepared statement ' || name, '' from pg_prepared_statements where not name ~ '^(stmtcache|lrupsc)_'
		union all select 'cursor ' || name, '' from pg_cursors where name <> '' and is_holdable`)
	if err != nil {
		return nil, err
	}
	s := Session{}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		s[name] = value
		return nil
	})
	return s, err
}

// Equal tells sessions in which the same statement does the same.
func (s Session) Equal(other Session) bool { return maps.Equal(s, other) }
