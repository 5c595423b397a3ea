package bake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"

	"bitbucket.org/fearless/pipes/shared/account"
)

// cloud is AWS as a bake uses it.
type cloud struct {
	ec2    *ec2.Client
	asg    *autoscaling.Client
	s3     *s3.Client
	ssm    *ssm.Client
	bucket string
}

func newCloud(session *account.Session, bucket string) *cloud {
	if bucket == "" {
		bucket = "fearless-" + session.Account + "-" + session.Region
	}
	return &cloud{
		ec2:    ec2.NewFromConfig(session.Config),
		asg:    autoscaling.NewFromConfig(session.Config),
		s3:     s3.NewFromConfig(session.Config, func(o *s3.Options) { o.UsePathStyle = session.PathStyle }),
		ssm:    ssm.NewFromConfig(session.Config),
		bucket: bucket,
	}
}

// parameters reads single values of Parameter Store. All of them must exist.
func (c *cloud) parameters(ctx context.Context, names []string) (map[string]string, error) {
	out, err := c.ssm.GetParameters(ctx, &ssm.GetParametersInput{Names: names})
	if err != nil {
		return nil, fmt.Errorf("the parameters %s cannot be read: %w", strings.Join(names, ", "), err)
	}
	values := map[string]string{}
	for _, p := range out.Parameters {
		values[aws.ToString(p.Name)] = aws.ToString(p.Value)
	}
	return values, nil
}

// versions lists the parameters directly below a path, those that the boot agent
// hands to the provision script, without their values.
func (c *cloud) versions(ctx context.Context, path string) ([]Parameter, error) {
	var list []Parameter
	pages := ssm.NewGetParametersByPathPaginator(c.ssm, &ssm.GetParametersByPathInput{
		Path: &path, WithDecryption: aws.Bool(false),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("the parameters below %s cannot be read: %w", path, err)
		}
		for _, p := range page.Parameters {
			list = append(list, Parameter{Name: aws.ToString(p.Name), Version: p.Version})
		}
	}
	return list, nil
}

// upload stores a file of this computer.
func (c *cloud) upload(ctx context.Context, key, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := c.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: &key, Body: f}); err != nil {
		return fmt.Errorf("s3://%s/%s cannot be written: %w", c.bucket, key, err)
	}
	return nil
}

// read gives an object's bytes from an offset on. ok is false when there is no such
// object, or nothing after the offset yet.
func (c *cloud) read(ctx context.Context, key string, offset, limit int64) (content []byte, ok bool, err error) {
	in := &s3.GetObjectInput{Bucket: &c.bucket, Key: &key}
	if offset > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", offset))
	}
	out, err := c.s3.GetObject(ctx, in)
	if code := errorCode(err); code == "NoSuchKey" || code == "InvalidRange" {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("s3://%s/%s cannot be read: %w", c.bucket, key, err)
	}
	defer func() { _ = out.Body.Close() }()
	var buffer bytes.Buffer
	if _, err := io.Copy(&buffer, io.LimitReader(out.Body, limit)); err != nil {
		return nil, false, fmt.Errorf("s3://%s/%s cannot be read: %w", c.bucket, key, err)
	}
	return buffer.Bytes(), true, nil
}

// object is one entry of a listing.
type object struct {
	key      string
	modified time.Time
}

// list names the objects below a prefix.
func (c *cloud) list(ctx context.Context, prefix string) ([]object, error) {
	var found []object
	pages := s3.NewListObjectsV2Paginator(c.s3, &s3.ListObjectsV2Input{Bucket: &c.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("s3://%s/%s cannot be listed: %w", c.bucket, prefix, err)
		}
		for _, o := range page.Contents {
			found = append(found, object{aws.ToString(o.Key), aws.ToTime(o.LastModified)})
		}
	}
	return found, nil
}

// mostRemoved is how many objects go into one call.
const mostRemoved = 1000

// remove deletes objects; at most 1,000 go into one call, and more than that means
// that something is not ours.
func (c *cloud) remove(ctx context.Context, objects []object) error {
	if len(objects) == 0 {
		return nil
	}
	var ids []s3types.ObjectIdentifier
	for _, o := range objects[:min(len(objects), mostRemoved)] {
		ids = append(ids, s3types.ObjectIdentifier{Key: aws.String(o.key)})
	}
	out, err := c.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &c.bucket, Delete: &s3types.Delete{Objects: ids, Quiet: aws.Bool(true)},
	})
	if err != nil {
		return fmt.Errorf("objects of s3://%s cannot be deleted: %w", c.bucket, err)
	}
	if len(out.Errors) > 0 {
		e := out.Errors[0]
		return fmt.Errorf("s3://%s/%s cannot be deleted: %s", c.bucket, aws.ToString(e.Key), aws.ToString(e.Message))
	}
	return nil
}

// presigner signs URLs with which the build server reads its package and writes its
// log and result, without any right of its own.
func (c *cloud) presigner(valid time.Duration) *s3.PresignClient {
	return s3.NewPresignClient(c.s3, s3.WithPresignExpires(valid), func(o *s3.PresignOptions) {
		o.ClientOptions = append(o.ClientOptions, func(o *s3.Options) {
			// The SDK would sign the checksum of the empty body it sees here.
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		})
	})
}

// errorCode is the code of an AWS error, empty for others.
func errorCode(err error) string {
	var apiErr smithy.APIError
	if errors.As(err, &apiErr) {
		return apiErr.ErrorCode()
	}
	return ""
}

// passing reports whether an error may go away by itself: the network, throttling, a
// fault of the service. The SDK retried it already, over seconds; a bake lasts longer.
var passing = retry.NewStandard().IsErrorRetryable
