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
	"time"
)

// Spool is a queue of jobs in a directory; it stands for the database that a
// real application would have. A job is a file that moves from new to work to
// done; moving is atomic, so no job is taken twice.
type Spool struct{ Dir string }

// Job is one job. Its name is its identity.
type Job struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
}

// schema is the version of the layout below; Migrate brings a directory to it.
const schema = 1

// keep is how many finished jobs stay to be looked at.
const keep = 100

var folders = []string{"new", "work", "done"}

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
	if err := os.WriteFile(file, []byte(strconv.Itoa(schema)+"\n"), 0o644); err != nil {
		return err
	}
	log.Printf("%s is at schema %d now", s.Dir, schema)
	return nil
}

// Add queues a job and reports whether it is new: the same name is queued once.
func (s Spool) Add(job Job) (bool, error) {
	data, err := json.Marshal(job)
	if err != nil {
		return false, err
	}
	if s.knows(job.Name) {
		return false, nil
	}
	part := s.path("work", "."+job.Name+"."+strconv.Itoa(os.Getpid()))
	if err := os.WriteFile(part, data, 0o644); err != nil {
		return false, err
	}
	defer os.Remove(part)
	// A link, unlike a move, fails when the name is taken.
	err = os.Link(part, s.path("new", job.Name))
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
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
		var job Job
		data, err := os.ReadFile(s.path("work", name))
		if err == nil {
			err = json.Unmarshal(data, &job)
		}
		return job, err == nil, err
	}
	return Job{}, false, nil
}

// Finish moves a job to done and forgets the oldest ones there.
func (s Spool) Finish(job Job) error {
	if err := os.Rename(s.path("work", job.Name), s.path("done", job.Name)); err != nil {
		return err
	}
	names, err := s.names("done")
	for len(names) > keep && err == nil {
		if err = os.Remove(s.path("done", names[0])); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		names = names[1:]
	}
	return err
}

// Return gives back jobs that a worker took and did not finish within age.
func (s Spool) Return(age time.Duration) (int, error) {
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

// Count says how many jobs wait and how many finished ones are kept.
func (s Spool) Count() (waiting, done int) {
	names, _ := s.names("new")
	finished, _ := s.names("done")
	return len(names), len(finished)
}

func (s Spool) knows(name string) bool {
	for _, folder := range folders {
		if _, err := os.Stat(s.path(folder, name)); err == nil {
			return true
		}
	}
	return false
}

// names lists jobs, oldest first: their names begin with the time.
func (s Spool) names(folder string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.Dir, folder))
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, err
}

func (s Spool) path(folder, name string) string { return filepath.Join(s.Dir, folder, name) }
