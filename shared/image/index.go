package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// recordVersion is the version of Record that this program writes. Readers ignore
// fields they do not know and refuse only a record that names no image.
const recordVersion = 1

// largestRecord bounds what is read of an index object, in bytes.
const largestRecord = 64 << 10

// Record says which image belongs to a commit or to a set of inputs.
type Record struct {
	Version      int       `json:"version"`
	Application  string    `json:"application"`
	Commit       string    `json:"commit"`     // the commit this record answers for
	BakedFrom    string    `json:"baked_from"` // the commit the image was really baked from; same inputs
	Image        string    `json:"image"`      // AMI id
	Name         string    `json:"name"`       // AMI name
	Owner        string    `json:"owner"`      // account of the image
	RootSnapshot string    `json:"root_snapshot"`
	Inputs       string    `json:"inputs"`       // digest of all that went into the image
	BaseImage    string    `json:"base_image"`   // AMI id
	Architecture string    `json:"architecture"` // x86_64 or arm64
	Contract     int       `json:"contract"`     // of the boot agent inside
	Processes    []string  `json:"processes"`    // of the Procfile, in its order
	Created      time.Time `json:"created"`      // of the image
	Pipeline     string    `json:"pipeline,omitempty"`
}

// objects is what the index needs of S3.
type objects interface {
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

// Index is the part of the bucket that leads from commits to images.
type Index struct {
	API    objects
	Bucket string
}

// IndexPrefix is where the index of an application lies.
func IndexPrefix(application string) string { return "images/" + application + "/" }

// commitKey is where the record of a commit lies; the ledger and deploy-env rely on it.
func commitKey(application, commit string) string {
	return IndexPrefix(application) + commit + ".json"
}

// inputsKey is where the record of a set of inputs lies.
func inputsKey(application, inputs string) string {
	return IndexPrefix(application) + "inputs/" + inputs + ".json"
}

// OfCommit reads the record of a commit, by its full hash; nil when there is none.
func (i Index) OfCommit(ctx context.Context, application, commit string) (*Record, error) {
	return i.read(ctx, commitKey(application, commit))
}

// OfInputs reads the record of a set of inputs; nil when there is none.
func (i Index) OfInputs(ctx context.Context, application, inputs string) (*Record, error) {
	return i.read(ctx, inputsKey(application, inputs))
}

// WriteCommit makes the record answer for its commit.
func (i Index) WriteCommit(ctx context.Context, r Record) error {
	return i.write(ctx, commitKey(r.Application, r.Commit), r)
}

// WriteInputs makes the record answer for its inputs. It is written when a bake has
// ended and nothing of it is left to clean up, so its presence means both.
func (i Index) WriteInputs(ctx context.Context, r Record) error {
	return i.write(ctx, inputsKey(r.Application, r.Inputs), r)
}

func (i Index) read(ctx context.Context, key string) (*Record, error) {
	out, err := i.API.GetObject(ctx, &s3.GetObjectInput{Bucket: &i.Bucket, Key: &key})
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the image index s3://%s/%s cannot be read: %w", i.Bucket, key, err)
	}
	defer func() { _ = out.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(out.Body, largestRecord))
	if err != nil {
		return nil, fmt.Errorf("the image index s3://%s/%s cannot be read: %w", i.Bucket, key, err)
	}
	var r Record
	if err := json.Unmarshal(content, &r); err != nil {
		return nil, fmt.Errorf("the image index s3://%s/%s is damaged: %w", i.Bucket, key, err)
	}
	if r.Image == "" {
		return nil, fmt.Errorf("the image index s3://%s/%s names no image", i.Bucket, key)
	}
	return &r, nil
}

// absent tells a missing object from a bucket that is missing or closed to us.
func absent(err error) bool {
	var gone *types.NoSuchKey
	var apiErr smithy.APIError
	return errors.As(err, &gone) || errors.As(err, &apiErr) && apiErr.ErrorCode() == "NoSuchKey"
}

func (i Index) write(ctx context.Context, key string, r Record) error {
	r.Version = recordVersion
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("the record of image %s cannot be written: %w", r.Image, err)
	}
	_, err = i.API.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &i.Bucket, Key: &key, Body: bytes.NewReader(append(content, '\n')),
		ContentType: aws.String("application/json"),
	})
	if err != nil {
		return fmt.Errorf("the image index s3://%s/%s cannot be written: %w", i.Bucket, key, err)
	}
	return nil
}
