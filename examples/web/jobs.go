package main

import (
	"context"
	"log"
	"time"
)

// worker does jobs, one after the other.
type worker struct {
	spool Spool
	name  string        // written beside every job that it does
	pause time.Duration // while no job waits
	takes time.Duration // how long a job is

	// abandoned is the age at which a job that was taken counts as lost with its
	// worker. No job may take longer, or it is done twice.
	abandoned time.Duration
}

// work goes on until the context ends; a job that has begun is finished first.
func (w worker) work(ctx context.Context) error {
	// On a server of its own the release step ran elsewhere.
	if err := w.spool.Migrate(); err != nil {
		return err
	}
	log.Print("waiting for jobs")
	looked := time.Time{}
	for ctx.Err() == nil {
		if time.Since(looked) >= w.abandoned {
			looked = time.Now()
			if n, err := w.spool.Return(w.abandoned); err != nil {
				return err
			} else if n > 0 {
				log.Printf("%d jobs of a lost worker wait again", n)
			}
		}
		job, found, err := w.spool.Take()
		if err != nil {
			return err
		}
		if found {
			if err := w.do(job); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(w.pause):
		}
	}
	log.Print("told to stop, no job is under way")
	return nil
}

// do is the work itself: it takes its time, and says how long the job waited.
func (w worker) do(job Job) error {
	waited := time.Since(job.Created).Round(time.Millisecond)
	<-time.After(w.takes)
	log.Printf("job %d done, it waited %s", job.Number, waited)
	return w.spool.Finish(job, w.name)
}

// scheduler queues a job at every full interval. There should be one, but the
// spool would bear two.
type scheduler struct {
	spool Spool
	name  string
	every time.Duration
}

func (s scheduler) schedule(ctx context.Context) error {
	if err := s.spool.Migrate(); err != nil {
		return err
	}
	log.Printf("one job every %s", s.every)
	for {
		if err := s.tick(time.Now()); err != nil {
			return err
		}
		next := time.Now().Truncate(s.every).Add(s.every)
		select {
		case <-ctx.Done():
			log.Print("told to stop")
			return nil
		case <-time.After(time.Until(next)):
		}
	}
}

func (s scheduler) tick(now time.Time) error {
	if err := s.spool.note(ticksFile, now.UTC().Format(time.RFC3339Nano)+" "+s.name); err != nil {
		return err
	}
	tick := now.UTC().Truncate(s.every).Format("20060102T150405.000")
	job, added, err := s.spool.AddTick(tick)
	if added {
		log.Printf("job %d queued", job.Number)
	}
	return err
}
