package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/pipes/migration-check/folder"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/undo"
)

// The folder: so many migrations are merged, and one or eleven are new.
const (
	merged = 299
	more   = 10
)

// What a check may take.
const (
	checkTarget    = 5 * time.Second
	checkRatio     = 2.5 // of golang-migrate's Up of the same folder on a server that runs already
	eachTarget     = 500 * time.Millisecond
	togetherTarget = 200 << 20 // of the pipe and the server together
)

// migrations times migration-check on 300 migrations of which one is new, and on ten
// more that are new, against golang-migrate alone.
func migrations(ctx context.Context, _, bin string) ([]row, error) {
	dir, err := os.MkdirTemp("", "fearless-bench-migrations-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := migrationBench{
		program: filepath.Join(bin, "migration-check"), dir: filepath.Join(dir, "clone"),
		binaries: filepath.Join(dir, "postgresql", "bin"),
	}
	if err := errors.Join(b.clone(ctx), b.prepare(ctx)); err != nil {
		return nil, err
	}
	took, err := b.times(ctx)
	if err != nil {
		return nil, err
	}
	memory, err := b.memory(ctx)
	if err != nil {
		return nil, err
	}
	ratio, each := took.one.Seconds()/took.alone.Seconds(), (took.eleven-took.one)/more
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
	return []row{
		{what: "migration-check, 300 migrations, one new", value: seconds(took.one), target: "below 5 s", met: took.one < checkTarget},
		{what: "the same outside of its image, where it calls initdb", value: seconds(took.initdb), target: "below 5 s", met: took.initdb < checkTarget},
		{what: "the first to golang-migrate's Up alone", value: fmt.Sprintf("%.2f times %s", ratio, seconds(took.alone)), target: "at most 2.5 times", met: ratio <= checkRatio},
		{what: "each further new migration", value: fmt.Sprintf("%.0f ms", each.Seconds()*1000), target: "below 500 ms", met: each < eachTarget},
		{what: "peak memory of pipe and PostgreSQL together, eleven new", value: console.Bytes(memory), target: "below 200 MiB", met: memory < togetherTarget},
	}, nil
}

// migrationBench measures on one clone.
type migrationBench struct {
	program, dir string
	binaries     string // of PostgreSQL, beside which a cluster lies
}

// clone makes a repository as a grown project has it: tables that refer to one another,
// with indexes, and columns that came later.
func (b *migrationBench) clone(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(b.dir, "migrations"), 0o755); err != nil {
		return err
	}
	if err := git(ctx, b.dir, "init", "-q", "-b", "main"); err != nil {
		return err
	}
	last := 0
	for _, step := range []struct {
		upTo   int
		branch string
	}{{merged, ""}, {merged + 1, "one"}, {merged + 1 + more, "eleven"}} {
		for last < step.upTo {
			last++
			if err := b.write(last); err != nil {
				return err
			}
		}
		if step.branch != "" {
			if err := git(ctx, b.dir, "checkout", "-q", "-b", step.branch); err != nil {
				return err
			}
		}
		if err := commit(ctx, b.dir, "up to "+strconv.Itoa(last)); err != nil {
			return err
		}
	}
	return nil
}

func (b *migrationBench) write(n int) error {
	up, down := migration(n)
	for direction, text := range map[string]string{"up": up, "down": down} {
		name := filepath.Join(b.dir, "migrations", fmt.Sprintf("%d_step.%s.sql", n, direction))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// migration is the n-th: a table, then an index on it, then a column for it.
func migration(n int) (up, down string) {
	table := fmt.Sprintf("orders_%d", (n-1)/3)
	switch n % 3 {
	case 1:
		parent := fmt.Sprintf("orders_%d", max(0, (n-1)/3-1))
		return fmt.Sprintf("create table %s (id bigserial primary key, parent bigint references %s, name text not null, total numeric(10,2) not null default 0,\n"+
			"  state varchar(20), created timestamptz not null default now());\ncreate index on %s (parent);\n", table, parent, table), "drop table " + table + ";\n"
	case 2:
		return fmt.Sprintf("create index concurrently %s_state on %s (state, created);\n", table, table), fmt.Sprintf("drop index concurrently %s_state;\n", table)
	}
	return fmt.Sprintf("set local lock_timeout = '2s';\nalter table %s add column note text;\n", table), fmt.Sprintf("alter table %s drop column note;\n", table)
}

// prepare makes a folder of binaries with a cluster beside it, as the image has.
func (b *migrationBench) prepare(ctx context.Context) error {
	installed, err := server.Binaries("")
	if err != nil {
		return err
	}
	root := filepath.Dir(filepath.Dir(b.binaries))
	if err := errors.Join(os.MkdirAll(b.binaries, 0o755), os.Chmod(root, 0o755)); err != nil { //nolint:gosec // the server's user reads them
		return err
	}
	for _, name := range []string{"initdb", "postgres"} {
		if err := os.Symlink(filepath.Join(installed, name), filepath.Join(b.binaries, name)); err != nil {
			return err
		}
	}
	file, err := os.Create(filepath.Join(root, "postgresql", server.Prepared))
	if err != nil {
		return err
	}
	return errors.Join(server.Prepare(ctx, b.binaries, file), file.Close())
}

// leasts are the least of some rounds.
type leasts struct{ alone, one, initdb, eleven time.Duration }

// times takes them. Each round has all of them, one after the other: a file system in which
// files come and go by the thousand gets slower for a while, on which figures taken at
// different times cannot be compared.
func (b *migrationBench) times(ctx context.Context) (took leasts, err error) {
	stack := &undo.Stack{}
	defer func() { err = errors.Join(err, stack.Run(ctx, err != nil, nil)) }()
	s, err := server.Start(ctx, server.Options{Binaries: b.binaries}, stack)
	if err != nil {
		return took, err
	}
	read := allOf(merged + 1)
	for round := range rounds {
		for _, c := range []struct {
			least *time.Duration
			take  func() (time.Duration, error)
		}{
			{&took.alone, func() (time.Duration, error) { return up(ctx, s, read) }},
			{&took.one, func() (time.Duration, error) { return b.check(ctx, "one", b.binaries) }},
			{&took.eleven, func() (time.Duration, error) { return b.check(ctx, "eleven", b.binaries) }},
			{&took.initdb, func() (time.Duration, error) { return b.check(ctx, "one", "") }},
		} {
			d, err := c.take()
			if err != nil {
				return took, err
			}
			if round == 0 || d < *c.least {
				*c.least = d
			}
		}
	}
	return took, nil
}

// allOf is the folder of the first n.
func allOf(n int) *folder.Folder {
	var files []folder.File
	for at := range n {
		up, _ := migration(at + 1)
		files = append(files, folder.File{Name: fmt.Sprintf("%d_step.up.sql", at+1), Text: up})
	}
	return folder.Read(folder.GolangMigrate, "migrations", files)
}

// up is golang-migrate's Up of a folder, in a new database of a server that runs.
func up(ctx context.Context, s *server.Server, read *folder.Folder) (time.Duration, error) {
	d, err := s.Create(ctx, "alone")
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := (tool.GolangMigrate{}).Up(ctx, d, read); err != nil {
		return 0, err
	}
	return time.Since(began), s.Drop(ctx, d)
}

// command is the pipe as a pipeline runs it.
func (b *migrationBench) command(ctx context.Context, binaries string) (*exec.Cmd, *strings.Builder) {
	cmd := exec.CommandContext(ctx, b.program)
	cmd.Dir = b.dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), //nolint:forbidigo // git is on it
		"HOME=" + b.dir, "BITBUCKET_CLONE_DIR=" + b.dir, "BASE=main", "POSTGRES_BIN=" + binaries,
	}
	log := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = log, log
	return cmd, log
}

// check runs the pipe on a branch, with the PostgreSQL of a folder or the machine's own.
func (b *migrationBench) check(ctx context.Context, branch, binaries string) (time.Duration, error) {
	if err := git(ctx, b.dir, "checkout", "-q", branch); err != nil {
		return 0, err
	}
	cmd, log := b.command(ctx, binaries)
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("migration-check: %w:\n%s", err, log)
	}
	return time.Since(began), nil
}

// memory is the most that the pipe and the processes it has started took at one time,
// with what they share counted once.
func (b *migrationBench) memory(ctx context.Context) (most int64, err error) {
	cmd, log := b.command(ctx, b.binaries)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				return 0, fmt.Errorf("migration-check: %w:\n%s", err, log)
			}
			if most == 0 {
				return 0, errors.New("the memory of processes cannot be read here; it takes Linux 4.14")
			}
			return most, nil
		case <-tick.C:
			most = max(most, proportional(cmd.Process.Pid))
		}
	}
}

// proportional adds up what a process and its descendants take. Those that end meanwhile
// take nothing.
func proportional(pid int) int64 {
	var sum int64
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil {
		for line := range strings.Lines(string(text)) {
			var kilobytes int64
			if n, _ := fmt.Sscanf(line, "Pss: %d kB", &kilobytes); n == 1 {
				sum += kilobytes << 10
			}
		}
	}
	children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // its only error is a bad pattern
	for _, file := range children {
		text, _ := os.ReadFile(file)
		for child := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(child); err == nil {
				sum += proportional(n)
			}
		}
	}
	return sum
}
