package gate

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
)

// Installed is what ACTION: install put into the clone.
type Installed struct {
	Programs []string `json:"programs"` // paths from the top of the clone
}

// Summary says it in one line.
func (i *Installed) Summary() string { return "installed " + strings.Join(i.Programs, ", ") }

// Outputs are for later steps.
func (i *Installed) Outputs() []outputs.Variable {
	return []outputs.Variable{{Name: "LINT_INSTALLED", Value: strconv.Itoa(len(i.Programs))}}
}

// install copies this program, and others that lie beside it in the image, into the clone:
// they are static, so they run in the image of any step.
func install(rt *pipe.Runtime, s *Settings) (pipe.Result, error) {
	place := outputs.Place{Dir: rt.CloneDir()}
	beside := filepath.Dir(rt.World.Executable)
	sources := map[string]string{Name: rt.World.Executable}
	names := []string{Name}
	var missing []string
	for _, name := range s.With {
		sources[name] = filepath.Join(beside, name)
		names = append(names, name)
		if info, err := os.Stat(sources[name]); err != nil || !info.Mode().IsRegular() {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, exit.Invalidf("WITH: this image does not hold %s", strings.Join(missing, ", ")).
			Hint("the programs of an image lie in its folder " + beside)
	}
	result := &Installed{}
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
