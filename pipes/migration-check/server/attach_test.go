package server

import (
	"context"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/undo"
)

func TestAttachRefusesWhatIsNotNear(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url  string
		code exit.Code
	}{
		{"postgres://a:secret@shop.abc.eu-west-1.rds.amazonaws.com/shop", exit.Refused},
		{"postgres://a:secret@10.0.0.7/shop", exit.Refused},
		{"host=127.0.0.1,db.example.com user=a", exit.Refused},
		{"postgres://a:secret@:::x", exit.Invalid},
	} {
		_, err := Attach(t.Context(), c.url, Options{}, &undo.Stack{})
		if exit.CodeOf(err) != c.code || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %s", c.url, err, c.code)
		}
	}
}

func TestAttach(t *testing.T) {
	t.Parallel()
	lender := start(t, Options{})
	address := "host=" + lender.process.Dir + " user=postgres dbname=postgres"
	stack := &undo.Stack{}
	s, err := Attach(t.Context(), address, Options{Roles: []string{"fearless_reader", "postgres"}}, stack)
	if err != nil {
		t.Fatal(err)
	}
	d := create(t, s, "state")
	conn := connect(t, d)
	if _, err := conn.Exec(t.Context(), "create table a ()"); err != nil {
		t.Error(err)
	}
	if _, err := conn.Exec(t.Context(), "copy a from program 'true'"); err == nil {
		t.Error("user SQL runs as superuser")
	}
	if err := stack.Run(context.WithoutCancel(t.Context()), false, nil); err != nil {
		t.Error(err)
	}
	var left string
	err = lender.admin.QueryRow(t.Context(), `select coalesce(string_agg(name, ' '), '') from
		(select datname from pg_database union all select rolname from pg_roles) a(name) where name like 'fearless%'`).Scan(&left)
	if err != nil || left != "" {
		t.Errorf("left behind: %s %v", left, err)
	}

	if _, err := lender.admin.Exec(t.Context(), "create table precious ()"); err != nil {
		t.Fatal(err)
	}
	refused(t, address, "holds 1 relations")
	if _, err := lender.admin.Exec(t.Context(), "drop table precious; "); err != nil {
		t.Fatal(err)
	}
	create(t, lender, "shop")
	refused(t, address, "holds other databases: shop_1")
}

func refused(t *testing.T, address, why string) {
	t.Helper()
	stack := &undo.Stack{}
	_, err := Attach(t.Context(), address, Options{}, stack)
	if exit.CodeOf(err) != exit.Refused || !strings.Contains(err.Error(), why) {
		t.Errorf("got %v, want %s", err, why)
	}
}
