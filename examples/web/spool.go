package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Spool is a queue of numbered jobs in a directory; it stands for the database
// that a real application would have. A job is a file that moves from new to
// work; moving is atomic, so no job is taken twice. When it is done, that is
// written into the file done and the job is removed.
type Spool struct{ Dir string }

// Job is one job. Numbers begin at 1 and have no gaps, so a job that was lost
// is noticed.
type Job struct {
	Number  int       `json:"number"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
}

// schema is the version of the layout below; Migrate brings a directory to it.
const schema = 1

// Files of a spool: the number and the tick that were given out last, one line
// per job that was done, and one per sign of life of a scheduler.
const (
	lastFile  = "last"
	doneFile  = "done"
	ticksFile = "ticks"
)

var folders = []string{"new", "work"}

// Migrate prepares the directory. It may be run any number of times.
func (s Spool) Migrate() error {
	file := filepath.Join(s.Dir, "schema")
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		found, err := strconv.Atoi(strings.TrimSpace(string(data)))
		switch {
		case err != nil:
			return fmt.Errorf("%s does not hold a number: %w", file, err)
		case found > schema:
			return fmt.Errorf("%s is at schema %d, this release knows %d", s.Dir, found, schema)
		case found == schema:
			log.Printf("%s is at schema %d already", s.Dir, schema)
			return nil
		}
	}
	for _, folder := range folders {
		if err := os.MkdirAll(filepath.Join(s.Dir, folder), 0o755); err != nil {
			return err
		}
	}
	if err := s.replace("schema", []byte(strconv.Itoa(schema)+"\n")); err != nil {
		return err
	}
	log.Printf("%s is at schema %d now", s.Dir, schema)
	return nil
}

// last is what the file of that name holds.
type last struct {
	Number int    `json:"number"`
	Tick   string `json:"tick"`
}

// Add queues a job under the next number.
func (s Spool) Add(name string) (Job, error) {
	job, _, err := s.add(name, "")
	return job, err
}

// AddTick queues a job unless this tick, or a later one, has been queued: two
// schedulers, or one that was started again, queue it once.
func (s Spool) AddTick(tick string) (Job, bool, error) { return s.add("tick", tick) }

func (s Spool) add(name, tick string) (job Job, added bool, err error) {
	unlock, err := s.lock()
	if err != nil {
		return Job{}, false, err
	}
	defer unlock()
	given, err := s.given()
	if err != nil || tick != "" && tick <= given.Tick {
		return Job{}, false, err
	}
	given.Number++
	if tick != "" {
		given.Tick = tick
	}
	job = Job{Number: given.Number, Name: name, Created: time.Now().UTC()}
	text, err := json.Marshal(job)
	if err != nil {
		return Job{}, false, err
	}
	note, err := json.Marshal(given)
	if err != nil {
		return Job{}, false, err
	}
	// The number is given out first: a number without a job would be counted
	// as a lost one, but two jobs would never share a number.
	if err := s.replace(lastFile, note); err != nil {
		return Job{}, false, err
	}
	return job, true, s.replace(filepath.Join("new", file(job.Number)), text)
}

// Take moves the oldest waiting job to work; false means that none waits.
func (s Spool) Take() (Job, bool, error) {
	names, err := s.names("new")
	if err != nil {
		return Job{}, false, err
	}
	for _, name := range names {
		err := os.Rename(s.path("new", name), s.path("work", name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // another worker was faster
		}
		if err != nil {
			return Job{}, false, err
		}
		// The file keeps its time when it moves; abandoned begins now.
		now := time.Now()
		_ = os.Chtimes(s.path("work", name), now, now)
		var job Job
		data, err := os.ReadFile(s.path("work", name))
		if err == nil {
			err = json.Unmarshal(data, &job)
		}
		return job, err == nil, err
	}
	return Job{}, false, nil
}

// Finish notes that a job is done, and by whom, and removes it. A worker that
// dies in between has done it, and it will be done again: that is counted.
func (s Spool) Finish(job Job, worker string) error {
	if err := s.note(doneFile, fmt.Sprintf("%d %s", job.Number, worker)); err != nil {
		return err
	}
	return os.Remove(s.path("work", file(job.Number)))
}

// Return gives back jobs that a worker took and did not finish within age.
func (s Spool) Return(age time.Duration) (int, error) {
	unlock, err := s.lock() // this is the one way back, and Tally looks the other
	if err != nil {
		return 0, err
	}
	defer unlock()
	names, err := s.names("work")
	count := 0
	for _, name := range names {
		info, err := os.Stat(s.path("work", name))
		if err != nil || time.Since(info.ModTime()) < age {
			continue
		}
		if err := os.Rename(s.path("work", name), s.path("new", name)); err == nil {
			count++
		}
	}
	return count, err
}

// Count says how many jobs there have been, and how many wait.
func (s Spool) Count() (queued, waiting int) {
	given, _ := s.given()
	names, _ := s.names("new")
	return given.Number, len(names)
}

// given is the number and the tick that were given out last.
func (s Spool) given() (last, error) {
	var l last
	data, err := os.ReadFile(filepath.Join(s.Dir, lastFile))
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &l)
	}
	return l, err
}

// lock keeps everybody else from adding; it ends with the process, whatever
// becomes of it.
func (s Spool) lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

// note appends a line, in one piece also where several servers do.
func (s Spool) note(name, line string) error {
	f, err := os.OpenFile(filepath.Join(s.Dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// replace writes a file so that nobody reads half of it.
func (s Spool) replace(name string, data []byte) error {
	part, err := os.CreateTemp(s.Dir, ".part-")
	if err != nil {
		return err
	}
	_, err = part.Write(data)
	err = errors.Join(err, part.Chmod(0o644), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), filepath.Join(s.Dir, name))
	}
	if err != nil {
		_ = os.Remove(part.Name())
	}
	return err
}

// names lists jobs, oldest first: their names are numbers of equal length.
func (s Spool) names(folder string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.Dir, folder))
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func file(number int) string { return fmt.Sprintf("%09d", number) }

func (s Spool) path(folder, name string) string { return filepath.Join(s.Dir, folder, name) }
