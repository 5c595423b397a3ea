package process

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"time"
)

const (
	busyTries = 100
	busyPause = 10 * time.Millisecond
)

// spawner starts all processes from one operating-system thread that lives as
// long as the driver: on Linux a child is killed when the *thread* that made
// it ends, and Go's threads come and go.
type spawner struct {
	jobs chan func()
	done chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func()), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

func (s *spawner) close() {
	close(s.jobs)
	<-s.done
}

// command is a process to be started.
type command struct {
	path    string
	args    []string // without the program's name
	dir     string
	env     []string
	input   *os.File
	output  *os.File
	user    *user
	outlive bool // does not die with the cloud
}

func (s *spawner) start(c command) (*os.Process, error) {
	attr := &os.ProcAttr{
		Dir: c.dir, Env: c.env, Files: []*os.File{c.input, c.output, c.output},
		Sys: attributes(c.user.credential(), c.outlive),
	}
	for try := 0; ; try++ {
		process, err := s.startOnce(c, attr)
		// Somebody may be writing the program: a script of the server, or a
		// test by way of the disk's folder.
		if !errors.Is(err, syscall.ETXTBSY) || try == busyTries {
			return process, err
		}
		<-time.After(busyPause)
	}
}

func (s *spawner) startOnce(c command, attr *os.ProcAttr) (process *os.Process, err error) {
	started := make(chan struct{})
	s.jobs <- func() {
		defer close(started)
		process, err = os.StartProcess(c.path, append([]string{c.path}, c.args...), attr)
	}
	<-started
	return process, err
}
