package clone_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBuilt(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write(".gitignore", "dist\n", 0o644)
	r.commit("one")
	r.write("dist/app.whl", "wheel", 0o644)
	r.write("dist/bin/tool", "elf", 0o755)
	r.write("static/a.css", "css", 0o644)
	r.write("static/a.js", "js", 0o644)
	if err := os.Symlink("app.whl", filepath.Join(r.dir, "dist/latest")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(r.dir, "away")); err != nil {
		t.Fatal(err)
	}
	c := r.open()
	files, err := c.Built([]string{"dist", "static/*.css", "dist/app.whl"}) // one of them twice
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		reader, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		_ = reader.Close()
		if want := fmt.Sprintf("sha256:%x", sha256.Sum256(content)); f.ID != want {
			t.Errorf("%s has the ID %s, want %s", f.Path, f.ID, want)
		}
		got = append(got, fmt.Sprintf("%s %s %s", f.Mode, f.Path, content))
	}
	want := []string{
		"-rw-r--r-- dist/app.whl wheel",
		"-rwxr-xr-x dist/bin/tool elf",
		"Lrwxrwxrwx dist/latest app.whl",
		"-rw-r--r-- static/a.css css",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, err = c.Built([]string{"../x", "nothing/*", "away/passwd"})
	contains(t, refused(t, err), "../x: leads out of the clone", "nothing/*: matches no file", "away/passwd: leads out of the clone", "INCLUDE")
}
