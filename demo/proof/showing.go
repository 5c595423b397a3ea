package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"bitbucket.org/fearless/pipes/pipes/deploy-env/rollout"
	"bitbucket.org/fearless/pipes/pipes/test-env/testenv"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/localcloud/stage"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

// testDomain is the domain of test environments. No name server knows it: requests for
// it are led to testing's balancer, as the record *.test.example.com would.
const testDomain = "test.example.com"

// testingFile is the environment on whose base test environments stand.
const testingFile = `
network:
  create: {cidr: 10.60.0.0/16}
balancer:
  create: {hosts: ["*.%[1]s"]}
roles:
  web: {instance: %[2]s, drain: 5s, http: {hosts: [testing.%[1]s], drain: 5s}}
release: {when: never}
soak: 0m
`

// testFile gives each test environment a PostgreSQL of its own, where this computer has
// one to lend. The server is ready when its database holds what was seeded, and only that.
const testFile = `
database: server
seed: psql -q "$DATABASE_URL" -c "create table shown (commit text)" -c "insert into shown values ('$COMMIT')"
ready: test "$(psql -qAt "$DATABASE_URL" -c 'select commit from shown')" = "$COMMIT"
`

// postgres reports whether this computer has a PostgreSQL server, and the client.
func postgres() bool {
	servers, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	_, err := exec.LookPath("psql")
	return err == nil && len(servers) > 0
}

// Showing is testing with its balancer, behind which commits are shown to people.
type Showing struct {
	Three Version // one more that is well

	proof    *Proof
	dir      string // the clone of its pipelines
	listener string // where testing's balancer listens
	visitor  *http.Client
}

// Showing brings testing live, and bakes a third version.
func (p *Proof) Showing(ctx context.Context, sample string) (*Showing, error) {
	s := &Showing{proof: p, dir: filepath.Join(p.stage.Dir, "showing"), Three: Version{Name: "4.0.0"}}
	s.Three.dir = filepath.Join(p.stage.Dir, "clone-4.0.0")
	if err := s.Three.commit(ctx, sample, map[string]string{"VERSION": "4.0.0\n", "deploy/provision.sh": provision}); err != nil {
		return nil, err
	}
	if err := p.bake(&s.Three); err != nil {
		return nil, err
	}
	p.stage.Cloud.AddApplication(application)
	// After the scheduler's first job only what somebody asks for is queued, whatever day
	// begins meanwhile, so that environments can be told apart by what they hold.
	p.stage.Cloud.PutParameter("/proof/test/TICK", "87600h", false)
	instance := "t3.micro"
	if stage.Architecture() == "arm64" {
		instance = "t4g.micro"
	}
	file := filepath.Join(s.dir, "environments", "testing.yml")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, fmt.Appendf(nil, testingFile, testDomain, instance), 0o644)); err != nil {
		return nil, err
	}
	if postgres() {
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), "test.yml"), []byte(testFile), 0o644); err != nil {
			return nil, err
		}
	}
	var log bytes.Buffer
	code := pipe.Pipe[rollout.Settings]{Name: rollout.Name, Run: rollout.Run}.Main(pipe.World{
		Environ: p.stage.Environ(map[string]string{"APPLICATION": application, "ENVIRONMENT": "testing", "COMMIT": p.One.Commit, "BITBUCKET_PIPELINE_UUID": "{proof}"}),
		Dir:     s.dir, Out: &log, Interrupt: ctx.Done(),
	})
	if code != int(exit.Passed) {
		return nil, fmt.Errorf("deploy-env of testing ended with %d:\n%s", code, log.String())
	}
	return s, s.find()
}

// find looks for testing's balancer, and makes the way to it.
func (s *Showing) find() error {
	for _, stack := range s.proof.stage.Cloud.Stacks() {
		if stack.Name != application+"-testing-base" {
			continue
		}
		address, err := url.Parse(s.proof.stage.Cloud.ListenerURL(stack.Outputs["ListenerArn"]))
		if err != nil || address.Host == "" {
			return fmt.Errorf("testing's balancer cannot be reached: %w", err)
		}
		s.listener = address.Host
	}
	s.visitor = &http.Client{Transport: s.transport(), Timeout: 10 * time.Second}
	return nil
}

// transport is the network of this computer, with the record of the test domain.
func (s *Showing) transport() *http.Transport {
	var dialer net.Dialer
	return &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, _, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, "."+testDomain) {
			address = s.listener
		}
		return dialer.DialContext(ctx, network, address)
	}}
}

// Shown is one run of test-env that has shown a commit.
type Shown struct {
	URL         string
	Total, Ours time.Duration // ours: all but what CloudFormation took
}

// Show creates the test environment of a version, or extends it.
func (s *Showing) Show(ctx context.Context, v Version, more map[string]string) (*Shown, error) {
	began := time.Now()
	code, log := s.run(ctx, v, more)
	total := time.Since(began)
	shown := &Shown{URL: "http://" + testenv.HostLabel(application, v.Commit) + "." + testDomain, Total: total, Ours: total}
	if code != exit.Passed {
		return nil, fmt.Errorf("test-env of %s ended with %d:\n%s", v.Name, code, log)
	}
	var from, to time.Time
	for _, e := range s.proof.stage.Cloud.StackEvents(testenv.StackName(application, v.Commit)) {
		if e.Type != "AWS::CloudFormation::Stack" {
			continue
		}
		switch e.Status {
		case "CREATE_IN_PROGRESS":
			from = e.At
		case "CREATE_COMPLETE":
			to = e.At
		}
	}
	if from.After(began) {
		shown.Ours = total - to.Sub(from)
	}
	return shown, nil
}

// run runs test-env, as a pipeline of a version's commit.
func (s *Showing) run(ctx context.Context, v Version, more map[string]string) (exit.Code, string) {
	variables := map[string]string{"APPLICATION": application, "COMMIT": v.Commit, "TTL": "2h", "BITBUCKET_PIPELINE_UUID": "{proof}"}
	for name, value := range more {
		variables[name] = value
	}
	var log bytes.Buffer
	code := pipe.Pipe[testenv.Settings]{Name: testenv.Name, Run: testenv.Run}.Main(pipe.World{
		Environ: s.proof.stage.Environ(variables), Dir: s.dir, Out: &log, Interrupt: ctx.Done(), Transport: s.transport(),
	})
	return exit.Code(code), log.String()
}

// ShowAll creates the environments of several versions at the same time.
func (s *Showing) ShowAll(ctx context.Context, versions ...Version) error {
	problems := make([]error, len(versions))
	var all sync.WaitGroup
	for i, v := range versions {
		all.Go(func() { _, problems[i] = s.Show(ctx, v, nil) })
	}
	all.Wait()
	return errors.Join(problems...)
}

// Ask makes one request to a version's environment, by its host name.
func (s *Showing) Ask(ctx context.Context, v Version, method, path string) (int, string, error) {
	address := "http://" + testenv.HostLabel(application, v.Commit) + "." + testDomain + path
	request, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := s.visitor.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	return response.StatusCode, strings.TrimSpace(string(body)), err
}

// Expire brings the end of a version's environment forward, to a moment from now, and
// waits until it is gone.
func (s *Showing) Expire(ctx context.Context, v Version) error {
	name := testenv.StackName(application, v.Commit)
	api := scheduler.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: &s.proof.stage.URL,
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCALCLOUD000000", "local-cloud-secret", ""),
	})
	now, err := api.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: &name, GroupName: aws.String("fearless")})
	if err != nil {
		return err
	}
	at := time.Now().Add(2 * time.Second).UTC().Format("2006-01-02T15:04:05")
	if _, err := api.UpdateSchedule(ctx, &scheduler.UpdateScheduleInput{
		Name: &name, GroupName: now.GroupName, ScheduleExpression: aws.String("at(" + at + ")"), Target: now.Target,
		FlexibleTimeWindow: now.FlexibleTimeWindow, ActionAfterCompletion: types.ActionAfterCompletionDelete,
	}); err != nil {
		return err
	}
	return until(ctx, name+" is gone", func() (bool, error) {
		for _, stack := range s.proof.stage.Cloud.Stacks() {
			if stack.Name == name && stack.Status != "DELETE_COMPLETE" {
				return false, nil
			}
		}
		return true, nil
	})
}

// End destroys the environments of versions, and reaps: nothing may be left.
func (s *Showing) End(ctx context.Context, versions ...Version) error {
	for _, v := range versions {
		if code, log := s.run(ctx, v, map[string]string{"ACTION": testenv.ActionDestroy}); code != exit.Passed {
			return fmt.Errorf("destroying the environment of %s ended with %d:\n%s", v.Name, code, log)
		}
	}
	if code, log := s.run(ctx, Version{}, map[string]string{"ACTION": testenv.ActionReap}); code != exit.Passed {
		return fmt.Errorf("reaping ended with %d:\n%s", code, log)
	}
	return nil
}
