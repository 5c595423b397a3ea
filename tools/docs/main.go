// Command docs writes what is known of each pipe's settings to where people
// and Bitbucket read it: pipes/<pipe>/pipe.yml, the collection's pipe.yml, and
// the tables of variables in pipes/<pipe>/README.md.
//
//	go run ./tools/docs          write, from the top of the repository
//	go run ./tools/docs -check   change nothing, print what is out of date
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	check := flag.Bool("check", false, "change nothing and exit with 1 when a file is out of date")
	flag.Parse()
	os.Exit(run(".", pipes, *check, os.Stdout))
}

// The exit codes: 1 is for files that are out of date, and only for them.
const (
	passed = 0
	stale  = 1
	failed = 3
)

// file is a generated file: what it should say and what it says.
type file struct {
	path      string // below the top, with slashes
	want, got []byte
}

// run brings the files below top up to date, or tells which are not.
func run(top string, pages []page, check bool, out io.Writer) int {
	files, err := generate(top, pages)
	if err != nil {
		fmt.Fprintln(out, err)
		return failed
	}
	code := passed
	for _, f := range files {
		switch {
		case bytes.Equal(f.want, f.got):
		case check:
			fmt.Fprintln(out, f.difference())
			code = stale
		default:
			if err := os.WriteFile(filepath.Join(top, f.path), f.want, 0o644); err != nil {
				fmt.Fprintln(out, err)
				return failed
			}
			fmt.Fprintln(out, "wrote", f.path)
		}
	}
	if code == stale {
		fmt.Fprintln(out, "bring them up to date with: go run ./tools/docs")
	}
	return code
}

// generate makes all files in memory, so that an error leaves none half done.
func generate(top string, pages []page) ([]file, error) {
	var files []file
	for _, p := range pages {
		yml, err := pipeYML(p, pipeVariables(p.Variables))
		if err != nil {
			return nil, err
		}
		files = append(files, file{path: "pipes/" + p.Name + "/pipe.yml", want: yml})
	}
	yml, err := pipeYML(collection, collectionVariables(pages))
	if err != nil {
		return nil, err
	}
	files = append(files, file{path: "pipe.yml", want: yml})
	for i := range files {
		// One that is not there yet is as good as an empty one.
		files[i].got, _ = os.ReadFile(filepath.Join(top, files[i].path))
	}
	for _, p := range pages {
		path := "pipes/" + p.Name + "/README.md"
		text, err := os.ReadFile(filepath.Join(top, path))
		if err != nil {
			return nil, err
		}
		want, err := readme(p, string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		files = append(files, file{path: path, got: text, want: []byte(want)})
	}
	return files, nil
}

// difference names the first line that is not as it should be.
func (f file) difference() string {
	if f.got == nil {
		return f.path + " is missing"
	}
	want, got := strings.Split(string(f.want), "\n"), strings.Split(string(f.got), "\n")
	for i := 0; ; i++ {
		switch {
		case i == len(want):
			return fmt.Sprintf("%s:%d: should end here, but goes on: %s", f.path, i+1, got[i])
		case i == len(got):
			return fmt.Sprintf("%s:%d: ends here, but should go on: %s", f.path, i+1, want[i])
		case want[i] != got[i]:
			return fmt.Sprintf("%s:%d: is out of date\n  is:        %s\n  should be: %s", f.path, i+1, got[i], want[i])
		}
	}
}
