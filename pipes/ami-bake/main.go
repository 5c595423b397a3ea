// Command ami-bake is the pipe that bakes the machine image of a commit.
package main

import (
	"os"

	"bitbucket.org/fearless/pipes/pipes/ami-bake/bake"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

func main() {
	os.Exit(pipe.Pipe[bake.Settings]{Name: bake.Name, Run: bake.Run}.Main(pipe.OS()))
}
