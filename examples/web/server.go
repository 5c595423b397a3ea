package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"log"
	"net"
	"net/http"
	"strings"
	"time"
)

//go:embed VERSION
var version string

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// release names what is running: the version and, on a server, the commit.
func release(commit string) string {
	name := strings.TrimSpace(version)
	if len(commit) > 12 {
		commit = commit[:12]
	}
	return strings.TrimSpace(name + " " + commit)
}

// slow is how long a slow page takes.
const slow = time.Second

// handler is the whole web application.
func handler(release string, spool Spool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		queued, waiting := spool.Count()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		err := page.Execute(w, map[string]any{"Release": release, "Queued": queued, "Waiting": waiting})
		if err != nil {
			log.Print(err)
		}
	})
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, release)
	})
	// Takes a second, as a report would: who is in the middle of it during a release
	// still gets the answer.
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(slow):
			fmt.Fprintln(w, release)
		case <-r.Context().Done(): // nobody waits any more
		}
	})
	mux.HandleFunc("POST /jobs", func(w http.ResponseWriter, _ *http.Request) {
		job, err := spool.Add("visitor")
		if err != nil {
			log.Print(err)
			http.Error(w, "the job was not queued", http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintln(w, job.Number)
	})
	mux.HandleFunc("GET /jobs", func(w http.ResponseWriter, _ *http.Request) {
		tally, err := spool.Tally()
		if err != nil {
			log.Print(err)
			http.Error(w, "the jobs cannot be counted", http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, tally)
	})
	// Asked every few seconds: as cheap as it can be, no login, no redirect.
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// serve answers requests until the context ends, and then those that have been
// accepted.
func serve(ctx context.Context, host, port string, h http.Handler) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return err
	}
	log.Printf("listening on %s", listener.Addr())
	return serveOn(ctx, listener, h)
}

func serveOn(ctx context.Context, listener net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		// Longer than the idle time of a load balancer (60 s). Else it may send a
		// request on a connection that is being closed, and show an error.
		IdleTimeout: 75 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Print("told to stop, finishing requests")
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 25*time.Second)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		return fmt.Errorf("requests were cut off: %w", err)
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
