// Package install puts the programs of a pipe's image into the clone, for steps that need
// them beside tools and dependencies of their own.
package install

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/outputs"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/settings"
)

// Installed is what was put into the clone.
type Installed struct {
	Programs []string `json:"programs"` // paths from the top of the clone

	variable string
}

// Summary says it in one line.
func (i *Installed) Summary() string { return "installed " + strings.Join(i.Programs, ", ") }

// Outputs are for later steps.
func (i *Installed) Outputs() []outputs.Variable {
	return []outputs.Variable{{Name: i.variable, Value: strconv.Itoa(len(i.Programs))}}
}

// Check reports names in WITH that lead out of the image's folder, and any when nothing
// is to be installed.
func Check(r *settings.Report, installs bool, with []string) {
	if !installs && len(with) > 0 {
		r.Problemf("WITH", "is for ACTION: install only")
		return
	}
	for _, name := range with {
		if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
			r.Problemf("WITH", "%q is not the name of a program of the image", name)
		}
	}
}

// Run copies this program, under its name, and others that lie beside it in the image,
// into .fearless/bin of the clone: they are static, so they run in the image of any step.
// Their number is the output variable.
func Run(rt *pipe.Runtime, name string, with []string, variable string) (pipe.Result, error) {
	place := outputs.Place{Dir: rt.CloneDir()}
	beside := filepath.Dir(rt.World.Executable)
	sources := map[string]string{name: rt.World.Executable}
	names := []string{name}
	var missing []string
	for _, other := range with {
		sources[other] = filepath.Join(beside, other)
		names = append(names, other)
		if info, err := os.Stat(sources[other]); err != nil || !info.Mode().IsRegular() {
			missing = append(missing, other)
		}
	}
	if len(missing) > 0 {
		return nil, exit.Invalidf("WITH: this image does not hold %s", strings.Join(missing, ", ")).
			Hint("the programs of an image lie in its folder " + beside)
	}
	result := &Installed{variable: variable}
	for _, name := range names {
		path, err := place.File("bin/"+name, 0o755, func(w io.Writer) error { return copyFile(w, sources[name]) })
		if err != nil {
			return nil, exit.Unablef("installing %s: %w", name, err)
		}
		result.Programs = append(result.Programs, path)
		rt.Console.Success("%s: call it in a script of this step, or hand .fearless/bin on as an artifact", path)
	}
	return result, nil
}

func copyFile(w io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if _, err := io.Copy(w, file); err != nil {
		return fmt.Errorf("copying %s: %w", path, err)
	}
	return nil
}
