// Command pipes is all pipes that work in AWS in one program, for their collection image:
// the variable PIPE says which of them runs, or the name by which the program is called.
package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/ami-bake/bake"
	"bitbucket.org/fearless/pipes/pipes/deploy-env/rollout"
	"bitbucket.org/fearless/pipes/pipes/rollback/recall"
	"bitbucket.org/fearless/pipes/pipes/test-env/testenv"
	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/settings"
)

// pipes are the programs of the collection. Another one joins with a line here.
var pipes = map[string]func(pipe.World) int{
	bake.Name:    pipe.Pipe[bake.Settings]{Name: bake.Name, Run: bake.Run}.Main,
	rollout.Name: pipe.Pipe[rollout.Settings]{Name: rollout.Name, Run: rollout.Run}.Main,
	recall.Name:  pipe.Pipe[recall.Settings]{Name: recall.Name, Run: recall.Run}.Main,
	testenv.Name: pipe.Pipe[testenv.Settings]{Name: testenv.Name, Run: testenv.Run}.Main,
}

func main() {
	os.Exit(run(filepath.Base(os.Args[0]), pipe.OS()))
}

// run is the pipe of the name by which the program was called, or else of PIPE.
func run(called string, w pipe.World) int {
	if main, ok := pipes[called]; ok {
		return main(w)
	}
	name := chosen(w.Environ)
	if main, ok := pipes[name]; ok {
		return main(w)
	}
	all := slices.Sorted(maps.Keys(pipes))
	log := console.New(w.Out, false)
	if name == "" {
		log.Fail("PIPE is not set; it says which pipe runs: %s", strings.Join(all, ", "))
	} else {
		log.Fail("PIPE: %q is none of the pipes here: %s%s", name, strings.Join(all, ", "), suggestion(name, all))
	}
	return int(exit.Invalid)
}

// chosen is the value of PIPE; a blank one is none.
func chosen(environ []string) string {
	name := ""
	for _, variable := range environ {
		if value, ok := strings.CutPrefix(variable, "PIPE="); ok {
			name = strings.TrimSpace(value)
		}
	}
	return name
}

// suggestion is the name that was perhaps meant.
func suggestion(name string, all []string) string {
	for _, known := range all {
		if settings.Distance(strings.ToLower(name), known) <= 2 {
			return "; did you mean " + known + "?"
		}
	}
	return ""
}
