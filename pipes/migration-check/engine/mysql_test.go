package engine

import (
	"context"
	"os"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/undo"
)

func TestAddressesThatAreNotNear(t *testing.T) {
	t.Parallel()
	for address, code := range map[string]exit.Code{
		"mysql://a:secret@shop.abc.eu-west-1.rds.amazonaws.com/shop": exit.Refused,
		"mysql://a:secret@10.0.0.7:3306/":                            exit.Refused,
		"mysql://a:secret@tcp(db.example.com:3306)/x":                exit.Refused,
		"mysql://a:secret@:::x":                                      exit.Invalid,
	} {
		_, err := parse(address)
		if exit.CodeOf(err) != code || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %s", address, err, code)
		}
	}
	for address, want := range map[string]string{
		"mysql://root:x@127.0.0.1:3307/a":         "127.0.0.1:3307",
		"mysql://root:x@tcp(localhost)/":          "localhost:3306",
		"mariadb://root@db/":                      "db:3306",
		"mysql://root@localhost/?socket=/run/x.s": "/run/x.s",
	} {
		if c, err := parse(address); err != nil || c.Addr != want {
			t.Errorf("%s: got %v %v, want %s", address, c, err, want)
		}
	}
}

// needsMariaDB leaves a test out where there is no server, except in a pipeline, which
// installs one: a test that nobody notices is missing is none.
func needsMariaDB(t *testing.T) {
	t.Helper()
	if _, err := find("mariadbd"); err == nil {
		return
	}
	const without = "there is no MariaDB here: apt-get install mariadb-server"
	if os.Getenv("CI") != "" {
		t.Fatal(without)
	}
	t.Skip(without)
}

// TestLentServer uses a private server as one that somebody lends us.
func TestLentServer(t *testing.T) {
	t.Parallel()
	needsMariaDB(t)
	lendersStack := &undo.Stack{}
	t.Cleanup(func() {
		if err := lendersStack.Run(context.WithoutCancel(t.Context()), false, nil); err != nil {
			t.Error(err)
		}
	})
	private, err := MySQL(t.Context(), "", Options{}, lendersStack)
	if err != nil {
		t.Fatal(err)
	}
	lender := private.(*mysqlServer)
	address := "mysql://root@localhost/?socket=" + lender.config.Addr

	stack := &undo.Stack{}
	s, err := MySQL(t.Context(), address, Options{}, stack)
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Create(t.Context(), "state")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Exec(t.Context(), "create table a (id int); select * from a into outfile '/tmp/fearless-never'"); err == nil || !strings.Contains(err.Error(), "denied") {
		t.Errorf("user SQL writes files: %v", err)
	}
	if err := stack.Run(context.WithoutCancel(t.Context()), false, nil); err != nil {
		t.Error(err)
	}
	var left int
	ours := strings.TrimSuffix(lender.prefix, "_")
	err = lender.admin.QueryRowContext(t.Context(), "select (select count(*) from information_schema.schemata where schema_name like 'fearless%') + (select count(*) from mysql.user where user like 'fearless%' and user <> ?)", ours).Scan(&left)
	if err != nil || left != 0 {
		t.Errorf("%d databases and users are left behind, %v", left, err)
	}

	if _, err := lender.admin.ExecContext(t.Context(), "create database shop"); err != nil {
		t.Fatal(err)
	}
	refused := &undo.Stack{}
	if _, err := MySQL(t.Context(), address, Options{}, refused); exit.CodeOf(err) != exit.Refused || !strings.Contains(err.Error(), "holds other databases: shop") {
		t.Errorf("got %v", err)
	}
	if err := refused.Run(context.WithoutCancel(t.Context()), false, nil); err != nil {
		t.Error(err)
	}
}
