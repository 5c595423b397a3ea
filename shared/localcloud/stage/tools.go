package stage

import (
	"os"
	"path/filepath"
)

// guestTools is the folder of what a bare computer lacks to play a server.
const guestTools = "guest"

// lendTools copies the tools to where servers can reach them, which run as another user
// when the stage is put up by root, and returns the folder. A stage without programs of
// its own has none to lend.
func lendTools(bin, dir string) (string, error) {
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	from, to := filepath.Join(bin, guestTools), filepath.Join(dir, guestTools)
	if _, err := os.Stat(from); err != nil {
		return to, nil
	}
	return to, os.CopyFS(to, os.DirFS(from))
}
