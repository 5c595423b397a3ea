package account

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// addresses answers the SDK's clients when they ask for the address of their
// service, by the service's id in the SDK.
type addresses map[string]string

// GetServiceBaseEndpoint is the SDK's question to each source of its
// configuration.
func (a addresses) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	url, found := a[sdkID]
	return url, found, nil
}

// services are the addresses of single services, by the service's id in the SDK.
func (s *Settings) services() map[string]string {
	return map[string]string{
		"S3": s.EndpointS3, "EC2": s.EndpointEC2, "SSM": s.EndpointSSM, "STS": s.EndpointSTS,
		"CloudFormation": s.EndpointCloudFormation, "Auto Scaling": s.EndpointAutoScaling,
		"Elastic Load Balancing v2": s.EndpointBalancing,
	}
}

// variable is where AWS's own programs look for the address of a service.
func variable(sdkID string) string {
	return "AWS_ENDPOINT_URL_" + strings.ReplaceAll(strings.ToUpper(sdkID), " ", "_")
}

// endpoints are the addresses that are set, by variable.
func (s *Settings) endpoints() map[string]string {
	all := map[string]string{}
	if s.Endpoint != "" {
		all["AWS_ENDPOINT_URL"] = s.Endpoint
	}
	for id, url := range s.services() {
		if url != "" {
			all[variable(id)] = url
		}
	}
	return all
}

// point directs clients to the configured addresses: one for all services,
// and single ones, which win. They stand before the SDK's own sources.
func (s Settings) point(c *aws.Config) {
	if s.Endpoint != "" {
		c.BaseEndpoint = aws.String(s.Endpoint)
	}
	own := addresses{}
	for id, url := range s.services() {
		if url != "" {
			own[id] = url
		}
	}
	c.ConfigSources = append([]any{own}, c.ConfigSources...)
}
