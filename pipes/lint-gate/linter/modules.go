package linter

import (
	"context"
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// outOfModules tells the folders that the go command takes for no part of a module.
func outOfModules(folder string) bool {
	return folder == "vendor" || folder == "testdata" || folder == "node_modules" ||
		strings.HasPrefix(folder, ".") || strings.HasPrefix(folder, "_")
}

// module is one go.mod and the packages below it.
type module struct {
	dir string // relative to the clone, "." for its top
	// workspace is false when a go.work stands above it that does not name it: the
	// go command would refuse to look at it.
	workspace bool
}

// modules are those of the clone, in order. Each is linted by itself, as `./...`
// ends where the next go.mod begins, without a word.
func (r *run) modules(ctx context.Context) ([]module, error) {
	var all []module
	for _, name := range r.files.matching("go.mod") {
		dir := path.Dir(name)
		if dir != "." && slices.ContainsFunc(strings.Split(dir, "/"), outOfModules) {
			continue
		}
		all = append(all, module{dir: dir, workspace: true})
	}
	var kept []module
	for _, m := range all {
		if !r.hasGoFiles(m, all) {
			r.skip("module " + m.dir + ": no Go files")
			continue
		}
		named, err := r.inWorkspace(ctx, m)
		if err != nil {
			return nil, err
		}
		m.workspace = named
		kept = append(kept, m)
	}
	return kept, nil
}

// hasGoFiles looks for Go files that belong to a module and to no other below it.
func (r *run) hasGoFiles(m module, all []module) bool {
	return slices.ContainsFunc(r.files.names, func(name string) bool {
		if path.Ext(name) != ".go" || !within(name, m.dir) {
			return false
		}
		inner := path.Dir(name)
		if relative := strings.TrimPrefix(inner, m.dir); inner != m.dir &&
			slices.ContainsFunc(strings.FieldsFunc(relative, func(c rune) bool { return c == '/' }), func(folder string) bool { return folder != "." && outOfModules(folder) }) {
			return false
		}
		return !slices.ContainsFunc(all, func(other module) bool {
			return other.dir != m.dir && within(other.dir, m.dir) && within(name, other.dir)
		})
	})
}

// within tells whether a path is in a folder, "." being the clone.
func within(name, dir string) bool {
	return dir == "." || name == dir || strings.HasPrefix(name, dir+"/")
}

// inWorkspace asks whether the nearest go.work above a module names it. Without
// one, or with GOWORK set by the user, there is nothing to decide.
func (r *run) inWorkspace(ctx context.Context, m module) (bool, error) {
	if value(r.Environ, "GOWORK") != "" {
		return true, nil
	}
	for dir := m.dir; ; dir = path.Dir(dir) {
		if work := path.Join(dir, "go.work"); r.files.has(work) {
			return r.named(ctx, work, m)
		}
		if dir == "." {
			return true, nil
		}
	}
}

// named asks the go command what a go.work uses.
func (r *run) named(ctx context.Context, work string, m module) (bool, error) {
	golang, err := r.golang()
	if err != nil {
		return false, err
	}
	end, err := r.child(ctx, r.Dir, append(r.environ(golang), "GOTOOLCHAIN=local", "GOWORK=off"), golang, "work", "edit", "-json", work)
	if err != nil {
		return false, err
	}
	if end.code != 0 {
		return false, exit.Refusedf("%s cannot be read: %s", work, telling(r.words(end))).Hint("correct the file: `go work edit -fmt` names the line")
	}
	var file struct{ Use []struct{ DiskPath string } }
	data, err := os.ReadFile(end.stdout)
	if err == nil {
		err = json.Unmarshal(data, &file)
	}
	if err != nil {
		return false, exit.Unablef("go does not show what %s says: %w", work, err)
	}
	for _, use := range file.Use {
		if path.Join(path.Dir(work), filepath.ToSlash(use.DiskPath)) == m.dir {
			return true, nil
		}
	}
	return false, nil
}

// golang is the go command, without which no Go code can be analysed.
func (r *run) golang() (string, error) {
	for _, dir := range filepath.SplitList(value(r.Environ, "PATH")) {
		if name := filepath.Join(dir, "go"); filepath.IsAbs(name) && runnable(name) {
			return name, nil
		}
	}
	return "", exit.Unablef("the go command was not found on PATH: golangci-lint needs it to load Go code").
		Hint("use the pipe's own image for Go code, or an image with Go for the step")
}
