package outputs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// Read gives the variables that earlier pipes of this pipeline left in the
// clone, none when there are none. When there is a file that must not be
// believed, it is ignored and the reason says why.
func Read(clone, pipeline string) (vars map[string]string, reason string, err error) {
	ignored := func(format string, args ...any) (map[string]string, string, error) {
		return nil, fmt.Sprintf("%s is ignored: %s", path.Join(folder, variables), fmt.Sprintf(format, args...)), nil
	}
	text, err := readOwn(clone, variables)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", nil
	case errors.Is(err, errSymlink):
		return ignored("it %v", errSymlink)
	case err != nil:
		return nil, "", fmt.Errorf("reading the outputs of earlier pipes: %w", err)
	}
	tracked, err := isTracked(clone, variables)
	if err != nil {
		return ignored("cannot tell whether git tracks it: %v", err)
	}
	if tracked {
		return ignored("git tracks it, so a commit wrote it")
	}
	writer, all, err := parse(text)
	switch {
	case err != nil:
		return ignored("%v", err)
	case writer == "":
		return ignored("it does not say which pipeline wrote it")
	case pipeline == "":
		return ignored("this run belongs to no pipeline")
	case writer != pipeline:
		return ignored("pipeline %s wrote it, and this is %s", writer, pipeline)
	}
	vars = make(map[string]string, len(all))
	for _, v := range all {
		vars[v.Name] = v.Value
	}
	return vars, "", nil
}

// readOwn reads a file of the outputs without making anything.
func readOwn(clone, file string) ([]byte, error) {
	name := filepath.Join(clone, folder)
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, errSymlink
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	d := &directory{root: root}
	defer d.Close()
	return d.read(file)
}
