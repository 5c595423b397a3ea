package outputs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/outputs"
)

const pipeline = "{5a3c7c4e-1111-2222-3333-444455556666}"

type result struct {
	Image string `json:"image"`
	Why   string `json:"why"`
}

// place is a clone of its own.
func place(t *testing.T) outputs.Place {
	t.Helper()
	return outputs.Place{Dir: t.TempDir(), Pipeline: pipeline}
}

// write writes one variable and expects it to work.
func write(t *testing.T, p outputs.Place, vars ...outputs.Variable) []string {
	t.Helper()
	files, err := p.Write("ami-bake", "baked\n ami-1 ", vars, result{"ami-1", "a < b & c"})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func contents(t *testing.T, elements ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWrite(t *testing.T) {
	t.Parallel()
	p := place(t)
	files := write(t, p, outputs.Variable{Name: "IMAGE_ID", Value: "ami-1"}, outputs.Variable{Name: "WHY", Value: "it's new"})
	if diff := cmp.Diff([]string{".fearless/outputs.env", ".fearless/ami-bake.json"}, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	want := "# fearless outputs of pipeline " + pipeline + "\nIMAGE_ID='ami-1'\nWHY='it'\\''s new'\nFEARLESS_SUMMARY='baked ami-1'\n"
	if diff := cmp.Diff(want, contents(t, p.Dir, ".fearless", "outputs.env")); diff != "" {
		t.Errorf("outputs.env (-want +got):\n%s", diff)
	}
	want = `{
  "pipe": "ami-bake",
  "pipeline": "` + pipeline + `",
  "summary": "baked ami-1",
  "outputs": {
    "IMAGE_ID": "ami-1",
    "WHY": "it's new"
  },
  "result": {
    "image": "ami-1",
    "why": "a < b & c"
  }
}
`
	if diff := cmp.Diff(want, contents(t, p.Dir, ".fearless", "ami-bake.json")); diff != "" {
		t.Errorf("ami-bake.json (-want +got):\n%s", diff)
	}
	if got := contents(t, p.Dir, ".fearless", ".gitignore"); got != "*\n" {
		t.Errorf(".gitignore %q", got)
	}
	left, err := os.ReadDir(filepath.Join(p.Dir, ".fearless"))
	if err != nil || len(left) != 3 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

// TestQuoting asks a real shell what it makes of our quotes, and ourselves.
func TestQuoting(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell to ask")
	}
	for _, value := range []string{
		"", "plain", "two words", "it's", "'", "''", "'\\''", `"double"`, `back\slash`, `\`, "$HOME ${HOME} $(id) `id`",
		"a;b|c&d>e<f", "new\nline", "\n", "\ttab ", "* ? [a]", "~", "!history", "#comment", "=", "a='b'", "ä☂\u2028", "-n", "\x01\x7f",
	} {
		p := place(t)
		write(t, p, outputs.Variable{Name: "VALUE", Value: value}, outputs.Variable{Name: "NEXT", Value: "intact"})
		ask := exec.CommandContext(t.Context(), shell, "-c", `. ./.fearless/outputs.env; printf '%s|%s' "$VALUE" "$NEXT"`)
		ask.Dir = p.Dir
		got, err := ask.CombinedOutput()
		if err != nil || string(got) != value+"|intact" {
			t.Errorf("%q: the shell reads %q (%v)", value, got, err)
		}
		vars, reason, err := outputs.Read(p.Dir, pipeline)
		if err != nil || reason != "" || vars["VALUE"] != value || vars["NEXT"] != "intact" {
			t.Errorf("%q: we read %q (%q, %v)", value, vars, reason, err)
		}
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	p := place(t)
	write(t, p, outputs.Variable{Name: "A", Value: "1"}, outputs.Variable{Name: "B", Value: "1"})
	write(t, p, outputs.Variable{Name: "B", Value: "2"}, outputs.Variable{Name: "C", Value: "2"})
	vars, reason, err := outputs.Read(p.Dir, pipeline)
	want := map[string]string{"A": "1", "B": "2", "C": "2", outputs.Summary: "baked ami-1"}
	if diff := cmp.Diff(want, vars); diff != "" || reason != "" || err != nil {
		t.Errorf("same pipeline (-want +got):\n%s%s %v", diff, reason, err)
	}

	p.Pipeline = "{another}"
	write(t, p, outputs.Variable{Name: "D", Value: "3"})
	vars, _, err = outputs.Read(p.Dir, "{another}")
	if diff := cmp.Diff(map[string]string{"D": "3", outputs.Summary: "baked ami-1"}, vars); diff != "" || err != nil {
		t.Errorf("another pipeline (-want +got):\n%s %v", diff, err)
	}
}

func TestReplacesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"something else": "IMAGE_ID=ami-evil\n",
		"unfinished":     "# fearless outputs of pipeline " + pipeline + "\nIMAGE_ID='ami-evil",
		"a command":      "# fearless outputs of pipeline " + pipeline + "\nIMAGE_ID='ami-evil'; rm -rf /\n",
		"too large":      "# fearless outputs of pipeline " + pipeline + "\nIMAGE_ID='" + strings.Repeat("x", 1<<20) + "'\n",
		"empty":          "",
	} {
		p := place(t)
		write(t, p)
		if err := os.WriteFile(filepath.Join(p.Dir, ".fearless", "outputs.env"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if name != "too large" {
			if vars, reason, err := outputs.Read(p.Dir, pipeline); vars != nil || !strings.Contains(reason, "not written by us") || err != nil {
				t.Errorf("%s: read as %v, %q, %v", name, vars, reason, err)
			}
		} else if _, _, err := outputs.Read(p.Dir, pipeline); err == nil {
			t.Errorf("%s: read", name)
		}
		write(t, p, outputs.Variable{Name: "IMAGE_ID", Value: "ami-1"})
		vars, reason, err := outputs.Read(p.Dir, pipeline)
		if diff := cmp.Diff(map[string]string{"IMAGE_ID": "ami-1", outputs.Summary: "baked ami-1"}, vars); diff != "" || reason != "" || err != nil {
			t.Errorf("%s (-want +got):\n%s%s %v", name, diff, reason, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	p := place(t)
	if vars, reason, err := outputs.Read(p.Dir, pipeline); vars != nil || reason != "" || err != nil {
		t.Errorf("nothing there: %v, %q, %v", vars, reason, err)
	}
	write(t, p, outputs.Variable{Name: "IMAGE_ID", Value: "ami-1"})
	for pipeline, want := range map[string]string{
		"{another}": "pipeline " + pipeline + " wrote it, and this is {another}",
		"":          "this run belongs to no pipeline",
	} {
		if vars, reason, err := outputs.Read(p.Dir, pipeline); vars != nil || !strings.Contains(reason, want) || err != nil {
			t.Errorf("pipeline %q: %v, %q, %v", pipeline, vars, reason, err)
		}
	}
	local := place(t)
	local.Pipeline = ""
	write(t, local, outputs.Variable{Name: "IMAGE_ID", Value: "ami-1"})
	for _, pipeline := range []string{pipeline, ""} {
		if vars, reason, err := outputs.Read(local.Dir, pipeline); vars != nil || !strings.Contains(reason, "does not say which pipeline") || err != nil {
			t.Errorf("written by nobody: %v, %q, %v", vars, reason, err)
		}
	}
}

// TestTracked uses real git, whose index it is.
func TestTracked(t *testing.T) {
	t.Parallel()
	git := func(dir string, arguments ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), "git", arguments...)
		command.Dir = dir
		command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
		if text, err := command.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", arguments, err, text)
		}
	}
	p := place(t)
	git(p.Dir, "init", "-q")
	write(t, p, outputs.Variable{Name: "IMAGE_ID", Value: "ami-1"})
	if err := os.WriteFile(filepath.Join(p.Dir, "other"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	git(p.Dir, "add", "-A")
	if vars, reason, err := outputs.Read(p.Dir, pipeline); vars["IMAGE_ID"] != "ami-1" || reason != "" || err != nil {
		t.Fatalf("untracked in a clone: %v, %q, %v", vars, reason, err)
	}

	work := filepath.Join(t.TempDir(), "work")
	git(p.Dir, "add", "-f", ".fearless/outputs.env")
	git(p.Dir, "commit", "-q", "-m", "x")
	git(p.Dir, "worktree", "add", "-q", work)
	// As a submodule's, whose .git names the folder relatively.
	inside := filepath.Join(p.Dir, "inside")
	if err := os.CopyFS(filepath.Join(inside, ".fearless"), os.DirFS(filepath.Join(p.Dir, ".fearless"))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(inside, ".git"), []byte("gitdir: ../.git\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{p.Dir, work, inside} {
		if vars, reason, err := outputs.Read(dir, pipeline); vars != nil || !strings.Contains(reason, ": git tracks it") || err != nil {
			t.Errorf("tracked, in %s: %v, %q, %v", dir, vars, reason, err)
		}
	}

	if err := os.WriteFile(filepath.Join(p.Dir, ".git", "index"), []byte("DIRC garbage"), 0o644); err != nil {
		t.Fatal(err)
	}
	if vars, reason, err := outputs.Read(p.Dir, pipeline); vars != nil || !strings.Contains(reason, "cannot tell whether git tracks it") || err != nil {
		t.Errorf("unreadable index: %v, %q, %v", vars, reason, err)
	}
}

func TestSymbolicLinks(t *testing.T) {
	t.Parallel()
	target := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(target, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"outputs.env", "ami-bake.json"} {
		p := place(t)
		if err := os.Mkdir(filepath.Join(p.Dir, ".fearless"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(p.Dir, ".fearless", name)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write("ami-bake", "", nil, nil); err == nil || !strings.Contains(err.Error(), name+" is a symbolic link") {
			t.Errorf("%s: %v", name, err)
		}
		if vars, reason, err := outputs.Read(p.Dir, pipeline); name == "outputs.env" && (vars != nil || err != nil || !strings.Contains(reason, "symbolic link")) {
			t.Errorf("%s: read %v, %q, %v", name, vars, reason, err)
		}
	}
	p := place(t)
	if err := os.Symlink(filepath.Dir(target), filepath.Join(p.Dir, ".fearless")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write("ami-bake", "", nil, nil); err == nil {
		t.Error("the folder is a link: written")
	}
	if vars, reason, err := outputs.Read(p.Dir, pipeline); vars != nil || err != nil || !strings.Contains(reason, "symbolic link") {
		t.Errorf("the folder is a link: read %v, %q, %v", vars, reason, err)
	}
	left, err := os.ReadDir(filepath.Dir(target))
	if got := contents(t, target); err != nil || got != "precious" || len(left) != 1 {
		t.Errorf("behind the link: %q, %v, %v", got, left, err)
	}
}

// Two runs in one clone may write at the same moment: each file is that of one of them.
func TestAtTheSameTime(t *testing.T) {
	t.Parallel()
	p := place(t)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for range 20 {
				if _, err := p.Write("ami-bake", "baked", []outputs.Variable{{Name: "IMAGE_ID", Value: fmt.Sprint("ami-", n)}}, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := contents(t, filepath.Join(p.Dir, ".fearless", "outputs.env")); strings.Count(got, "\nIMAGE_ID='ami-") != 1 || !strings.HasSuffix(got, "\nFEARLESS_SUMMARY='baked'\n") {
		t.Errorf("%q", got)
	}
	left, err := os.ReadDir(filepath.Join(p.Dir, ".fearless"))
	if err != nil || slices.ContainsFunc(left, func(e os.DirEntry) bool { return strings.HasSuffix(e.Name(), ".new") }) {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestVariablesPath(t *testing.T) {
	t.Parallel()
	p := place(t)
	p.VariablesPath = filepath.Join(t.TempDir(), "pipeline-variables.env")
	if err := os.WriteFile(p.VariablesPath, []byte("EARLIER=1"), 0o644); err != nil {
		t.Fatal(err)
	}
	files := write(t, p, outputs.Variable{Name: "IMAGE_ID", Value: "ami-1"}, outputs.Variable{Name: "LINES", Value: "1\n2"})
	if files[len(files)-1] != p.VariablesPath {
		t.Errorf("files %q", files)
	}
	if got, want := contents(t, p.VariablesPath), "EARLIER=1\nIMAGE_ID=ami-1\nFEARLESS_SUMMARY=baked ami-1\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}

	p.VariablesPath = filepath.Join(t.TempDir(), "missing", "pipeline-variables.env")
	if files := write(t, p); len(files) != 2 {
		t.Errorf("cannot be opened, but: %q", files)
	}
}

func TestRefusedValues(t *testing.T) {
	t.Parallel()
	for _, v := range []outputs.Variable{{"", "x"}, {"1A", "x"}, {"A B", "x"}, {"A;id", "x"}, {"A\n", "x"}, {"A", "x\x00y"}} {
		p := place(t)
		if _, err := p.Write("ami-bake", "", []outputs.Variable{v}, nil); err == nil {
			t.Errorf("%q was written", v)
		}
		if _, err := os.Lstat(filepath.Join(p.Dir, ".fearless")); err == nil {
			t.Errorf("%q left something behind", v)
		}
	}
	p := place(t)
	if _, err := p.Write("ami-bake", "", nil, make(chan int)); err == nil {
		t.Error("a channel was written as JSON")
	}
	p.Dir = filepath.Join(p.Dir, "missing")
	if _, err := p.Write("ami-bake", "", nil, nil); err == nil {
		t.Error("written into a clone that is not there")
	}
}

func TestSummaryIsOneLine(t *testing.T) {
	t.Parallel()
	p := place(t)
	if _, err := p.Write("ami-bake", strings.Repeat("ä\n", 400), nil, nil); err != nil {
		t.Fatal(err)
	}
	var envelope struct{ Summary string }
	if err := json.Unmarshal([]byte(contents(t, p.Dir, ".fearless", "ami-bake.json")), &envelope); err != nil {
		t.Fatal(err)
	}
	if got := []rune(envelope.Summary); len(got) != 300 || got[299] != '…' || got[1] != ' ' {
		t.Errorf("%d letters: %q", len(got), envelope.Summary)
	}
}

func TestOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	p := place(t)
	if err := os.Chown(p.Dir, 4711, 4712); err != nil {
		t.Fatal(err)
	}
	for _, name := range write(t, p) {
		checkOwner(t, filepath.Join(p.Dir, name))
	}
	checkOwner(t, filepath.Join(p.Dir, ".fearless"))
	checkOwner(t, filepath.Join(p.Dir, ".fearless", ".gitignore"))
}

func checkOwner(t *testing.T, path string) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid != 4711 || owner.Gid != 4712 {
		t.Errorf("%s belongs to %d:%d", path, owner.Uid, owner.Gid)
	}
}
