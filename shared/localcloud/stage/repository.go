package stage

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Repository is a git repository made for the occasion.
type Repository struct{ Dir string }

// NewRepository makes a repository in dir that holds a copy of a folder.
func NewRepository(ctx context.Context, dir, from string) (Repository, error) {
	r := Repository{Dir: dir}
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		return r, fmt.Errorf("the sample application cannot be copied: %w", err)
	}
	return r, r.Init(ctx)
}

// Init makes the folder a repository.
func (r Repository) Init(ctx context.Context) error {
	_, err := r.git(ctx, "init", "--quiet", "--initial-branch=main")
	return err
}

// Write puts a file into the work tree.
func (r Repository) Write(name, content string, mode os.FileMode) error {
	file := filepath.Join(r.Dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(content), mode)
}

// Commit commits everything and returns the full hash.
func (r Repository) Commit(ctx context.Context, message string) (string, error) {
	if _, err := r.git(ctx, "add", "--all"); err != nil {
		return "", err
	}
	if _, err := r.git(ctx, "commit", "--quiet", "--allow-empty", "--message", message); err != nil {
		return "", err
	}
	return r.git(ctx, "rev-parse", "HEAD")
}

// git runs git with nothing of the user's own configuration.
func (r Repository) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.Dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), //nolint:forbidigo // where git is
		"HOME=" + r.Dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_AUTHOR_NAME=Demo", "GIT_AUTHOR_EMAIL=demo@example.org",
		"GIT_COMMITTER_NAME=Demo", "GIT_COMMITTER_EMAIL=demo@example.org",
	}
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, text)
	}
	return text, nil
}
