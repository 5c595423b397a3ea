// Command lint-gate is the pipe that says whether a change adds findings of linters.
package main

import (
	"os"

	"bitbucket.org/fearless/pipes/pipes/lint-gate/gate"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

func main() {
	os.Exit(pipe.Pipe[gate.Settings]{Name: gate.Name, Run: gate.Run}.Main(pipe.OS()))
}
