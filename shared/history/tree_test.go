package history_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/history"
)

func TestTreeAndMessage(t *testing.T) {
	t.Parallel()
	r := repositoryAt(t)
	r.write("db/migrations/1 ä.sql", "select 1\n")
	r.write("db/migrations/sub/2.sql", "select 2\n")
	r.write("db/other.sql", "select 3\n")
	commit := r.commit("db/migrations-old", "x\n")
	repo, err := history.Open(t.Context(), r.dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	found, err := repo.Tree(t.Context(), commit, "db/migrations")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, e := range found {
		paths = append(paths, e.Path)
		if len(e.Hash) != 40 {
			t.Errorf("%s: hash %q", e.Path, e.Hash)
		}
	}
	if diff := cmp.Diff([]string{"db/migrations/1 ä.sql", "db/migrations/sub/2.sql"}, paths); diff != "" {
		t.Error(diff)
	}
	if none, err := repo.Tree(t.Context(), commit, "nothing/here"); err != nil || len(none) != 0 {
		t.Errorf("a folder that is not there: %v %v", none, err)
	}
	if message, err := repo.Message(t.Context(), commit); err != nil || strings.TrimSpace(message) == "" {
		t.Errorf("message %q: %v", message, err)
	}
}
