package bake

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/account"
	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

// Name is the name of the pipe.
const Name = "ami-bake"

// Parameters of Parameter Store in which account.yml keeps the bake network.
const (
	subnetParameter = "/fearless/bake/subnet"
	groupParameter  = "/fearless/bake/security-group"
)

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

// resolve asks AWS for the rest of the inputs: base image, network, parameter versions.
func (b *baker) resolve(ctx context.Context) error {
	from, err := parseBase(b.s.BaseImage, b.s.Architecture)
	if err != nil {
		return exit.Invalidf("BASE_IMAGE: %w", err)
	}
	b.base, b.subnet, b.group = from.id, b.s.Subnet, b.s.SecurityGroup
	var names []string
	if from.parameter != "" {
		names = append(names, from.parameter)
	}
	if b.subnet == "" {
		names = append(names, subnetParameter, groupParameter)
	}
	if len(names) > 0 {
		values, err := b.aws.parameters(ctx, names)
		if err != nil {
			return exit.Unablef("%w", err)
		}
		if err := b.fill(values, from.parameter); err != nil {
			return err
		}
	}
	var parameters []Parameter
	if b.s.Parameters != "" {
		if parameters, err = b.aws.versions(ctx, b.s.Parameters); err != nil {
			return exit.Unablef("%w", err)
		}
		if len(parameters) == 0 {
			return exit.Invalidf("BAKE_PARAMETERS: there are no parameters below %s", b.s.Parameters).
				Hint("create them in Parameter Store, or leave BAKE_PARAMETERS out")
		}
	}
	b.inputs = b.material.inputs(b.s, b.base, parameters).Digest()
	b.rt.Console.Info("Base image %s (%s, %s), inputs %s", b.base, b.s.BaseImage, b.s.Architecture, b.inputs[:keyDigits])
	return nil
}

// fill takes what was read from Parameter Store and says what is missing there.
func (b *baker) fill(values map[string]string, baseParameter string) error {
	if baseParameter != "" {
		if b.base = values[baseParameter]; !amiID.MatchString(b.base) {
			return exit.Invalidf("BASE_IMAGE: the parameter %s holds no image id in %s", baseParameter, b.session.Region).
				Hint("check the name and the region, or give the id of an image")
		}
	}
	if b.subnet == "" {
		b.subnet, b.group = values[subnetParameter], values[groupParameter]
	}
	if b.subnet == "" || b.group == "" {
		return exit.Invalidf("there is no network to bake in: the parameters %s and %s are missing", subnetParameter, groupParameter).Hint(
			"create the stack of account.yml once per account and region",
			"or give SUBNET_ID and SECURITY_GROUP_ID of a network you have",
		)
	}
	return nil
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

// conclude ends a bake whose image is there: checks it, removes what the bake needed
// (whoever made it), and only then lets the index answer for the inputs.
func (b *baker) conclude(ctx context.Context, img image.Image) (*Result, error) {
	if err := b.verify(img); err != nil {
		return nil, err
	}
	key := strings.TrimPrefix(img.Name, b.s.Application+"-")
	if err := b.retire(ctx, key); err != nil {
		return nil, exit.Unablef("image %s is there, but what the bake needed cannot be removed: %w", img.ID, err).
			Hint("run the pipe again, or with ACTION: sweep")
	}
	b.attempt.forget()
	record := b.record(img)
	if err := b.index.WriteInputs(ctx, record); err != nil {
		return nil, exit.Unablef("%w", err)
	}
	return b.answer(ctx, img, img.Tags[image.TagRun] == b.run)
}

// verify holds an image against what was asked for before anything is built on it.
func (b *baker) verify(img image.Image) error {
	switch {
	case img.Owner != b.session.Account:
		return exit.Unablef("image %s belongs to account %s, not to %s", img.ID, img.Owner, b.session.Account)
	case img.Architecture != b.s.Architecture:
		return exit.Unablef("image %s is for %s, not for %s", img.ID, img.Architecture, b.s.Architecture)
	case img.RootSnapshot == "":
		return exit.Unablef("image %s has no snapshot of its root disk %s", img.ID, img.RootDevice)
	}
	return nil
}

// answer makes the image answer for this run's commit.
func (b *baker) answer(ctx context.Context, img image.Image, baked bool) (*Result, error) {
	record := b.record(img)
	if err := b.index.WriteCommit(ctx, record); err != nil {
		return nil, exit.Unablef("%w", err)
	}
	result := &Result{Record: record, Baked: baked, Seconds: time.Since(b.rt.Started).Seconds()}
	verb := "Image %s (%s) answers for commit %s"
	if baked {
		verb = "Image %s (%s) is baked for commit %s"
	}
	b.rt.Console.Success(verb, img.ID, img.Name, b.material.Commit.Short())
	if !baked {
		from := "this commit"
		if record.BakedFrom != record.Commit {
			from = fmt.Sprintf("commit %.12s, whose inputs are the same", record.BakedFrom)
		}
		b.rt.Console.Info("It was baked from %s, %s ago", from, console.Duration(time.Since(img.Created)))
	}
	return result, nil
}

func (b *baker) record(img image.Image) image.Record {
	return image.Record{
		Application: b.s.Application, Commit: b.material.Commit.Hash, BakedFrom: img.Tags[image.TagCommit],
		Image: img.ID, Name: img.Name, Owner: img.Owner, RootSnapshot: img.RootSnapshot,
		Inputs: b.inputs, BaseImage: b.base, Architecture: img.Architecture,
		Contract: contractOf(img), Processes: b.material.Processes, Created: img.Created,
		Pipeline: b.s.PipelineURL(),
	}
}

func contractOf(img image.Image) int {
	var version int
	_, _ = fmt.Sscanf(img.Tags[image.TagContract], "%d", &version)
	return version
}
