package bake

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"bitbucket.org/fearless/pipes/shared/account"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

// Name is the name of the pipe.
const Name = "ami-bake"

// Run does what the settings ask for.
func Run(ctx context.Context, rt *pipe.Runtime, s Settings) (pipe.Result, error) {
	if s.Action == ActionSweep {
		return sweep(ctx, rt, &s)
	}
	material, err := gather(rt.CloneDir(), rt.World.Executable, &s)
	if err != nil {
		return nil, err
	}
	rt.Console.Info("Commit %s: %s", material.Commit.Short(), material.Commit.Subject)
	rt.Console.Info("%s", material.describe())
	b, err := open(ctx, rt, &s)
	if err != nil {
		return nil, err
	}
	b.material = material
	if err := b.resolve(ctx); err != nil {
		return nil, err
	}
	if r, err := b.known(ctx); r != nil || err != nil {
		return r, err
	}
	return b.make(ctx)
}

// baker is one run of the pipe.
type baker struct {
	rt       *pipe.Runtime
	s        *Settings
	aws      *cloud
	session  *account.Session
	index    image.Index
	run      string // names this run on what it makes
	material *Material

	inputs string // digest
	base   string // AMI id
	subnet string
	group  string

	key      string // of the bake
	name     string // of its image
	attempt  attempt
	pkg      *Package
	freezing bool   // an image was asked for
	created  string // its id, when EC2 answered
	failed   int    // images of this bake that failed
}

// open starts the session and says whose account it is.
func open(ctx context.Context, rt *pipe.Runtime, s *Settings) (*baker, error) {
	session, err := account.Open(ctx, s.AWS, account.Options{
		Pipe: Name, Application: s.Application, Duration: s.lifetime(), Transport: rt.World.Transport,
	})
	if err != nil {
		return nil, err
	}
	for _, note := range session.Notes {
		rt.Console.Warn("%s", note)
	}
	rt.Console.Info("AWS %s", session)
	aws := newCloud(session, s.Bucket)
	return &baker{
		rt: rt, s: s, aws: aws, session: session, run: runID(s),
		index: image.Index{API: aws.s3, Bucket: aws.bucket},
	}, nil
}

// runID names a run: the build number for people, and some random bits, since a step
// can be run again and a laptop has no build numbers.
func runID(s *Settings) string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails, see its documentation
	id := hex.EncodeToString(random[:])
	if s.BuildNumber > 0 {
		return fmt.Sprintf("build-%d-%s", s.BuildNumber, id)
	}
	return "run-" + id
}

// known answers from the index: an image of these inputs that is there and not too
// old. One read, one look at the image, one record for this commit.
func (b *baker) known(ctx context.Context) (*Result, error) {
	record, err := b.index.OfInputs(ctx, b.s.Application, b.inputs)
	if err != nil {
		return nil, exit.Unablef("%w", err)
	}
	if record == nil || time.Since(record.Created) > b.s.BaseMaxAge.Std() {
		return nil, nil
	}
	img, err := image.ByID(ctx, b.aws.ec2, record.Image)
	if err != nil {
		return nil, exit.Unablef("%w", err)
	}
	if img == nil || img.State != image.Available || img.Tags[image.TagInputs] != b.inputs {
		b.rt.Console.Warn("Image %s of the index is gone or was changed; it is baked again", record.Image)
		return nil, nil
	}
	return b.answer(ctx, *img, false)
}

// make looks for an image of the inputs, and bakes one when there is none or the
// newest became too old.
func (b *baker) make(ctx context.Context) (*Result, error) {
	images, err := b.images(ctx)
	if err != nil {
		return nil, exit.Unablef("%w", err)
	}
	// Until the key is known no name can be the wanted one.
	if img, ok := usable(images, b.wanted()); ok {
		return b.conclude(ctx, img)
	}
	old := refreshed(images)
	if old != "" {
		b.rt.Console.Info("Image %s has the same inputs but is older than %s: baking afresh", old, b.s.BaseMaxAge)
	}
	b.key = bakeKey(b.inputs, old)
	b.name = b.s.Application + "-" + b.key
	b.rt.Console.Heading("Bake %s", b.name)
	return b.loop(ctx)
}

func (b *baker) images(ctx context.Context) ([]image.Image, error) {
	return image.Named(ctx, b.aws.ec2, b.s.Application+"-"+b.inputs[:keyDigits]+"*")
}

func (b *baker) wanted() Wanted {
	return Wanted{Name: b.name, Inputs: b.inputs, MaxAge: b.s.BaseMaxAge.Std(), Now: time.Now(), Run: b.run}
}
