// Package cloud makes the AWS clients of a server. The only credentials are
// those of the instance role; nothing is read from files or from the process
// environment behind the caller's back, which also keeps the SDK's large
// configuration packages out of the program.
package cloud

import (
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// attempts of one call: servers of a group start together and are throttled
// together.
const attempts = 5

// World is where the clients look.
type World struct {
	// Environ may name other endpoints by the standard variables
	// AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE> and
	// AWS_EC2_METADATA_SERVICE_ENDPOINT.
	Environ []string
	// Transport nil is the SDK's own.
	Transport http.RoundTripper
	// MetadataTransport is the way to the metadata service; nil: the SDK's own.
	MetadataTransport http.RoundTripper
}

// Metadata is the client of the instance metadata service, version 2 only.
func (w World) Metadata() *imds.Client {
	options := imds.Options{
		Endpoint:          w.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
		ClientEnableState: imds.ClientEnabled,
		EnableFallback:    aws.FalseTernary,
	}
	if w.MetadataTransport != nil {
		options.HTTPClient = &http.Client{Transport: w.MetadataTransport}
	}
	return imds.New(options)
}

// Config is the configuration of the clients of one region.
func (w World) Config(region string, metadata *imds.Client) aws.Config {
	config := aws.Config{
		Region: region,
		Credentials: aws.NewCredentialsCache(ec2rolecreds.New(func(o *ec2rolecreds.Options) {
			o.Client = metadata
		})),
		Retryer: func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), attempts) },
		// The SDK would add a checksum to every upload by itself; the signature
		// covers the body already.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	}
	if w.Transport != nil {
		config.HTTPClient = &http.Client{Transport: w.Transport}
	}
	return config
}

// Parameters is the client of Parameter Store.
func (w World) Parameters(config aws.Config) *ssm.Client {
	return ssm.NewFromConfig(config, func(o *ssm.Options) {
		o.BaseEndpoint = w.endpoint("SSM", o.BaseEndpoint)
	})
}

// Objects is the client of S3. Other endpoints than Amazon's seldom have a
// host name per bucket, so there the bucket stands in the path.
func (w World) Objects(config aws.Config) *s3.Client {
	return s3.NewFromConfig(config, func(o *s3.Options) {
		o.BaseEndpoint = w.endpoint("S3", o.BaseEndpoint)
		o.UsePathStyle = o.BaseEndpoint != nil
	})
}

// Stacks is the client of CloudFormation.
func (w World) Stacks(config aws.Config) *cloudformation.Client {
	return cloudformation.NewFromConfig(config, func(o *cloudformation.Options) {
		o.BaseEndpoint = w.endpoint("CLOUDFORMATION", o.BaseEndpoint)
	})
}

// Groups is the client of Auto Scaling.
func (w World) Groups(config aws.Config) *autoscaling.Client {
	return autoscaling.NewFromConfig(config, func(o *autoscaling.Options) {
		o.BaseEndpoint = w.endpoint("AUTO_SCALING", o.BaseEndpoint)
	})
}

// Balancer is the client of the load balancers.
func (w World) Balancer(config aws.Config) *elb.Client {
	return elb.NewFromConfig(config, func(o *elb.Options) {
		o.BaseEndpoint = w.endpoint("ELASTIC_LOAD_BALANCING_V2", o.BaseEndpoint)
	})
}

// Endpoint is the other endpoint of a service, by the name that it has in the
// standard variables; nil where Amazon's own is to be used.
func (w World) Endpoint(service string) *string { return w.endpoint(service, nil) }

func (w World) endpoint(service string, otherwise *string) *string {
	for _, name := range []string{"AWS_ENDPOINT_URL_" + service, "AWS_ENDPOINT_URL"} {
		if url := w.variable(name); url != "" {
			return aws.String(url)
		}
	}
	return otherwise
}

func (w World) variable(name string) string {
	for _, v := range w.Environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}
