package rollout

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"bitbucket.org/fearless/pipes/shared/release"
)

// settingsDigest names the settings by their versions, not their values: changed settings
// start new servers, and nothing of them can be guessed from a template.
func (d *deployer) settingsDigest(ctx context.Context) (string, error) {
	var parts []string
	for _, path := range d.file.Settings {
		pages := ssm.NewGetParametersByPathPaginator(d.op.SSM, &ssm.GetParametersByPathInput{Path: &path, WithDecryption: aws.Bool(false)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return "", fmt.Errorf("the settings below %s cannot be read: %w", path, err)
			}
			for _, p := range page.Parameters {
				parts = append(parts, fmt.Sprintf("%s:%d", aws.ToString(p.Name), p.Version))
			}
		}
	}
	if len(parts) == 0 {
		return "none", nil
	}
	slices.Sort(parts)
	return release.Digest(parts...), nil
}
