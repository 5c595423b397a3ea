package bake

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/clone"
	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/procfile"
)

// procfileName is where the process types of an application are written down.
const procfileName = "Procfile"

// Material is what the image is made of, found in the clone and beside this program.
type Material struct {
	Commit    clone.Commit
	Files     []clone.File // of the commit and of INCLUDE, sorted by path
	Included  []clone.File
	Processes []string // types, in the order of the Procfile
	Boot      string   // path of the boot agent for the image's architecture
	BootID    string   // its SHA-256
}

// gather collects the material. Whatever is wrong with it is a problem of the
// settings or of a file, found before AWS is asked anything.
func gather(dir, executable string, s *Settings) (*Material, error) {
	c, err := clone.Open(dir)
	if err != nil {
		return nil, err
	}
	commit, err := c.Commit(s.Commit)
	if err != nil {
		return nil, err
	}
	source, err := c.Files(commit, s.Source)
	if err != nil {
		return nil, err
	}
	included, err := c.Built(s.Include)
	if err != nil {
		return nil, err
	}
	m := &Material{Commit: commit, Included: included, Files: merged(source, included)}
	if m.Processes, err = processes(m.Files, commit); err != nil {
		return nil, err
	}
	if err := checkScript(m.Files, s.Provision, commit); err != nil {
		return nil, err
	}
	m.Boot, m.BootID, err = bootAgent(executable, s.Architecture)
	return m, err
}

// merged puts included files over the commit's own, sorted by path.
func merged(source, included []clone.File) []clone.File {
	byPath := map[string]clone.File{}
	for _, f := range source {
		byPath[f.Path] = f
	}
	for _, f := range included {
		byPath[f.Path] = f
	}
	files := make([]clone.File, 0, len(byPath))
	for _, f := range byPath {
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b clone.File) int { return cmp.Compare(a.Path, b.Path) })
	return files
}

// processes reads the Procfile.
func processes(files []clone.File, commit clone.Commit) ([]string, error) {
	f, ok := clone.Find(files, procfileName)
	if !ok {
		return nil, exit.Invalidf("%s: not in commit %s, or not among the paths of SOURCE", procfileName, commit.Short()).Hint(
			"write down how the application is started, one process type a line, for example `web: ./server`",
		)
	}
	r, err := f.Open()
	if err != nil {
		return nil, exit.Unablef("%s cannot be read: %w", procfileName, err)
	}
	defer func() { _ = r.Close() }()
	list, err := procfile.Parse(procfileName, r)
	if err != nil {
		return nil, err
	}
	return procfile.Types(list), nil
}

// checkScript makes sure that there is a provision script to run.
func checkScript(files []clone.File, script string, commit clone.Commit) error {
	name := path.Clean(script)
	if f, ok := clone.Find(files, name); ok && f.Mode.IsRegular() {
		return nil
	}
	return exit.Invalidf("%s: the provision script is not in commit %s, or not among the paths of SOURCE", name, commit.Short()).
		Hint("commit it, or name the one you have in PROVISION")
}

// bootAgent finds the agent that goes into the image, beside this program.
func bootAgent(executable, architecture string) (file, id string, err error) {
	goarch := map[string]string{"x86_64": "amd64", "arm64": "arm64"}[architecture]
	file = filepath.Join(filepath.Dir(executable), "boot-linux-"+goarch)
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", exit.Unablef("the boot agent is missing: %w", err).
			Hint("the pipe's image carries it beside the program; a copy of the program alone cannot bake")
	}
	if err != nil {
		return "", "", exit.Unablef("the boot agent cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", "", exit.Unablef("the boot agent cannot be read: %w", err)
	}
	return file, hexSum(sum), nil
}

// inputs joins the material with what AWS said of the rest.
func (m *Material) inputs(s *Settings, baseImage string, parameters []Parameter) Inputs {
	in := Inputs{
		Application: s.Application, Contract: contract.Version, Architecture: s.Architecture,
		BaseImage: baseImage, Boot: m.BootID, Provision: path.Clean(s.Provision),
		VolumeSize: s.VolumeSize, Parameters: parameters,
	}
	for _, f := range m.Files {
		in.Files = append(in.Files, Content{Path: f.Path, Mode: uint32(f.Mode), ID: f.ID})
	}
	return in
}

// describe says in one line what was found.
func (m *Material) describe() string {
	text := fmt.Sprintf("%d files", len(m.Files))
	if len(m.Included) > 0 {
		text += fmt.Sprintf(", %d of them built by this pipeline", len(m.Included))
	}
	return text + "; process types: " + strings.Join(m.Processes, ", ")
}
