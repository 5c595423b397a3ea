package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Jobs is the account of the jobs of an environment.
type Jobs struct {
	Queued, Waiting, Working, Done, Double int

	Lost []string // numbers that were given out, of jobs that are not there and were not done
	Torn int      // of these, jobs that nobody was promised: a web server was killed while it queued them

	Schedulers, Overlaps int
	Gap                  time.Duration // the longest without a scheduler
}

// String says it in one line.
func (j Jobs) String() string {
	text := fmt.Sprintf("%d jobs queued, %d done, %d lost, %d done twice", j.Queued, j.Done, len(j.Lost)-j.Torn, j.Double)
	if j.Torn > 0 {
		text += fmt.Sprintf(", %d never accepted by a server that was killed", j.Torn)
	}
	return text + fmt.Sprintf("; %d schedulers, %d at the same time as another, longest gap %s", j.Schedulers, j.Overlaps, j.Gap)
}

// Settle stops the client and waits for a moment at which every job has been done. It
// fails when a job was lost, two schedulers were at work at once, or a request failed
// after its step had been judged.
func (e *Environment) Settle(ctx context.Context) (jobs Jobs, err error) {
	e.Stop()
	for _, phase := range e.Counts() {
		if trouble := phase.Trouble(); trouble != "" && !e.wrong[phase.Phase] {
			return jobs, errors.New(trouble)
		}
	}
	err = until(ctx, "all jobs are done", func() (bool, error) {
		var err error
		jobs, err = e.tally(ctx)
		return jobs.Waiting+jobs.Working == 0, err
	})
	if err != nil {
		return jobs, fmt.Errorf("%w (%s)", err, jobs)
	}
	accepted := e.Jobs()
	if len(e.wrong) > 0 {
		for _, number := range jobs.Lost {
			if !slices.Contains(accepted, number) {
				jobs.Torn++
			}
		}
	}
	switch {
	case len(jobs.Lost) > jobs.Torn || jobs.Done+len(jobs.Lost) < jobs.Queued:
		return jobs, fmt.Errorf("jobs were lost: %s", strings.Join(jobs.Lost, ", "))
	case len(accepted) == 0 || jobs.Queued < len(accepted):
		return jobs, fmt.Errorf("%d jobs were accepted, and %d queued", len(accepted), jobs.Queued)
	case jobs.Overlaps > 0 || jobs.Schedulers == 0:
		return jobs, fmt.Errorf("there must be one scheduler at a time: %s", jobs)
	}
	return jobs, nil
}

// lost is where the tally names the jobs that it misses.
var lost = regexp.MustCompile(`lost: \[([0-9 ]*)\]`)

// tally asks the application's own account, which ends with 1 when it finds fault.
func (e *Environment) tally(ctx context.Context) (Jobs, error) {
	var j Jobs
	var missing int
	var gap string
	var said, fault bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(e.proof.One.dir, "bin", "web"), "tally")
	cmd.Env = []string{"DATA_DIR=" + e.queue}
	cmd.Stdout, cmd.Stderr = &said, &fault
	failed := cmd.Run()
	_, err := fmt.Sscanf(said.String(), "jobs: %d queued, %d waiting, %d under way, %d done, %d lost, %d done twice\nschedulers: %d, %d overlaps, longest gap %s",
		&j.Queued, &j.Waiting, &j.Working, &j.Done, &missing, &j.Double, &j.Schedulers, &j.Overlaps, &gap)
	if m := lost.FindStringSubmatch(fault.String()); m != nil {
		j.Lost = strings.Fields(m[1])
	}
	if err != nil || len(j.Lost) != missing {
		return j, fmt.Errorf("the tally of the jobs cannot be read: %s%s: %w", &said, &fault, errors.Join(err, failed))
	}
	j.Gap, err = time.ParseDuration(gap)
	return j, err
}
