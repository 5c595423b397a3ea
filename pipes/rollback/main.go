// Command rollback is the pipe that brings a commit back which was live before.
package main

import (
	"os"

	"bitbucket.org/fearless/pipes/pipes/rollback/recall"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

func main() {
	os.Exit(pipe.Pipe[recall.Settings]{Name: recall.Name, Run: recall.Run}.Main(pipe.OS()))
}
