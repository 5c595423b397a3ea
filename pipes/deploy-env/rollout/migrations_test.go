package rollout_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/exit"
)

func (l *place) git(args ...string) string {
	l.T.Helper()
	cmd := exec.CommandContext(l.T.Context(), "git", args...)
	cmd.Dir = l.Clone
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		l.T.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes a file, commits everything and bakes it.
func (l *place) commit(name, content string) string {
	l.T.Helper()
	file := filepath.Join(l.Clone, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		l.T.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		l.T.Fatal(err)
	}
	l.git("add", "-A")
	l.git("commit", "-q", "-m", "Change "+name)
	hash := l.git("rev-parse", "HEAD")
	l.Bake(hash)
	return hash
}

const whenChanged = "release: {when: changed, paths: [db/migrations]}\n" + stagingFile

// The release process is left out only when it is certain to have nothing to do.
func TestReleaseWhenChanged(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		const ran = "The release process is done"
		l.git("init", "-q", "-b", "main")
		l.file(whenChanged)
		l.deploy(l.commit("db/migrations/1.sql", "create"), nil).Expect(t, exit.Passed, ran)

		same := l.deploy(l.commit("web.go", "package web"), nil).Expect(t, exit.Passed, "The release process has nothing to do: db/migrations is as in commit")
		if strings.Contains(same.Log, ran) {
			t.Errorf("it ran:\n%s", same.Log)
		}

		l.deploy(l.commit("db/migrations/2.sql", "alter"), nil).Expect(t, exit.Passed, "The release process runs: db/migrations/2.sql is not as in commit", ran)

		preview := func(commit string, parts ...string) {
			t.Helper()
			l.deploy(commit, nil, "ACTION=preview").Expect(t, exit.Passed, append(parts, "± Release (EC2::Instance)")...)
		}
		l.git("rm", "-q", "db/migrations/2.sql")
		preview(l.commit("web.go", "package web // 2"), "The release process runs: db/migrations/2.sql of commit", "is gone")

		// A path that is misspelt is no reason to leave migrations out.
		l.file(strings.Replace(whenChanged, "db/migrations", "db/migration", 1))
		preview(l.commit("web.go", "package web // 3"), "since it is not certain that it has nothing to do", "db/migration: no such file or folder")
		l.file(whenChanged)

		// Nor is a commit that is not in the clone, as after a force push or in a shallow one.
		preview(good1, "since it is not certain that it has nothing to do: commit "+good1+" is not in the clone")
	})
}

// Another run to the same target is followed, whatever it found about migrations.
func TestReleaseWhenChangedIsFollowed(t *testing.T) {
	story(t, func(t *testing.T, l *place) {
		l.git("init", "-q", "-b", "main")
		l.file(whenChanged)
		l.deploy(l.commit("db/migrations/1.sql", "create"), nil).Expect(t, exit.Passed)
		second := l.commit("db/migrations/2.sql", "alter")
		l.deployAndLeave(second, "BITBUCKET_BUILD_NUMBER=41")
		l.deploy(second, nil).Expect(t, exit.Passed, "is under way already, started by pipeline 41: following it", "End check")
	})
}
