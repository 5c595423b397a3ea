package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Tally is the account of all jobs: how a release that loses work, or does it
// twice, is found out.
type Tally struct {
	Queued, Waiting, Working, Done int
	Lost                           []int // given a number, but neither there nor done
	Double                         []int // done more than once

	Schedulers int           // that have been at work
	Overlaps   int           // times that one was, after its successor had begun
	Gap        time.Duration // the longest time between two of them
}

func (t Tally) String() string {
	text := fmt.Sprintf("jobs: %d queued, %d waiting, %d under way, %d done, %d lost, %d done twice",
		t.Queued, t.Waiting, t.Working, t.Done, len(t.Lost), len(t.Double))
	return text + fmt.Sprintf("\nschedulers: %d, %d overlaps, longest gap %s", t.Schedulers, t.Overlaps, t.Gap.Round(time.Millisecond))
}

// Tally counts. It may be called while work goes on: no number is given out
// meanwhile, and jobs are looked for in the order in which they move.
func (s Spool) Tally() (Tally, error) {
	unlock, err := s.lock()
	if err != nil {
		return Tally{}, err
	}
	defer unlock()
	given, err := s.given()
	if err != nil {
		return Tally{}, err
	}
	t := Tally{Queued: given.Number}
	seen := map[string]bool{}
	for _, place := range []struct {
		folder string
		count  *int
	}{{"new", &t.Waiting}, {"work", &t.Working}} {
		names, err := s.names(place.folder)
		if err != nil {
			return Tally{}, err
		}
		*place.count = len(names)
		for _, name := range names {
			seen[name] = true
		}
	}
	times := map[string]int{}
	err = s.lines(doneFile, func(words []string) error {
		number, err := strconv.Atoi(words[0])
		times[file(number)]++
		return err
	})
	t.Done = len(times)
	for n := 1; n <= t.Queued; n++ {
		name := file(n)
		switch {
		case times[name] == 0 && !seen[name]:
			t.Lost = append(t.Lost, n)
		case times[name] > 1:
			t.Double = append(t.Double, n)
		}
	}
	return t, errors.Join(err, t.schedulers(s))
}

// schedulers reads their signs of life, which are in the order of time.
func (t *Tally) schedulers(s Spool) error {
	seen := map[string]bool{}
	before, at := "", time.Time{}
	return s.lines(ticksFile, func(words []string) error {
		if len(words) != 2 {
			return fmt.Errorf("%s: expected time and name in %q", ticksFile, strings.Join(words, " "))
		}
		now, err := time.Parse(time.RFC3339Nano, words[0])
		if err != nil {
			return err
		}
		if who := words[1]; who != before {
			switch {
			case seen[who]:
				t.Overlaps++
			case before != "":
				t.Gap = max(t.Gap, now.Sub(at))
			}
			if !seen[who] {
				seen[who] = true
				t.Schedulers++
			}
			before = who
		}
		at = now
		return nil
	})
}

// lines calls f with the words of every line of a file.
func (s Spool) lines(name string, f func(words []string) error) error {
	in, err := os.Open(filepath.Join(s.Dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	scanner := bufio.NewScanner(in)
	for scanner.Scan() {
		if words := strings.Fields(scanner.Text()); len(words) > 0 {
			if err := f(words); err != nil {
				return err
			}
		}
	}
	return scanner.Err()
}
