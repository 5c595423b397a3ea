package main

import (
	"fmt"
	"io"
	"net/http"
	"sync"

	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/journal"
)

// front stands before the cloud: it prints calls, and turns web pages away.
type front struct {
	cloud *localcloud.Cloud

	mu      sync.Mutex
	out     io.Writer
	printed int
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A page in a browser can send forms to any address of its user's
	// computer, and a form can be a RunInstances. AWS clients send neither.
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		http.Error(w, "the local cloud does not answer browsers", http.StatusForbidden)
		return
	}
	f.cloud.ServeHTTP(w, r)
	f.print()
}

// print writes the calls that were not printed yet, in their order.
func (f *front) print() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, call := range f.cloud.Journal().Entries(journal.Since(f.printed)) {
		fmt.Fprintln(f.out, call)
		f.printed = call.N
	}
}
