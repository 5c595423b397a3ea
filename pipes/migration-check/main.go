// Command migration-check is the pipe that tells whether a change needs a database
// migration, and whether those that it brings work.
package main

import (
	"os"

	"bitbucket.org/fearless/pipes/pipes/migration-check/check"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

func main() {
	os.Exit(pipe.Pipe[check.Settings]{Name: check.Name, Run: check.Run}.Main(pipe.OS()))
}
