package stage

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
)

// Root finds the folder of the project, from a folder inside it.
func Root(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "env", "GOMOD")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	file := string(bytes.TrimSpace(out))
	if filepath.Base(file) != "go.mod" {
		return "", fmt.Errorf("this is not inside the project: run it in a folder of the clone")
	}
	return filepath.Dir(file), nil
}

// Build compiles the programs into bin: the pipes, and the boot agent under the name
// by which ami-bake looks for it. The agent is made for this computer, since it is this
// computer that plays the server. Flags are more of the Go tool's.
func Build(ctx context.Context, root, bin string, pipes []string, flags ...string) error {
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	programs := []struct{ output, pkg string }{
		{"boot-linux-" + runtime.GOARCH, "./boot"},
		{filepath.Join(guestTools, "curl"), "./shared/localcloud/stage/curl"},
	}
	for _, pipe := range pipes {
		programs = append(programs, struct{ output, pkg string }{pipe, "./pipes/" + pipe})
	}
	for _, p := range programs {
		args := append([]string{"build", "-ldflags=-s -w", "-o", filepath.Join(bin, p.output)}, flags...)
		cmd := exec.CommandContext(ctx, "go", append(args, p.pkg)...)
		cmd.Dir = root
		cmd.Env = os.Environ() //nolint:forbidigo // the Go tool needs its own settings
		if !slices.Contains(flags, "-race") {
			cmd.Env = append(cmd.Env, "CGO_ENABLED=0") // as in the images
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %w\n%s", p.pkg, err, out)
		}
	}
	return nil
}
