package rollout

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"bitbucket.org/fearless/pipes/shared/account"
	"bitbucket.org/fearless/pipes/shared/clone"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/release"
	"bitbucket.org/fearless/pipes/shared/settings"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// deployer is one run of the pipe.
type deployer struct {
	rt      *pipe.Runtime
	s       *Settings
	file    *environment.File
	op      *release.Operator // of the servers, and as far as it goes of the base
	made    made
	preview preview
	before  *ledger.Release // what was live when the servers were looked at; nil: nothing
}

// Run does what the settings ask for.
func Run(ctx context.Context, rt *pipe.Runtime, s Settings) (pipe.Result, error) {
	d := &deployer{rt: rt, s: &s}
	if s.Action == ActionHistory { // the ledger tells it all, also of environments whose file is gone
		if err := d.open(ctx); err != nil {
			return nil, err
		}
		return d.history(ctx)
	}
	if err := d.load(); err != nil {
		return nil, err
	}
	if s.Action == ActionTemplate {
		return d.templates()
	}
	if err := d.open(ctx); err != nil {
		return nil, err
	}
	if err := d.ownAll(ctx); err != nil {
		return nil, err
	}
	if s.Action == ActionDestroy {
		return d.destroy(ctx)
	}
	return d.deploy(ctx)
}

// load reads the environment file of the clone.
func (d *deployer) load() error {
	name := d.s.file()
	content, err := os.ReadFile(filepath.Join(d.rt.CloneDir(), filepath.FromSlash(name)))
	if err != nil {
		return exit.Invalidf("the environment file cannot be read: %w", err).
			Hint("every environment has a file " + name + " in the repository")
	}
	if d.file, err = environment.Load(name, d.s.Application, content); err != nil {
		return err
	}
	return d.soak()
}

// soak takes the soak from the variable, when there is one. It has the same limits there
// as in the file.
func (d *deployer) soak() error {
	if !d.s.Soak.Given {
		return nil
	}
	if longest, role := d.file.LongestSoak(); d.s.Soak.Time.Std() > longest {
		return exit.Invalidf("SOAK: %s is too long, at most %s while a role of %s can scale, as %s can (max above min)",
			d.s.Soak.Time, settings.Duration(longest), d.file.Path, role).
			Hint("two groups of servers that grow side by side know only their own load each")
	}
	d.file.Soak = d.s.Soak.Time.Std()
	return nil
}

// open starts the session and says whose account it is.
func (d *deployer) open(ctx context.Context) error {
	session, err := account.Open(ctx, d.s.AWS, account.Options{
		Pipe: Name, Role: d.role(), Application: d.s.Application, Duration: d.s.Timeout.Std() + account.Margin, Transport: d.rt.World.Transport,
	})
	if err != nil {
		return err
	}
	for _, note := range session.Notes {
		d.rt.Console.Warn("%s", note)
	}
	d.rt.Console.Info("AWS %s", session)
	d.op = d.operator(release.Connect(session, d.s.Bucket))
	return d.lookUpRoles(ctx)
}

// operator is who changes the stacks of the environment.
func (d *deployer) operator(clients release.Clients) *release.Operator {
	op := &release.Operator{
		Clients: clients, Console: d.rt.Console, Application: d.s.Application, Environment: d.s.Environment, Build: d.s.BuildNumber,
		Look: d.s.Action == ActionPreview, ServiceRole: d.serviceRole,
		Ledger: &ledger.Ledger{API: clients.S3, Bucket: clients.Bucket, Application: d.s.Application, Environment: d.s.Environment},
		By:     release.By(Name, d.rt.World.Version, d.s.Settings),
	}
	if d.file != nil {
		op.Roles, op.Logs, op.Protected = rolesOf(d.file), d.file.Logs(), d.file.Protected
	}
	return op
}

// rolesOf are the roles of a file, in its order, as they are in its template.
func rolesOf(file *environment.File) []release.Role {
	var roles []release.Role
	for _, r := range file.Roles {
		role := release.Role{
			Name: r.Name, Group: r.Group(), Capacity: r.Capacity(), Min: r.Min, Max: r.Max, Singleton: r.Singleton,
			Processes: r.Processes, Instance: r.Instance,
		}
		if r.HTTP != nil {
			role.Targets, role.Health, role.Port = r.Targets(), r.HTTP.Health, r.HTTP.Port
		}
		roles = append(roles, role)
	}
	return roles
}

// deploy brings base and servers to the file, with the image of the commit.
func (d *deployer) deploy(ctx context.Context) (pipe.Result, error) {
	record, err := d.image(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := d.past(ctx, record); err != nil {
		return nil, err
	}
	outputs, err := release.GivingWay(ctx, d.op, func() (map[string]string, error) { return d.base(ctx) })
	if err != nil {
		return nil, err
	}
	if outputs == nil { // a preview of an environment that does not exist
		d.remark("The servers come after the base, and all of them are new")
		return d.previewResult(ctx, record, "This is a preview: nothing was changed")
	}
	return release.GivingWay(ctx, d.op, func() (*Result, error) { return d.servers(ctx, record, outputs) })
}

// image finds the image of the commit and makes sure that it fits.
func (d *deployer) image(ctx context.Context) (*image.Record, error) {
	if len(d.s.Commit) < 40 { // the index has full hashes only
		c, err := clone.Open(d.rt.CloneDir())
		if err != nil {
			return nil, err
		}
		full, err := c.Commit(d.s.Commit)
		if err != nil {
			return nil, err
		}
		d.s.Commit = full.Hash
	}
	record, err := (image.Index{API: d.op.S3, Bucket: d.op.Bucket}).OfCommit(ctx, d.s.Application, d.s.Commit)
	if err != nil {
		return nil, exit.Unablef("%w", err)
	}
	if record == nil {
		return nil, exit.Refusedf("there is no image of commit %.12s", d.s.Commit).
			Hint("bake it first: pipe fearless/ami-bake with APPLICATION: '" + d.s.Application + "' and COMMIT: '" + d.s.Commit + "'")
	}
	img, err := d.look(ctx, record.Image)
	if err != nil {
		return nil, unable(err)
	}
	if err := fit(d.file, record, img); err != nil {
		return nil, err
	}
	d.rt.Console.Info("Image %s (%s) of commit %.12s", record.Image, record.Name, record.Commit)
	return record, nil
}

// look describes an image. One that was made a moment ago may not be shown at once.
func (d *deployer) look(ctx context.Context, id string) (*image.Image, error) {
	const looks = 4
	for n := 1; ; n++ {
		img, err := image.ByID(ctx, d.op.EC2, id)
		if err != nil || img != nil || n == looks {
			return img, err
		}
		if err := stack.Pause(ctx, 3*time.Second); err != nil {
			return nil, err
		}
	}
}

// unable gives an error the exit code of what could not be done, unless it has its own.
func unable(err error) error {
	if err == nil || exit.CodeOf(err) != exit.Unable {
		return err
	}
	return exit.Unablef("%w", err)
}
