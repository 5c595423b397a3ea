package bake

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
)

// Names of the objects of an attempt, below its prefix.
const (
	logName    = "log"
	resultName = "result.json"
)

// bakesPrefix is where everything temporary of an application's bakes lies.
func bakesPrefix(application string) string { return "bakes/" + application + "/" }

// prefix is where the attempt's objects lie. Every run of the same bake computes the
// same, and so finds what another one left.
func (b *baker) prefix() string {
	return bakesPrefix(b.s.Application) + b.key + "/" + strconv.Itoa(b.attempt.number) + "/"
}

// token makes EC2 launch at most one server per attempt, whoever asks.
func (b *baker) token() string {
	return "fearless-" + b.key + "-" + strconv.Itoa(b.attempt.number)
}

// launch sends the package and starts a build server. When another run was faster,
// its server is followed instead.
func (b *baker) launch(ctx context.Context) error {
	baseImage, err := b.checkBase(ctx)
	if err != nil {
		return err
	}
	if err := b.pack(); err != nil {
		return err
	}
	a := &b.attempt
	a.forgets = append(a.forgets, b.rt.Undo.OnFailure("remove the package and the log of the build", func(ctx context.Context) error {
		return b.removeObjects(ctx, b.prefix())
	}))
	packageKey := b.prefix() + "package-" + b.pkg.SHA256[:12] + ".tar.gz"
	if err := b.aws.upload(ctx, packageKey, b.pkg.File); err != nil {
		return exit.Unablef("the package cannot be uploaded: %w", err)
	}
	data, err := b.instructions(ctx, packageKey)
	if err != nil {
		return err
	}
	a.forgets = append(a.forgets, b.rt.Undo.OnFailure("terminate the build server", b.terminateOwn))
	a.asked, a.at = true, time.Now()
	out, err := b.aws.ec2.RunInstances(ctx, b.runInstances(baseImage, data))
	switch errorCode(err) {
	case "IdempotentParameterMismatch":
		// Same inputs, so the same server would have come out; only the presigned
		// URLs in the user data differ between two runs.
		b.rt.Console.Info("Another run is baking the same inputs: following its build server")
		a.taken = true
		return nil
	case "IdempotentInstanceTerminated":
		a.spent = true
		return nil
	}
	if err != nil {
		return launchRefused(err)
	}
	if len(out.Instances) != 1 {
		return exit.Unablef("EC2 answered the launch with %d servers", len(out.Instances))
	}
	a.server = aws.ToString(out.Instances[0].InstanceId)
	b.rt.Console.Info("Build server %s (%s) launched; package of %s", a.server, b.s.instanceType(), console.Bytes(b.pkg.Size))
	return nil
}

// launchRefused says what can be done about the usual refusals.
func launchRefused(err error) error {
	e := exit.Unablef("the build server cannot be launched: %w", err)
	switch code := errorCode(err); {
	case strings.HasPrefix(code, "Insufficient"), code == "Unsupported":
		return e.Hint("EC2 has no such server free here now: set INSTANCE_TYPE to another type, or SUBNET_ID to another zone")
	case strings.HasSuffix(code, "LimitExceeded"):
		return e.Hint("the account's quota is used up: raise it in Service Quotas, or wait for other servers to end")
	case code == "UnauthorizedOperation", code == "AccessDenied":
		return e.Hint("the role of this pipe lacks a right; compare it with the one in account.yml")
	}
	return e
}

// checkBase looks at the base image before a server is paid for.
func (b *baker) checkBase(ctx context.Context) (image.Image, error) {
	img, err := image.ByID(ctx, b.aws.ec2, b.base)
	if err != nil {
		return image.Image{}, exit.Unablef("%w", err)
	}
	switch {
	case img == nil:
		return image.Image{}, exit.Invalidf("BASE_IMAGE: there is no image %s in %s that this account may use", b.base, b.session.Region)
	case img.Architecture != b.s.Architecture:
		return image.Image{}, exit.Invalidf("BASE_IMAGE: %s is for %s, ARCHITECTURE says %s", b.base, img.Architecture, b.s.Architecture)
	}
	return *img, nil
}

// pack makes the package, once per run.
func (b *baker) pack() error {
	if b.pkg != nil {
		return nil
	}
	if err := checkSize(b.material.Files, int64(b.s.PackageLimit)); err != nil {
		return err
	}
	// In the clone, because the pipe's image has no folder for temporary files.
	dir := filepath.Join(b.rt.CloneDir(), ".fearless")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return exit.Unablef("the package cannot be written: %w", err)
	}
	p, err := pack(b.material, dir)
	if err != nil {
		return err
	}
	b.pkg = p
	b.rt.Undo.Defer("remove the package from the clone", func(context.Context) error { return os.Remove(p.File) })
	return nil
}

// instructions writes the user data, with URLs that are valid as long as the run.
func (b *baker) instructions(ctx context.Context, packageKey string) ([]byte, error) {
	presigner := b.aws.presigner(b.s.lifetime())
	get, err := presigner.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &b.aws.bucket, Key: &packageKey})
	if err != nil {
		return nil, exit.Unablef("the package's URL cannot be signed: %w", err)
	}
	urls := map[string]string{}
	for _, name := range []string{logName, resultName} {
		put, err := presigner.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &b.aws.bucket, Key: aws.String(b.prefix() + name)})
		if err != nil {
			return nil, exit.Unablef("the URL of the %s cannot be signed: %w", name, err)
		}
		urls[name] = put.URL
	}
	return userData(contract.Provisioning{
		Application: b.s.Application, Commit: b.material.Commit.Hash, Script: path.Clean(b.s.Provision),
		ParametersPath: b.s.Parameters, LogURL: urls[logName], ResultURL: urls[resultName],
		Region: b.session.Region, Deadline: b.scriptDeadline(ctx),
	}, get.URL, b.pkg.SHA256)
}

// scriptDeadline leaves the pipe a quarter of its time, at most 5 minutes, to make the
// image after the script.
func (b *baker) scriptDeadline(ctx context.Context) time.Time {
	timeout := b.s.Timeout.Std()
	end, ok := ctx.Deadline()
	if !ok {
		end = time.Now().Add(timeout)
	}
	return end.Add(-min(5*time.Minute, timeout/4))
}

// runInstances describes the build server: no key, no public door, its metadata only
// by session tokens, and off means stopped, so that it can be frozen.
func (b *baker) runInstances(base image.Image, data []byte) *ec2.RunInstancesInput {
	tags := image.Tags(b.tags(map[string]string{
		"Name":           "bake " + b.name,
		image.TagBake:    b.key,
		image.TagExpires: time.Now().Add(b.s.lifetime()).UTC().Format(time.RFC3339),
	}))
	in := &ec2.RunInstancesInput{
		ImageId: aws.String(base.ID), InstanceType: types.InstanceType(b.s.instanceType()),
		MinCount: aws.Int32(1), MaxCount: aws.Int32(1), ClientToken: aws.String(b.token()),
		UserData: aws.String(base64.StdEncoding.EncodeToString(data)),
		SubnetId: &b.subnet, SecurityGroupIds: []string{b.group},
		InstanceInitiatedShutdownBehavior: types.ShutdownBehaviorStop,
		MetadataOptions: &types.InstanceMetadataOptionsRequest{
			HttpTokens: types.HttpTokensStateRequired, HttpPutResponseHopLimit: aws.Int32(1),
		},
		TagSpecifications: []types.TagSpecification{
			{ResourceType: types.ResourceTypeInstance, Tags: tags},
			{ResourceType: types.ResourceTypeVolume, Tags: tags},
		},
	}
	if b.s.Parameters != "" {
		in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Name: &b.s.Profile}
	}
	if b.s.VolumeSize > 0 {
		in.BlockDeviceMappings = []types.BlockDeviceMapping{{
			DeviceName: aws.String(base.RootDevice),
			Ebs:        &types.EbsBlockDevice{VolumeSize: aws.Int32(int32(b.s.VolumeSize)), DeleteOnTermination: aws.Bool(true)}, //nolint:gosec // at most 16384, see Check
		}}
	}
	return in
}

// tags are those that everything made by a bake carries, and more.
func (b *baker) tags(more map[string]string) map[string]string {
	tags := map[string]string{
		image.TagApplication: b.s.Application, image.TagCommit: b.material.Commit.Hash,
		image.TagInputs: b.inputs, image.TagRun: b.run, image.TagPipeline: b.s.PipelineURL(),
	}
	for key, value := range more {
		tags[key] = value
	}
	return tags
}

// decodeConsole decodes EC2's answer.
func decodeConsole(encoded string) (string, error) {
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", fmt.Errorf("the console output is damaged: %w", err)
	}
	return string(text), nil
}

// lastLines is the end of a text.
func lastLines(text string, n int) string {
	lines := strings.SplitAfter(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}
