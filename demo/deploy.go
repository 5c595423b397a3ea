package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"bitbucket.org/fearless/pipes/demo/traffic"
	"bitbucket.org/fearless/pipes/shared/localcloud/stage"
)

// quick is how many requests are sent a second while an image is replaced.
const quick = 200

// rollout is one run of deploy-env or of rollback.
type rollout struct {
	release release
	outcome string
	refused bool // deploy-env said no, as it should
	took    time.Duration
	traffic traffic.Count
}

// deployAll brings the environment staging live with the first image, replaces it by the
// second while a client sends requests, fails with the third, and rolls back to the first.
func deployAll(ctx context.Context, out io.Writer, s *stage.Stage, repository stage.Repository, releases []release) error {
	var rollouts []rollout
	var client *traffic.Client
	others := showBeside(ctx, s, repository, releases[:2])
	for i, r := range releases {
		heading(out, fmt.Sprintf("Pipeline of commit %.12s: deploy-env to staging", r.commit))
		if client != nil {
			client.Phase(r.version)
		}
		d, err := deploy(ctx, out, s, repository, r)
		if err != nil {
			return err
		}
		rollouts = append(rollouts, d)
		if wanted := i == len(releases)-1; d.refused != wanted {
			return fmt.Errorf("the release of version %s: refused is %v, which it should not be", r.version, d.refused)
		}
		if client != nil {
			continue
		}
		url, err := listener(ctx, s, "staging")
		if err != nil {
			return err
		}
		if r.answer, err = ask(ctx, url+"/version"); err != nil {
			return fmt.Errorf("staging does not answer: %w", err)
		}
		fmt.Fprintf(out, "staging answers at %s: %s\n", url, r.answer)
		client = traffic.Start(ctx, traffic.Load{URL: url, Quick: quick, Slow: 1}, r.version)
		defer client.Stop()
	}
	for i := 1; i < len(rollouts); i++ {
		rollouts[i].traffic = client.Of(rollouts[i].release.version)
	}
	back, err := rollBack(ctx, out, s, releases[0], client)
	if err != nil {
		return err
	}
	if err := rolloutTable(out, append(rollouts, back)); err != nil {
		return err
	}
	return others.finish(ctx, out, s)
}

// back is the phase in which the client is while a rollback goes on.
const back = "rollback"

// rollBack runs the pipe as a custom pipeline would, without a clone: whoever starts it
// knows no more than that what was live before was better.
func rollBack(ctx context.Context, out io.Writer, s *stage.Stage, to release, client *traffic.Client) (rollout, error) {
	heading(out, "Pipeline started by hand: rollback of staging to what was live before")
	client.Phase(back)
	began := time.Now()
	dir, err := os.MkdirTemp(s.Dir, "no-clone-")
	if err != nil {
		return rollout{}, err
	}
	cmd := exec.CommandContext(ctx, s.Program("rollback"))
	cmd.Dir = dir
	cmd.Env = s.Environ(map[string]string{
		"APPLICATION": application, "ENVIRONMENT": "staging", "PROVEN_IN": "staging", "COMMIT": "previous", "REASON": "it is a demo",
		"BITBUCKET_PIPELINE_UUID": "{demo}", "BITBUCKET_CLONE_DIR": dir,
	})
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return rollout{}, fmt.Errorf("rollback: %w", err)
	}
	took := time.Since(began)
	url, err := listener(ctx, s, "staging")
	if err != nil {
		return rollout{}, err
	}
	answer, err := ask(ctx, url+"/version")
	if err != nil {
		return rollout{}, fmt.Errorf("staging does not answer after the rollback: %w", err)
	}
	if !strings.HasPrefix(answer, to.version) {
		return rollout{}, fmt.Errorf("after the rollback staging answers %q, which is not version %s", answer, to.version)
	}
	fmt.Fprintf(out, "staging answers at %s: %s\n", url, answer)
	return rollout{release: to, outcome: "rolled back to", took: took, traffic: client.Of(back)}, nil
}

// deploy runs the pipe as a pipeline would.
func deploy(ctx context.Context, out io.Writer, s *stage.Stage, repository stage.Repository, r release) (rollout, error) {
	began := time.Now()
	cmd := exec.CommandContext(ctx, s.Program("deploy-env"))
	cmd.Dir = repository.Dir
	cmd.Env = s.Environ(map[string]string{
		"APPLICATION": application, "ENVIRONMENT": "staging", "COMMIT": r.commit, "SOAK": "0m",
		"BITBUCKET_PIPELINE_UUID": "{demo}", "BITBUCKET_CLONE_DIR": repository.Dir,
	})
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	var exited *exec.ExitError
	if errors.As(err, &exited) && exited.ExitCode() == 1 {
		return rollout{release: r, refused: true, took: time.Since(began)}, nil
	}
	if err != nil {
		return rollout{}, fmt.Errorf("deploy-env of version %s: %w", r.version, err)
	}
	return rollout{release: r, took: time.Since(began)}, nil
}

// listener is where the balancer of an environment can be reached.
func listener(ctx context.Context, s *stage.Stage, environment string) (string, error) {
	api := cloudformation.New(cloudformation.Options{Region: "us-east-1", BaseEndpoint: &s.URL, Credentials: keys})
	out, err := api.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(application + "-" + environment + "-base")})
	if err != nil {
		return "", err
	}
	for _, o := range out.Stacks[0].Outputs {
		if aws.ToString(o.OutputKey) == "ListenerArn" {
			if url := s.Cloud.ListenerURL(aws.ToString(o.OutputValue)); url != "" {
				return url, nil
			}
		}
	}
	return "", errors.New("the base of " + environment + " has no listener")
}

func rolloutTable(out io.Writer, rollouts []rollout) error {
	heading(out, "What the client saw")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VERSION\tOUTCOME\tTOOK\tREQUESTS\tFAILED\tP99\tVERSIONS SEEN")
	failed, trouble := 0, ""
	for _, r := range rollouts {
		outcome := cmp.Or(r.outcome, "live")
		if r.refused {
			outcome = "failed; the one before goes on"
		}
		if r.traffic.Failed > 0 {
			failed, trouble = failed+r.traffic.Failed, trouble+"\n"+r.traffic.Trouble()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", r.release.version, outcome, seconds(r.took),
			r.traffic.Sent, r.traffic.Failed, r.traffic.Quantile(0.99).Round(time.Millisecond), r.traffic.Seen())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d requests failed; there must be none%s", failed, trouble)
	}
	return nil
}
