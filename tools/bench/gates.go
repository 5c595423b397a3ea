package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/console"
)

// rounds is how often each command is timed. The least time counts: whatever else runs
// on this machine can only add to it.
const rounds = 3

// subject is a repository to lint.
type subject struct {
	name    string
	dir     string
	modules []string // with Go files
	file    string   // that the change adds
	pkg     string   // of the file
}

// gates times lint-gate against golangci-lint alone, on this repository and on a large
// module of others. Every run has a change of its own, so that the caches are those of a
// pipeline: they know the base, and not the change. What the gate adds is one more
// process and, only when there are findings, one more run, of what the caches know.
func gates(ctx context.Context, root, bin string) ([]row, error) {
	linter := filepath.Join(root, ".bin", "golangci-lint")
	if _, err := os.Stat(linter); err != nil {
		return nil, errors.New("golangci-lint is not built; `make bench` does that before it measures")
	}
	dir, err := os.MkdirTemp("", "fearless-bench-gates-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ours, err := ourselves(ctx, root, filepath.Join(dir, "ours"))
	if err != nil {
		return nil, err
	}
	others, err := goGit(ctx, root, filepath.Join(dir, "others"))
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, s := range []subject{ours, others} {
		b := gateBench{subject: s, linter: linter, gate: filepath.Join(bin, "lint-gate"), dir: dir}
		measured, err := b.measure(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		rows = append(rows, measured...)
	}
	return rows, nil
}

// ourselves is a clone of this repository.
func ourselves(ctx context.Context, root, dir string) (subject, error) {
	s := subject{name: "this repository", dir: dir, modules: []string{".", "examples/web"}, file: "shared/finding/benched.go", pkg: "finding"}
	return s, git(ctx, root, "clone", "-q", "--local", root, dir)
}

// goGit is a module of 100,000 lines that this repository needs anyway. Its own old
// findings are excluded, as a team does that begins to lint, since without any finding
// is one of the cases.
func goGit(ctx context.Context, root, dir string) (subject, error) {
	s := subject{name: "go-git", dir: dir, modules: []string{"."}, file: "benched.go", pkg: "git"}
	where, err := output(ctx, root, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/go-git/go-git/v5")
	if err != nil {
		return s, err
	}
	if err := os.CopyFS(dir, os.DirFS(where)); err != nil {
		return s, err
	}
	const old = "version: \"2\"\nlinters: {exclusions: {rules: [{path-except: benched.go, linters: [errcheck, govet, ineffassign, staticcheck, unused]}]}}\n"
	if err := os.WriteFile(filepath.Join(dir, ".golangci.yml"), []byte(old), 0o600); err != nil {
		return s, err
	}
	if _, err := output(ctx, dir, "go", "mod", "download"); err != nil {
		return s, err
	}
	if err := git(ctx, dir, "init", "-q"); err != nil {
		return s, err
	}
	return s, commit(ctx, dir, "base")
}

// The change: a file with nothing to find in it, and one with an error that is not
// checked.
const (
	clean    = "package %s\n\n// Benched%[2]d is here to be linted.\nfunc Benched%[2]d(a, b int) int { return a + b }\n"
	findings = "package %s\n\nimport \"os\"\n\n// Benched%[2]d is here to be linted.\nfunc Benched%[2]d(name string) { os.Remove(name) }\n"
)

// gateBench measures one subject.
type gateBench struct {
	subject
	linter, gate, dir string
	base              string
	changes           int // so far
}

// taken is what a command took.
type taken struct {
	wall   time.Duration
	memory int64 // of its largest process, bytes
}

func (b *gateBench) measure(ctx context.Context) ([]row, error) {
	var err error
	if b.base, err = output(ctx, b.subject.dir, "git", "rev-parse", "HEAD"); err != nil {
		return nil, err
	}
	var rows []row
	for _, c := range []struct {
		name, content string
		scopes        []string
		code          int
		most          float64
	}{
		{"without findings", clean, []string{"changed-lines", "new"}, 0, 1.1},
		{"with findings", findings, []string{"new"}, 1, 1.6},
	} {
		measured, err := b.rounds(ctx, c.content, c.scopes, c.code)
		if err != nil {
			return nil, err
		}
		alone := measured["alone"]
		for _, scope := range c.scopes {
			ratio := measured[scope].wall.Seconds() / alone.wall.Seconds()
			rows = append(rows, row{
				what: fmt.Sprintf("lint-gate on %s, %s, %s", b.name, scope, c.name),
				value: fmt.Sprintf("%.2f s, alone %.2f s: %.2f times; peak %s, alone %s", measured[scope].wall.Seconds(), alone.wall.Seconds(), ratio,
					console.Bytes(measured[scope].memory), console.Bytes(alone.memory)),
				target: fmt.Sprintf("at most %.1f times", c.most), met: ratio <= c.most,
			})
		}
	}
	return rows, nil
}

// change makes a commit of its own on top of the base.
func (b *gateBench) change(ctx context.Context, content string) error {
	if err := git(ctx, b.subject.dir, "reset", "-q", "--hard", b.base); err != nil {
		return err
	}
	b.changes++
	file := filepath.Join(b.subject.dir, filepath.FromSlash(b.file))
	if err := os.WriteFile(file, fmt.Appendf(nil, content, b.pkg, b.changes), 0o600); err != nil {
		return err
	}
	return commit(ctx, b.subject.dir, "change")
}

// rounds runs golangci-lint alone and the gate in each scope in turns, the first time to
// warm the caches.
func (b *gateBench) rounds(ctx context.Context, content string, scopes []string, code int) (map[string]taken, error) {
	least := map[string]taken{}
	for round := range rounds + 1 {
		for _, scope := range append([]string{"alone"}, scopes...) {
			run := b.gated
			if scope == "alone" {
				run = b.alone
			}
			if err := b.change(ctx, content); err != nil {
				return nil, err
			}
			t, err := run(ctx, scope, code)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", scope, err)
			}
			if known, ok := least[scope]; ok {
				t = taken{min(t.wall, known.wall), max(t.memory, known.memory)}
			}
			if round > 0 {
				least[scope] = t
			}
		}
	}
	return least, nil
}

// alone is golangci-lint as people run it, module by module.
func (b *gateBench) alone(ctx context.Context, _ string, code int) (sum taken, err error) {
	worst := 0
	for _, module := range b.modules {
		t, exit, err := b.run(ctx, filepath.Join(b.subject.dir, module), []string{"GOLANGCI_LINT_CACHE=" + filepath.Join(b.dir, "alone")}, b.linter, "run")
		if err != nil {
			return sum, err
		}
		sum.wall += t.wall
		sum.memory = max(sum.memory, t.memory)
		worst = max(worst, exit)
	}
	if worst != code {
		return sum, fmt.Errorf("golangci-lint exits with %d, not with %d", worst, code)
	}
	return sum, nil
}

// gated is the gate. What is compiled lies where the Go command always has it, as for
// golangci-lint alone.
func (b *gateBench) gated(ctx context.Context, scope string, code int) (taken, error) {
	t, exit, err := b.run(ctx, b.subject.dir, []string{"SCOPE=" + scope, "BASE=" + b.base, "BITBUCKET_CLONE_DIR=" + b.subject.dir}, b.gate)
	if err == nil && exit != code {
		err = fmt.Errorf("lint-gate exits with %d, not with %d", exit, code)
	}
	return t, err
}

// run times a command and says how it ended.
func (b *gateBench) run(ctx context.Context, dir string, environ []string, program string, args ...string) (t taken, code int, err error) {
	file := filepath.Join(b.dir, "peak")
	cmd, err := underPeak(ctx, file, program, args...)
	if err != nil {
		return t, 0, err
	}
	caches, err := output(ctx, dir, "go", "env", "GOCACHE", "GOMODCACHE")
	if err != nil {
		return t, 0, err
	}
	build, modules, _ := strings.Cut(caches, "\n")
	cmd.Dir = dir
	cmd.Env = append([]string{
		"PATH=" + filepath.Dir(b.linter) + string(os.PathListSeparator) + os.Getenv("PATH"), //nolint:forbidigo // go and git are on it
		"HOME=" + b.dir, "GOCACHE=" + build, "GOMODCACHE=" + modules, "GOFLAGS=-mod=readonly",
	}, environ...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	began := time.Now()
	err = cmd.Run()
	t.wall = time.Since(began)
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		code, err = exited.ExitCode(), nil
	}
	if err != nil || code > 1 {
		return t, code, fmt.Errorf("%s exits with %d (%w):\n%s", filepath.Base(program), code, err, log.String())
	}
	t.memory, err = readPeak(file)
	return t, code, err
}

func git(ctx context.Context, dir string, args ...string) error {
	_, err := output(ctx, dir, "git", args...)
	return err
}

func commit(ctx context.Context, dir, message string) error {
	if err := git(ctx, dir, "add", "--all"); err != nil {
		return err
	}
	return git(ctx, dir, "-c", "user.name=bench", "-c", "user.email=bench@example.com", "commit", "-q", "-m", message)
}

// output runs a command and gives what it prints, without the last line end.
func output(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", program, args[0], err, strings.TrimSpace(problems.String()))
	}
	return strings.TrimSpace(out.String()), nil
}
