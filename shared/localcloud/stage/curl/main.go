// Command curl stands in for curl on computers that have none. Every real server can
// fetch its package, with curl, wget or Python; a bare computer that plays the server,
// with Go and git and nothing else, cannot. It knows the options that our user data uses.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// longest bounds a download; it goes from this computer to this computer.
const longest = 5 * time.Minute

func main() {
	output := flag.String("output", "", "file to write")
	for _, name := range []string{"fail", "silent", "show-error", "location"} {
		flag.Bool(name, true, "accepted: it is always so")
	}
	for _, name := range []string{"retry", "retry-delay"} {
		flag.Int(name, 0, "accepted: nothing fails for a moment here")
	}
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	err := fetch(ctx, flag.Arg(0), *output)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "curl:", err)
		os.Exit(22) // as curl does with --fail
	}
}

func fetch(ctx context.Context, url, output string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer is %s", response.Status)
	}
	file, err := os.Create(output)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, response.Body); err != nil {
		_ = file.Close() // the first error counts
		return err
	}
	return file.Close()
}
