package server

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Binaries is the folder with initdb and postgres: the one named, else the newest of
// those that distributions keep outside of PATH, else that of PATH.
func Binaries(named string) (string, error) {
	if named != "" {
		if !complete(named) {
			return "", exit.Invalidf("POSTGRES_BIN: %s does not hold initdb and postgres", named)
		}
		return named, nil
	}
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*", "/usr/local/pgsql/bin"} {
		more, _ := filepath.Glob(pattern) // its only error is a bad pattern
		found = append(found, more...)
	}
	slices.SortStableFunc(found, func(a, b string) int { return major(b) - major(a) })
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, filepath.Dir(path))
	}
	for _, dir := range found {
		if complete(dir) {
			return dir, nil
		}
	}
	return "", exit.Unablef("no PostgreSQL server was found to try the migrations on").
		Hint("Use the pipe's own image, which carries one; or install one into the step's image (Debian: apt-get install postgresql) and name its folder in POSTGRES_BIN when it is not found;",
			"or set SCRATCH_DATABASE_URL to a server that may be used, such as a service container's.")
}

func complete(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

// major is the number in a path, 0 without one.
func major(path string) int {
	digits := ""
	for _, c := range path {
		if c >= '0' && c <= '9' {
			digits += string(c)
		}
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}
