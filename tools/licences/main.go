// Command licences collects what has to go with a Go program that contains
// modules of others: the licence texts of all modules linked into it and of Go
// itself, and where their source is.
//
//	go run ./tools/licences PROGRAM MODULE OUT
//
// PROGRAM is the program, MODULE the folder of the go.mod it was built from,
// whose modules are in the module cache or in its vendor folder then, and OUT
// the folder to write: <module>@<version>/LICENSE… and a README that tells where
// the source is. With a program that is not of MODULE but of others altogether,
// go also go.mod, go.sum and the offer of the source that the GPL asks for.
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
	"path"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
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
	folders, err := sources(ctx, module, info)
	if err != nil {
		return err
	}
	var without []string
	for name, folder := range folders {
		n, err := copyTexts(folder, filepath.Join(out, filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if n == 0 {
			without = append(without, name)
		}
	}
	if len(without) > 0 {
		slices.Sort(without)
		return fmt.Errorf("no licence text in %s", strings.Join(without, ", "))
	}
	readme := filepath.Join(out, "README")
	if _, foreign := folders[nameOf(&info.Main)]; !foreign {
		return explain(ours, info, readme)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := copyFile(filepath.Join(module, name), filepath.Join(out, name)); err != nil {
			return err
		}
	}
	return explain(offer, info, readme)
}

func nameOf(m *debug.Module) string { return m.Path + "@" + m.Version }

// library is the name that the standard library and the runtime go by.
func library(info *buildinfo.BuildInfo) string { return "std@" + info.GoVersion }

// sources are the folders of all that is linked into a program, by path@version,
// except for the module itself.
func sources(ctx context.Context, module string, info *buildinfo.BuildInfo) (map[string]string, error) {
	root, err := ask(ctx, module, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	own, err := ask(ctx, module, "list", "-m")
	if err != nil {
		return nil, err
	}
	find, err := finder(ctx, module)
	if err != nil {
		return nil, err
	}
	folders := map[string]string{library(info): strings.TrimSpace(string(root))}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == strings.TrimSpace(string(own)) {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		folders[nameOf(m)] = find(m)
	}
	return folders, nil
}

// finder tells where a module lies: in the vendor folder, if there is one, as for
// the Go tool, else in the module cache. It is blank for one that is not there.
func finder(ctx context.Context, module string) (func(*debug.Module) string, error) {
	vendor := filepath.Join(module, "vendor")
	if _, err := os.Stat(filepath.Join(vendor, "modules.txt")); err == nil {
		return func(m *debug.Module) string {
			folder := filepath.Join(vendor, filepath.FromSlash(m.Path))
			if _, err := os.Stat(folder); err != nil {
				return ""
			}
			return folder
		}, nil
	}
	text, err := ask(ctx, module, "list", "-m", "-json", "all")
	if err != nil {
		return nil, err
	}
	folders := map[string]string{}
	for decoder := json.NewDecoder(bytes.NewReader(text)); ; {
		var m struct{ Path, Version, Dir string }
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			return func(m *debug.Module) string { return folders[nameOf(m)] }, nil
		}
		if err != nil {
			return nil, err
		}
		folders[m.Path+"@"+m.Version] = m.Dir
	}
}

// ask runs the Go tool in the folder of a module.
func ask(ctx context.Context, module string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = module
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return text, nil
}

// copyTexts copies the licence texts of a module, and says how many there were:
// those at its top, or where nothing is, those further down.
func copyTexts(from, to string) (n int, err error) {
	if from == "" {
		return 0, errors.New("neither in the module cache nor in a vendor folder")
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

// offer is what is told about a program of others. What go.sum names is the source
// to the byte, and the module proxy hands it to anybody.
var offer = template.Must(template.New("offer").Parse(`{{.Main.Path}} {{.Main.Version}} is a program of its own, which the pipe starts and which is no part of it.
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

// ours is what is told about a program of ours.
var ours = template.Must(template.New("ours").Parse(`The program {{.Name}} contains the Go modules listed here, and Go's standard library and runtime, {{.Library}}: all of them
unchanged. The licence of each is in the folder of its name; that of {{.Name}} itself is in the file LICENSE of the image.

Source code: anybody can fetch that of a module, to the byte that is in the program:

{{range .Deps}}  go mod download {{.Path}}@{{.Version}}
{{end}}
Without Go, it is at https://proxy.golang.org/<module>/@v/<version>.zip, with an exclamation mark and a small letter for each
capital letter of the module. Should a module not be had there any more, the maintainer whom the pipe's pipe.yml names gives
its source to anybody who has the image, at no more than the cost of sending it.
`))

// explain writes where the source of the program is.
func explain(words *template.Template, info *buildinfo.BuildInfo, file string) error {
	var set []string
	for _, s := range info.Settings {
		if s.Key == "GOOS" || s.Key == "GOARCH" || s.Key == "CGO_ENABLED" {
			set = append(set, s.Key+"="+s.Value)
		}
	}
	var text bytes.Buffer
	err := words.Execute(&text, map[string]any{
		"Path": info.Path, "Name": path.Base(info.Path), "Main": info.Main, "Deps": info.Deps, "Go": info.GoVersion, "Library": library(info), "Settings": strings.Join(set, " "),
	})
	if err != nil {
		return err
	}
	return os.WriteFile(file, text.Bytes(), 0o644)
}
