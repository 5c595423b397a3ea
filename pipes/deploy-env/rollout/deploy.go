package rollout

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"bitbucket.org/fearless/pipes/shared/account"
	"bitbucket.org/fearless/pipes/shared/clone"
	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/settings"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// deployer is one run of the pipe.
type deployer struct {
	rt      *pipe.Runtime
	s       *Settings
	file    *environment.File
	session *account.Session
	bucket  string
	index   image.Index
	ledger  *ledger.Ledger
	entry   entry
	made    made
	waiting *console.Progress
	preview preview

	cfn *cloudformation.Client
	asg *autoscaling.Client
	elb *elb.Client
	ec2 *ec2.Client
	s3  *s3.Client
	ssm *ssm.Client
}

// Run does what the settings ask for.
func Run(ctx context.Context, rt *pipe.Runtime, s Settings) (pipe.Result, error) {
	d := &deployer{rt: rt, s: &s, waiting: rt.Console.Progress("CloudFormation")}
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
		return nil, unable(err)
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
	d.session, d.bucket = session, d.s.Bucket
	if d.bucket == "" {
		d.bucket = "fearless-" + session.Account + "-" + session.Region
	}
	d.cfn, d.asg = cloudformation.NewFromConfig(session.Config), autoscaling.NewFromConfig(session.Config)
	d.elb, d.ec2 = elb.NewFromConfig(session.Config), ec2.NewFromConfig(session.Config)
	d.s3 = s3.NewFromConfig(session.Config, func(o *s3.Options) { o.UsePathStyle = session.PathStyle })
	d.ssm = ssm.NewFromConfig(session.Config)
	d.index = image.Index{API: d.s3, Bucket: d.bucket}
	d.ledger = &ledger.Ledger{API: d.s3, Bucket: d.bucket, Application: d.s.Application, Environment: d.s.Environment}
	return d.lookUpRoles(ctx)
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
	outputs, err := givingWay(ctx, d, func() (map[string]string, error) { return d.base(ctx) })
	if err != nil {
		return nil, err
	}
	if outputs == nil { // a preview of an environment that does not exist
		d.remark("The servers come after the base, and all of them are new")
		return d.previewResult(ctx, record, "This is a preview: nothing was changed")
	}
	return givingWay(ctx, d, func() (*Result, error) { return d.servers(ctx, record, outputs) })
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
	record, err := d.index.OfCommit(ctx, d.s.Application, d.s.Commit)
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
		img, err := image.ByID(ctx, d.ec2, id)
		if err != nil || img != nil || n == looks {
			return img, err
		}
		if err := stack.Pause(ctx, 3*time.Second); err != nil {
			return nil, err
		}
	}
}

// digest names what an update is to lead to.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// token names one update: its target, the pipeline, and something of its own, since
// CloudFormation refuses a token that it has seen with another change set.
func (d *deployer) token(target string) string {
	var random [3]byte
	_, _ = rand.Read(random[:]) // never fails, see its documentation
	return tokenPrefix(target) + d.build() + "-" + hex.EncodeToString(random[:])
}

// build is the pipeline, as it stands in names of ours: two pipelines that propose the
// same do not take each other's change sets away.
func (d *deployer) build() string {
	if d.s.BuildNumber > 0 {
		return fmt.Sprintf("build-%d", d.s.BuildNumber)
	}
	return "local"
}
