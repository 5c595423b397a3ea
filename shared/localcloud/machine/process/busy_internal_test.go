package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// A program that has just been written cannot be run while a child of ours,
// forked in that moment, holds the file open. For the shims this would be
// worse than a failure: a shell goes on to the host's shutdown.
func TestShimsAreNeverBusy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	done := make(chan struct{})
	var forks sync.WaitGroup
	for range 4 {
		forks.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					_ = exec.CommandContext(t.Context(), "true").Run() // only its fork matters
				}
			}
		})
	}
	for range 100 {
		d := &disk{dir: filepath.Join(dir, "m00001")}
		if err := os.Mkdir(d.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := writeShims(d); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"reboot", "systemctl", "shutdown"} {
			shim := exec.CommandContext(t.Context(), filepath.Join(d.dir, "bin", name), "--help")
			if err := shim.Run(); err == nil || err.Error() != "exit status 1" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := os.RemoveAll(d.dir); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	forks.Wait()
}
