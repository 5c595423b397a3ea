// Command deploy-env is the pipe that brings an environment to the state its file
// describes, running the image of a commit.
package main

import (
	"os"

	"bitbucket.org/fearless/pipes/pipes/deploy-env/rollout"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

func main() {
	os.Exit(pipe.Pipe[rollout.Settings]{Name: rollout.Name, Run: rollout.Run}.Main(pipe.OS()))
}
