package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"bitbucket.org/fearless/pipes/shared/environment"
)

const (
	// generations is how often templates are made for a median.
	generations = 200

	endTarget    = 2 * time.Second
	minuteTarget = 60
)

// templates measures from the bytes of an environment file to the text of both templates.
func templates(_ context.Context, root, _ string) ([]row, error) {
	const name = "environments/production.yml"
	content, err := os.ReadFile(filepath.Join(root, "examples", "web", filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	var times []time.Duration
	size := 0
	for range generations {
		began := time.Now()
		file, err := environment.Load(name, "web", content)
		if err != nil {
			return nil, err
		}
		base, err := file.Base().JSON()
		if err != nil {
			return nil, err
		}
		servers, err := file.Servers(environment.Values{}).JSON()
		if err != nil {
			return nil, err
		}
		times, size = append(times, time.Since(began)), len(base)+len(servers)
	}
	slices.Sort(times)
	return []row{{
		what:  fmt.Sprintf("templates of the sample's production, median of %d", generations),
		value: fmt.Sprintf("%.2f ms for %d bytes", ms(times[generations/2]), size),
	}}, nil
}

// promptness is the line of the test in simulated time that measures deploy-env: waiting
// is what counts there, and a minute of it takes milliseconds.
var promptness = regexp.MustCompile(`promptness: releases=(\d+) end=(\S+) latest=(\S+) calls=(\d+) plan-calls=(\d+) plan=(\S+)`)

// deploys measures how long deploy-env makes people wait beside what CloudFormation takes.
func deploys(ctx context.Context, root, _ string) ([]row, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-run=^TestPromptness$", "./pipes/deploy-env/rollout")
	cmd.Dir = root
	out, failed := cmd.CombinedOutput()
	m := promptness.FindSubmatch(out)
	if m == nil {
		return nil, fmt.Errorf("go test of deploy-env's promptness: %w\n%s", failed, out)
	}
	end, err := time.ParseDuration(string(m[2]))
	if err != nil {
		return nil, err
	}
	calls, err := strconv.Atoi(string(m[4]))
	if err != nil {
		return nil, err
	}
	return []row{
		{
			what:  fmt.Sprintf("deploy-env, from the stack's end to its own, median of %s (simulated)", m[1]),
			value: fmt.Sprintf("%.1f s, at most %s", end.Seconds(), m[3]), target: "under 2 s", met: end < endTarget,
		},
		{what: "its AWS calls in the busiest minute, those to S3 aside", value: strconv.Itoa(calls), target: "at most 60", met: calls <= minuteTarget},
		{what: "before its change begins (simulated)", value: fmt.Sprintf("%s calls, %s of waiting", m[5], m[6])},
	}, nil
}
