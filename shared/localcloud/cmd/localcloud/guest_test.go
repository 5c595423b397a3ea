package main

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const bucket = "fearless-111122223333-us-east-1"

// playGuest is a program on a server: with nothing but its environment it asks
// the metadata service who it is and for keys, and writes that into the store.
func playGuest(ctx context.Context) error {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	caller, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return err
	}
	identity, err := imds.NewFromConfig(c).GetInstanceIdentityDocument(ctx, &imds.GetInstanceIdentityDocumentInput{})
	if err != nil {
		return err
	}
	_, err = s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true }).PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("guest/" + identity.InstanceID), Body: strings.NewReader(aws.ToString(caller.Arn)),
	})
	return err
}

// sdk makes a configuration from what the program exported.
func (p *program) sdk() aws.Config {
	return aws.Config{
		Region: p.env["AWS_DEFAULT_REGION"], BaseEndpoint: aws.String(p.env["AWS_ENDPOINT_URL"]),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: p.env["AWS_ACCESS_KEY_ID"], SecretAccessKey: p.env["AWS_SECRET_ACCESS_KEY"]}, nil
		}),
	}
}

// A real process on a server of the local cloud gets the rights of its role
// by way of the metadata service.
func TestGuestHasItsRole(t *testing.T) {
	t.Parallel()
	p := start(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	guest := filepath.Join(t.TempDir(), "guest")
	if err := os.Chmod(filepath.Dir(filepath.Dir(guest)), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "cp", self, guest).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	instance := p.launch("#!/bin/sh\nLOCALCLOUD_TEST_PLAY=guest " + guest + " && echo written && poweroff\n")

	store := s3.NewFromConfig(p.sdk(), func(o *s3.Options) { o.UsePathStyle = true })
	key := "guest/" + instance
	if got, want := p.object(store, key), "arn:aws:sts::111122223333:assumed-role/fearless-bake-server/"+instance; got != want {
		t.Errorf("the guest is %s, want %s", got, want)
	}
	p.interrupt(syscall.SIGTERM)
}

// launch starts a server with a role of its own.
func (p *program) launch(userData string) (instance string) {
	p.t.Helper()
	names := []string{"/aws/service/debian/release/13/latest/amd64", "/fearless/bake/security-group", "/fearless/bake/subnet"}
	answer, err := ssm.NewFromConfig(p.sdk()).GetParameters(p.t.Context(), &ssm.GetParametersInput{Names: names})
	if err != nil {
		p.t.Fatal(err)
	}
	values := map[string]string{}
	for _, parameter := range answer.Parameters {
		values[aws.ToString(parameter.Name)] = aws.ToString(parameter.Value)
	}
	out, err := ec2.NewFromConfig(p.sdk()).RunInstances(p.t.Context(), &ec2.RunInstancesInput{
		ImageId: aws.String(values[names[0]]), InstanceType: types.InstanceTypeT3Micro, MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
		SecurityGroupIds: []string{values[names[1]]}, SubnetId: aws.String(values[names[2]]),
		IamInstanceProfile: &types.IamInstanceProfileSpecification{Name: aws.String("fearless-bake-server")},
		MetadataOptions:    &types.InstanceMetadataOptionsRequest{HttpTokens: types.HttpTokensStateRequired},
		UserData:           aws.String(base64.StdEncoding.EncodeToString([]byte(userData))),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return aws.ToString(out.Instances[0].InstanceId)
}

// object waits for an object.
func (p *program) object(store *s3.Client, key string) string {
	p.t.Helper()
	tick, late := time.NewTicker(50*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for {
		out, err := store.GetObject(p.t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
		var missing interface{ ErrorCode() string }
		switch {
		case err == nil:
			defer func() { _ = out.Body.Close() }()
			body, err := io.ReadAll(out.Body)
			if err != nil {
				p.t.Fatal(err)
			}
			return string(body)
		case !errors.As(err, &missing) || missing.ErrorCode() != "NoSuchKey":
			p.t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-late:
			p.t.Fatalf("nobody wrote %s", key)
		}
	}
}
