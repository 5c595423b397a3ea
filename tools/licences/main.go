// Command licences collects what has to go with a Go program that contains
// modules of others: the licence texts of all modules linked into it, and where
// its source is.
//
//	go run ./tools/licences PROGRAM MODULE OUT
//
// PROGRAM is the program, MODULE the folder of the go.mod it was built from,
// whose modules are in the module cache then, and OUT the folder to write:
// <module>@<version>/LICENSE…, go.mod, go.sum, and a README with the offer of
// the source that the GPL asks for.
package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: licences PROGRAM MODULE OUT")
		os.Exit(2)
	}
	if err := collect(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// texts are the names that licences and notices are known by.
var texts = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|copyright|patents|unlicense)([-._].*)?$`)

// collect writes everything; a module without a licence text is an error, since
// nobody may hand it on.
func collect(ctx context.Context, program, module, out string) error {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err
	}
	folders, err := cached(ctx, module)
	if err != nil {
		return err
	}
	var without []string
	for _, dep := range append(info.Deps, &info.Main) {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		name := dep.Path + "@" + dep.Version
		n, err := copyTexts(folders[name], filepath.Join(out, filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if n == 0 {
			without = append(without, name)
		}
	}
	if len(without) > 0 {
		return fmt.Errorf("no licence text in %s", strings.Join(without, ", "))
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := copyFile(filepath.Join(module, name), filepath.Join(out, name)); err != nil {
			return err
		}
	}
	return offer(info, filepath.Join(out, "README"))
}

// cached are the folders of all modules in the module cache, by path@version.
func cached(ctx context.Context, module string) (map[string]string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-json", "all")
	cmd.Dir = module
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	folders := map[string]string{}
	for decoder := json.NewDecoder(bytes.NewReader(text)); ; {
		var m struct{ Path, Version, Dir string }
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			return folders, nil
		}
		if err != nil {
			return nil, err
		}
		folders[m.Path+"@"+m.Version] = m.Dir
	}
}

// copyTexts copies the licence texts of a module, and says how many there were:
// those at its top, or where nothing is, those further down.
func copyTexts(from, to string) (n int, err error) {
	if from == "" {
		return 0, errors.New("not in the module cache")
	}
	for _, pattern := range []string{"*", "*/*"} {
		files, err := filepath.Glob(filepath.Join(from, pattern))
		if err != nil {
			return 0, err
		}
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				return n, err
			}
			if !info.Mode().IsRegular() || !texts.MatchString(info.Name()) || filepath.Ext(file) == ".go" {
				continue
			}
			if err := copyFile(file, filepath.Join(to, strings.TrimPrefix(file, from))); err != nil {
				return n, err
			}
			n++
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, nil
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}

// words of the offer. What go.sum names is the source to the byte, and the
// module proxy hands it to anybody.
var words = template.Must(template.New("offer").Parse(`{{.Main.Path}} {{.Main.Version}} is a program of its own, which the pipe starts and which is no part of it.
It is unchanged, and contains the modules whose licences lie beside this file, in folders of their names. Its own licence is
in {{.Main.Path}}@{{.Main.Version}}.

Source code: all of it is what go.mod and go.sum beside this file name. Anybody can fetch it, and build this very program
from it with {{.Go}}, in a folder that holds these two files:

  go mod download
  {{.Settings}} go build -trimpath -ldflags "-s -w" {{.Path}}

Should a module not be had from https://proxy.golang.org any more, the maintainer whom the pipe's pipe.yml names gives the
source of this program to anybody who has the image, at no more than the cost of sending it. This offer is valid for three
years from the day the image was published.
`))

// offer writes where the source of the program is.
func offer(info *buildinfo.BuildInfo, file string) error {
	var set []string
	for _, s := range info.Settings {
		if s.Key == "GOOS" || s.Key == "GOARCH" || s.Key == "CGO_ENABLED" {
			set = append(set, s.Key+"="+s.Value)
		}
	}
	var text bytes.Buffer
	err := words.Execute(&text, map[string]any{"Path": info.Path, "Main": info.Main, "Go": info.GoVersion, "Settings": strings.Join(set, " ")})
	if err != nil {
		return err
	}
	return os.WriteFile(file, text.Bytes(), 0o644)
}
