package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"bitbucket.org/fearless/pipes/demo/proof"
)

const (
	oursTarget  = 3 * time.Second
	againTarget = time.Second
)

// shows measures from the start of test-env to its end, which is the first good answer
// of the environment: CloudFormation, the server and its balancer apart from what is ours.
func shows(ctx context.Context, root, _ string) (rows []row, err error) {
	p, err := proof.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Close() }()
	s, err := p.Showing(ctx, filepath.Join(root, "examples", "web"))
	if err != nil {
		return nil, err
	}
	first, err := s.Show(ctx, p.Two, nil)
	if err != nil {
		return nil, err
	}
	again, err := s.Show(ctx, p.Two, map[string]string{"TTL": "3h"})
	if err != nil {
		return nil, err
	}
	return []row{
		{what: "test-env, from the baked image to the first good answer", value: seconds(first.Total)},
		{what: "  of that CloudFormation, server and balancer", value: seconds(first.Total - first.Ours)},
		{what: "  of that the pipe itself", value: seconds(first.Ours), target: "under 3 s", met: first.Ours < oursTarget},
		{what: "test-env for the same commit again", value: seconds(again.Total), target: "under 1 s", met: again.Total < againTarget},
	}, s.End(ctx, p.Two)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
