package check

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
)

// definitions are how PostgreSQL itself writes, and takes back, what Atlas does not see. The
// search path is empty, so that names are in full.
var definitions = map[string]string{
	"function":  "select pg_get_functiondef($1::oid), 'drop function ' || $1::oid::regprocedure",
	"procedure": "select pg_get_functiondef($1::oid), 'drop procedure ' || $1::oid::regprocedure",
	"view": `select 'create view ' || c.oid::regclass || coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', '') || ' as' || E'\n' || rtrim(pg_get_viewdef(c.oid, true), ';'),
		'drop view ' || c.oid::regclass from pg_class c where c.oid = $1::oid`,
	"materialized view": `select 'create materialized view ' || $1::oid::regclass || ' as' || E'\n' || rtrim(pg_get_viewdef($1::oid, true), ';'), 'drop materialized view ' || $1::oid::regclass`,
	"index":             "select pg_get_indexdef($1::oid), 'drop index ' || $1::oid::regclass where not exists (select 1 from pg_constraint where conindid = $1::oid)",
	"trigger":           "select pg_get_triggerdef(t.oid), format('drop trigger %I on %s', t.tgname, t.tgrelid::regclass) from pg_trigger t where t.oid = $1::oid",
}

// defined makes what is still missing and known by its definition, in the order in which it
// was made there, and tells what did it and what takes it back. What fails, such as for want
// of something that must be written by hand, is left out.
func (c *check) defined(ctx context.Context, have, wanted *server.Database, left []schema.Change) (up, down []string) {
	left = slices.DeleteFunc(slices.Clone(left), func(l schema.Change) bool {
		return l.Op != schema.Added || definitions[l.Kind()] == ""
	})
	slices.SortStableFunc(left, func(a, b schema.Change) int {
		if late := b.Kind() == "trigger"; late != (a.Kind() == "trigger") { // for its lock on a table
			return map[bool]int{true: -1, false: 1}[late]
		}
		return cmp.Compare(a.After.OID, b.After.OID)
	})
	from, err := wanted.Connect(ctx)
	if err != nil {
		return nil, nil
	}
	defer from.Close(context.WithoutCancel(ctx))
	to, err := have.Connect(ctx)
	if err != nil {
		return nil, nil
	}
	defer to.Close(context.WithoutCancel(ctx))
	if _, err := from.Exec(ctx, "set search_path = ''"); err != nil {
		return nil, nil
	}
	for _, l := range left {
		var does, undoes string
		if err := from.QueryRow(ctx, definitions[l.Kind()], l.After.OID).Scan(&does, &undoes); err != nil {
			continue
		}
		if _, err := to.Exec(ctx, does); err != nil {
			continue
		}
		up, down = append(up, strings.TrimSpace(does)), append([]string{undoes}, down...)
	}
	return up, down
}

// withBack puts the way back of what is made last before that of the rest, which must have
// one itself.
func withBack(up, down, back []string) []string {
	if len(up) > 0 && len(down) == 0 {
		return nil
	}
	return append(back, down...)
}
