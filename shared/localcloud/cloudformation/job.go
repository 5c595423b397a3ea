package cloudformation

import (
	"errors"
	"iter"
	"slices"
)

var (
	// errStopped ends a job because another one failed or somebody cancelled.
	errStopped = errors.New("stopped")

	// errClosed ends an operation because the cloud is closed.
	errClosed = errors.New("the cloud is closed")
)

// pause lets time pass in a job; an error means to end at once.
type pause func() error

// job is what an operation does about one resource. Jobs are coroutines of
// the operation's goroutine, which looks after them in a fixed order: they
// read like straight code, and a run with the same seed does the same again.
type job struct {
	name  string
	after []string // jobs that must be over; names without a job count as over
	work  func(pause) error

	resume func() (struct{}, bool)
	stop   func()
	over   bool
	err    error
}

// next runs the job until it pauses or ends.
func (j *job) next() {
	if j.resume == nil {
		j.resume, j.stop = iter.Pull(func(yield func(struct{}) bool) {
			j.err = j.work(func() error {
				if !yield(struct{}{}) {
					return errStopped
				}
				return nil
			})
		})
	}
	if _, running := j.resume(); !running {
		j.over = true
	}
}

// onFailure says what becomes of the other jobs when one fails.
type onFailure int

const (
	stopOthers onFailure = iota // a create or update: all is undone
	goOn                        // clean-up: what cannot be removed is left
	skipUsers                   // a delete: what the failed one needs stays
)

// perform does the jobs, several at a time, until all are over, one has
// failed, or check finds a reason to end.
func (r *run) perform(jobs []*job, failure onFailure, check func() error) error {
	for {
		progress := false
		for _, j := range jobs {
			if j.over || !ready(j, jobs, failure) {
				continue
			}
			j.next()
			progress = progress || j.over
			if j.over && j.err != nil && failure == stopOthers {
				halt(jobs)
				return j.err
			}
		}
		if !slices.ContainsFunc(jobs, func(j *job) bool { return !j.over && !blocked(j, jobs, failure) }) {
			return firstError(jobs)
		}
		if progress {
			continue // somebody may have waited for it
		}
		err := check()
		if err == nil {
			err = r.tick()
		}
		if err != nil {
			halt(jobs)
			return err
		}
	}
}

// ready tells whether a job may start or go on.
func ready(j *job, jobs []*job, failure onFailure) bool {
	return j.resume != nil || !slices.ContainsFunc(jobs, func(other *job) bool {
		return slices.Contains(j.after, other.name) && (!other.over || failure == skipUsers && other.err != nil)
	})
}

// blocked tells whether a job can never start.
func blocked(j *job, jobs []*job, failure onFailure) bool {
	if failure != skipUsers || j.resume != nil {
		return false
	}
	return slices.ContainsFunc(jobs, func(other *job) bool {
		return slices.Contains(j.after, other.name) && (other.over && other.err != nil || !other.over && blocked(other, jobs, failure))
	})
}

// halt ends all jobs that are under way.
func halt(jobs []*job) {
	for _, j := range jobs {
		if j.resume != nil && !j.over {
			j.stop()
			j.over = true
		}
	}
}

func firstError(jobs []*job) error {
	for _, j := range jobs {
		if j.err != nil {
			return j.err
		}
	}
	return nil
}
