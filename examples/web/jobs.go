package main

import (
	"context"
	"log"
	"time"
)

// abandoned is the age at which a job that was taken counts as lost with its
// worker.
const abandoned = time.Minute

// work does one job after the other until the context ends; a job that has
// begun is finished first.
func work(ctx context.Context, spool Spool, pause time.Duration) error {
	// On a server of its own the release step ran elsewhere.
	if err := spool.Migrate(); err != nil {
		return err
	}
	if n, err := spool.Return(abandoned); err != nil {
		return err
	} else if n > 0 {
		log.Printf("%d jobs of a lost worker wait again", n)
	}
	log.Print("waiting for jobs")
	for ctx.Err() == nil {
		job, found, err := spool.Take()
		if err != nil {
			return err
		}
		if found {
			if err := do(spool, job); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	log.Print("told to stop, no job is under way")
	return nil
}

// do is the work itself: it says how long the job had to wait.
func do(spool Spool, job Job) error {
	log.Printf("job %s done, it waited %s", job.Name, time.Since(job.Created).Round(time.Millisecond))
	return spool.Finish(job)
}

// schedule queues a job at every full interval. The job is named by its time,
// so that two schedulers, or one that was restarted, queue it once.
func schedule(ctx context.Context, spool Spool, every time.Duration) error {
	if err := spool.Migrate(); err != nil {
		return err
	}
	log.Printf("one job every %s", every)
	for {
		if err := tick(spool, time.Now(), every); err != nil {
			return err
		}
		next := time.Now().Truncate(every).Add(every)
		select {
		case <-ctx.Done():
			log.Print("told to stop")
			return nil
		case <-time.After(time.Until(next)):
		}
	}
}

func tick(spool Spool, now time.Time, every time.Duration) error {
	at := now.UTC().Truncate(every)
	added, err := spool.Add(Job{Name: at.Format("20060102T150405.000") + "-tick", Created: now.UTC()})
	if added {
		log.Printf("tick of %s queued", at.Format(time.TimeOnly))
	}
	return err
}
