package account

import (
	"context"

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

// point directs clients to the configured addresses: one for all services,
// and single ones, which win. They stand before the SDK's own sources.
func (s Settings) point(c *aws.Config) {
	if s.Endpoint != "" {
		c.BaseEndpoint = aws.String(s.Endpoint)
	}
	own := addresses{}
	for id, url := range map[string]string{"S3": s.EndpointS3, "EC2": s.EndpointEC2, "SSM": s.EndpointSSM, "STS": s.EndpointSTS} {
		if url != "" {
			own[id] = url
		}
	}
	c.ConfigSources = append([]any{own}, c.ConfigSources...)
}
