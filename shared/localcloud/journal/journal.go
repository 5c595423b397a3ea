// Package journal keeps a record of every call that reached the local cloud:
// what CloudTrail would show of a real account.
package journal

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Entry is one call.
type Entry struct {
	// N counts the calls from 1.
	N    int
	Time time.Time

	Service string
	Action  string

	// AccessKey is the caller's, "" for unsigned calls; Run is the
	// application id of its User-Agent.
	AccessKey string
	Run       string

	Status int

	// Code is the error's code, "" when there was none.
	Code string
}

// String is the entry as one line for the log of a failed test.
func (e Entry) String() string {
	outcome := e.Code
	if outcome == "" {
		outcome = "ok"
	}
	return fmt.Sprintf("%4d %s %s:%s %s", e.N, e.Time.Format(time.TimeOnly), e.Service, e.Action, outcome)
}

// Journal is a record of calls; the zero value is empty and ready.
type Journal struct {
	mu      sync.Mutex
	entries []Entry
}

// Add records a call, numbers it and stamps it with the time.
func (j *Journal) Add(e Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.N, e.Time = len(j.entries)+1, time.Now()
	j.entries = append(j.entries, e)
}

// Filter picks entries.
type Filter func(Entry) bool

// Of picks the calls of one action, written service:Action as in IAM; the
// action may be *.
func Of(name string) Filter {
	service, action, _ := strings.Cut(name, ":")
	return func(e Entry) bool {
		return e.Service == service && (action == "*" || e.Action == action)
	}
}

// Run picks the calls of one run.
func Run(id string) Filter { return func(e Entry) bool { return e.Run == id } }

// Failed picks the calls that were answered with an error.
func Failed(e Entry) bool { return e.Code != "" }

// Succeeded picks the calls that were not.
func Succeeded(e Entry) bool { return e.Code == "" }

// Since picks the calls after the n-th.
func Since(n int) Filter { return func(e Entry) bool { return e.N > n } }

// Entries are the calls that every filter picks, in order.
func (j *Journal) Entries(filters ...Filter) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []Entry
	for _, e := range j.entries {
		if !slices.ContainsFunc(filters, func(f Filter) bool { return !f(e) }) {
			found = append(found, e)
		}
	}
	return found
}

// Count counts the calls that every filter picks.
func (j *Journal) Count(filters ...Filter) int { return len(j.Entries(filters...)) }

// String is the whole journal, a line each call.
func (j *Journal) String() string {
	var b strings.Builder
	for _, e := range j.Entries() {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}
