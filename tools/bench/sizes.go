package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"bitbucket.org/fearless/pipes/shared/console"
)

// imageTarget is what a pipe, and its image, may have when compressed, in bytes.
const imageTarget = 8_000_000

// sizes builds the programs as the images have them, static and stripped for Linux, and
// weighs them raw and compressed. The image of ami-bake holds the program and the agents
// of both architectures; certificates and time zones add some 0.4 MB that are not here.
func sizes(ctx context.Context, root, bin string) ([]row, error) {
	programs := []struct{ name, pkg, arch string }{
		{"ami-bake", "./pipes/ami-bake", "amd64"},
		{"boot, x86_64", "./boot", "amd64"},
		{"boot, arm64", "./boot", "arm64"},
	}
	var rows []row
	var image int64 // compressed, as a registry stores it
	for _, p := range programs {
		file := filepath.Join(bin, "release-"+filepath.Base(p.pkg)+"-"+p.arch)
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, p.pkg)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+p.arch) //nolint:forbidigo // the Go tool needs its own settings
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go build %s: %w\n%s", p.pkg, err, out)
		}
		raw, packed, err := weigh(file)
		if err != nil {
			return nil, err
		}
		image += packed
		r := row{what: "size of " + p.name, value: console.Bytes(raw) + ", compressed " + console.Bytes(packed)}
		if p.pkg != "./boot" {
			r.target, r.met = "8 MB compressed", packed <= imageTarget
		}
		rows = append(rows, r)
	}
	return append(rows, row{
		what: "programs in the image of ami-bake, compressed", value: console.Bytes(image),
		target: "8 MB", met: image <= imageTarget,
	}), nil
}

// weigh gives the size of a file, and what a registry would store of it.
func weigh(file string) (raw, packed int64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = f.Close() }()
	var counter counter
	zip, err := gzip.NewWriterLevel(&counter, gzip.BestCompression)
	if err != nil {
		return 0, 0, err
	}
	if raw, err = io.Copy(zip, f); err != nil {
		return 0, 0, err
	}
	return raw, int64(counter), zip.Close()
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// hello is the program that does nothing but write a line.
var hello = strings.TrimSpace(`
package main

import "os"

func main() { _, _ = os.Stdout.WriteString("hello\n") }
`)
