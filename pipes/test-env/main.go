// Command test-env is the pipe that shows a commit to somebody: a small environment with
// an address of its own, which is gone after its time.
package main

import (
	"os"

	"bitbucket.org/fearless/pipes/pipes/test-env/testenv"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

func main() {
	os.Exit(pipe.Pipe[testenv.Settings]{Name: testenv.Name, Run: testenv.Run}.Main(pipe.OS()))
}
