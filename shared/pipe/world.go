package pipe

import (
	"io"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// World is everything a pipe takes from the process it runs in. Tests make
// one of their own.
type World struct {
	Environ []string // "NAME=value", the only variables a pipe sees
	Dir     string   // where the pipe was started
	Out     io.Writer

	// Signals that stop the run; none in tests within one process.
	Signals []os.Signal
	// Interrupt stops the run like a signal does, once for each value sent.
	// Nil is never.
	Interrupt <-chan struct{}

	Transport  http.RoundTripper // for every HTTP call; nil is the real network
	Executable string            // path of the running program
	Version    string
}

// version is set by the release: -ldflags "-X …/shared/pipe.version=1.4.0".
var version string

// OS is the world of the running process, on one stream: the order of two is
// not kept in Bitbucket's log.
func OS() World {
	// The reader of the log may be gone before us, when a step is being
	// stopped. That must not kill us before we have cleaned up.
	signal.Ignore(syscall.SIGPIPE)
	dir, _ := os.Getwd()             // blank when the folder was removed
	executable, _ := os.Executable() // blank when the system does not tell
	return World{
		Environ: os.Environ(), Dir: dir, Out: os.Stdout,
		Signals:    []os.Signal{syscall.SIGINT, syscall.SIGTERM},
		Executable: executable,
		Version:    built(),
	}
}

// built is the release's version, or the commit the program was built from.
func built() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 8 {
				return s.Value[:8]
			}
		}
	}
	return "development"
}
