package linter

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// files are what git tracks of a clone and what is there: build output is not
// linted, since the base has none to compare it with.
type files struct {
	names []string // sorted
	known map[string]bool
	links map[string]bool
	lent  map[string]bool // configuration that the base was given by the clone
}

func (f files) has(name string) bool { return f.known[name] }

// tracked lists the files of the job's folder.
func tracked(ctx context.Context, j Job) (files, error) {
	f := files{known: map[string]bool{}, links: map[string]bool{}, lent: map[string]bool{}}
	names, err := listed(ctx, j, j.Dir)
	if err != nil {
		return f, err
	}
	for _, name := range names {
		info, err := os.Lstat(filepath.Join(j.Dir, filepath.FromSlash(name)))
		if err != nil || info.IsDir() { // removed since, or a submodule
			continue
		}
		f.links[name] = info.Mode()&fs.ModeSymlink != 0
		f.known[name] = true
		f.names = append(f.names, name)
	}
	slices.Sort(f.names)
	f.names = slices.Compact(f.names)
	return f, nil
}

// listed asks git for the files it tracks below a folder.
func listed(ctx context.Context, j Job, dir string) ([]string, error) {
	git := exec.CommandContext(ctx, "git", "-C", dir, "ls-files", "-z", "--cached")
	git.Env = append(slices.Clone(j.Environ), "LC_ALL=C", "GIT_CONFIG_COUNT=1",
		"GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*") // a clone that another user owns
	var problems bytes.Buffer
	git.Stderr = &problems
	out, err := git.Output()
	if err != nil {
		return nil, exit.Unablef("git cannot list the files of %s: %w: %s", dir, err, bytes.TrimSpace(problems.Bytes())).
			Hint("run this in a clone, with git installed")
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
}

// matching are the files (no links) that one of the patterns fits, by base name.
func (f files) matching(patterns ...string) []string {
	var found []string
	for _, name := range f.names {
		if !f.links[name] && matches(path.Base(name), patterns) {
			found = append(found, name)
		}
	}
	return found
}

func matches(base string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := path.Match(p, base)
		return ok
	})
}

var shebang = regexp.MustCompile(`^#!\s*\S*/(env\s+(-\S+\s+)*)?(sh|bash|dash|ksh|busybox)(\s|$)`)

// scripts are shell scripts: by their name, or by their first line.
func (r *run) scripts() []string {
	found := r.files.matching("*.sh", "*.bash", "*.dash", "*.ksh", "*.bats")
	for _, name := range r.files.names {
		if path.Ext(name) == "" && !r.files.links[name] && shebang.Match(r.beginning(name, 128)) {
			found = append(found, name)
		}
	}
	return found
}

var templateMark = regexp.MustCompile(`AWSTemplateFormatVersion|Type["']?:\s*["']?AWS::`)

// templates are files with the marks of a CloudFormation template.
func (r *run) templates() []string {
	return slices.DeleteFunc(r.files.matching("*.yaml", "*.yml", "*.json", "*.template"), func(name string) bool {
		return !templateMark.Match(r.beginning(name, 64<<10))
	})
}

// beginning of a file; nothing of one that cannot be read.
func (r *run) beginning(name string, size int64) []byte {
	file, err := os.Open(filepath.Join(r.Dir, filepath.FromSlash(name)))
	if err != nil {
		return nil
	}
	defer file.Close()
	data, _ := io.ReadAll(io.LimitReader(file, size))
	return data
}
