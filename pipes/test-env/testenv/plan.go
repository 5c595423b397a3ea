package testenv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// plan is what is going to be made.
type plan struct {
	values   environment.TestValues
	template *environment.Template
}

// plan finds everything that the environment is made of, and whatever speaks against it.
func (r *run) plan(ctx context.Context, commit string, turn int) (*plan, error) {
	file, err := r.file()
	if err != nil {
		return nil, err
	}
	record, err := r.image(ctx, commit)
	if err != nil {
		return nil, err
	}
	v, err := r.fit(file, record)
	if err != nil {
		return nil, err
	}
	base, domain, err := r.base(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.room(ctx); err != nil {
		return nil, err
	}
	l, err := r.look(ctx, base[environment.OutputListener])
	if err != nil {
		return nil, err
	}
	v.Stack, v.Base = StackName(r.s.Application, commit), base
	v.Host = HostLabel(r.s.Application, commit) + "." + domain
	v.URL, v.Image, v.Commit, v.Seed = l.url(v.Host), record.Image, commit, r.s.Seed
	if v.Priority, err = priority(l.rules, v.Stack, v.Host, turn); err != nil {
		return nil, err
	}
	if n := file.UserDataSize(v); n > environment.MostUserData {
		return nil, exit.Invalidf("the server would be told %d bytes (seed, ready, settings and so on), at most %d are possible", n, environment.MostUserData)
	}
	return &plan{v, file.Template(v)}, nil
}

// file is environments/test.yml of the clone, or the defaults where there is none.
func (r *run) file() (*environment.Test, error) {
	content, err := os.ReadFile(filepath.Join(r.rt.CloneDir(), filepath.FromSlash(environment.TestFile)))
	if errors.Is(err, fs.ErrNotExist) {
		return environment.DefaultTest(r.s.Application), nil
	}
	if err != nil {
		return nil, exit.Invalidf("%s cannot be read: %w", environment.TestFile, err)
	}
	return environment.LoadTest(environment.TestFile, r.s.Application, content)
}

// image finds the image of the commit.
func (r *run) image(ctx context.Context, commit string) (*image.Record, error) {
	bake := "bake it first: pipe fearless/ami-bake with APPLICATION: '" + r.s.Application + "' and COMMIT: '" + commit + "'"
	record, err := r.index.OfCommit(ctx, r.s.Application, commit)
	if err != nil {
		return nil, exit.Unablef("%w", err)
	}
	if record == nil {
		return nil, exit.Refusedf("there is no image of commit %.12s", commit).Hint(bake)
	}
	img, err := r.describe(ctx, record.Image)
	if err != nil {
		return nil, unable(err)
	}
	if img == nil || img.State != image.Available {
		return nil, exit.Refusedf("image %s of commit %.12s is not there any more", record.Image, commit).Hint(bake)
	}
	if record.Contract > contract.Version {
		return nil, exit.Refusedf("the boot agent of image %s speaks contract %d, this pipe knows %d: use a newer version of the pipe", record.Image, record.Contract, contract.Version)
	}
	return record, nil
}

// describe looks at an image. One that was made a moment ago may not be shown at once.
func (r *run) describe(ctx context.Context, id string) (*image.Image, error) {
	const looks = 4
	for n := 1; ; n++ {
		img, err := image.ByID(ctx, r.EC2, id)
		if err != nil || img != nil || n == looks {
			return img, err
		}
		if err := stack.Pause(ctx, 3*time.Second); err != nil {
			return nil, err
		}
	}
}

// fit chooses the server and its processes.
func (r *run) fit(file *environment.Test, record *image.Record) (v environment.TestValues, err error) {
	where, named := file.Path, file.Processes
	if len(r.s.Processes) > 0 {
		where, named = "PROCESSES", r.s.Processes
	}
	if v.Processes, err = environment.TestProcesses(record.Processes, named, where); err != nil {
		return v, err
	}
	where, v.Instance = file.Path, file.Instance
	switch {
	case r.s.Instance != "":
		where, v.Instance = "INSTANCE", r.s.Instance
	case v.Instance == "":
		v.Instance = environment.Micro(record.Architecture)
	}
	if !environment.Runs(v.Instance, record.Architecture) {
		return v, exit.Invalidf("%s: a %s has another processor than image %s, which is for %s", where, v.Instance, record.Image, record.Architecture)
	}
	return v, nil
}

// base reads the outputs of testing's base, on which all test environments stand.
func (r *run) base(ctx context.Context) (outputs map[string]string, host string, err error) {
	name := environment.BaseOfTests(r.s.Application)
	s, err := stack.Describe(ctx, r.CFN, name)
	if err != nil {
		return nil, "", unable(err)
	}
	if s == nil || s.Status.Dead() || len(s.Outputs) == 0 {
		return nil, "", exit.Refusedf("there is no testing yet: stack %s, whose network and balancer test environments share, is not there", name).Hint(
			"write environments/testing.yml (an example is in the README of this pipe),",
			"and run pipe fearless/deploy-env with ENVIRONMENT: '"+environment.Testing+"' once")
	}
	var missing []string
	for _, output := range []string{environment.OutputVPC, environment.OutputSubnets, environment.OutputServerGroup, environment.OutputProfile, environment.OutputListener} {
		if s.Outputs[output] == "" {
			missing = append(missing, output)
		}
	}
	if len(missing) > 0 {
		return nil, "", exit.Refusedf("stack %s has no %s: test environments need a balancer, and testing has none", name, strings.Join(missing, ", ")).
			Hint("give a role of environments/testing.yml http, and deploy testing again")
	}
	host, ok := domain(s.Outputs)
	if !ok {
		return nil, "", exit.Refusedf("testing has no host name for test environments: those of stack %s are %q", name, s.Outputs[environment.OutputHosts]).Hint(
			`add one with a star to the hosts of the balancer in environments/testing.yml, such as "*.test.example.com", and deploy testing again;`,
			"DNS and the certificate need the same name")
	}
	return s.Outputs, host, nil
}

// room refuses one environment too many, and says who has those that there are.
func (r *run) room(ctx context.Context) error {
	found, err := r.environments(ctx)
	if err != nil {
		return err
	}
	if len(found) < r.s.MaxEnvironments {
		return nil
	}
	var holders []string
	for _, e := range found {
		if e.Armed, err = r.armed(ctx, e.Stack.Name); err != nil {
			return err
		}
		holders = append(holders, fmt.Sprintf("%.12s %s", e.Commit, e.holder()))
	}
	return exit.Refusedf("there are %d test environments of %s, and MAX_ENVIRONMENTS is %d:\n  %s",
		len(found), r.s.Application, r.s.MaxEnvironments, strings.Join(holders, "\n  ")).
		Hint("destroy one that nobody needs, with ACTION: destroy and its COMMIT")
}

// holder says whose an environment is.
func (e Environment) holder() string {
	text := "until " + e.ends().UTC().Format("2 Jan 15:04 UTC")
	if e.Branch != "" {
		text = "of branch " + e.Branch + ", " + text
	}
	if e.Owner != "" {
		text += ", created by " + e.Owner
	}
	return text
}
