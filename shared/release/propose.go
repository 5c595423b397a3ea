package release

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// Propose makes a change set. A template that is too large for the call goes through the
// bucket.
func (o *Operator) Propose(ctx context.Context, p stack.Proposal) (*stack.ChangeSet, error) {
	if !environment.Inline([]byte(p.Body)) {
		url, err := o.uploadTemplate(ctx, p)
		if err != nil {
			return nil, err
		}
		p.Body, p.URL = "", url
	}
	changed, err := stack.Propose(ctx, o.CFN, p)
	return changed, contested(err)
}

// uploadTemplate puts a template into the bucket.
func (o *Operator) uploadTemplate(ctx context.Context, p stack.Proposal) (string, error) {
	key := "templates/"
	if o.Look {
		key = "previews/" // whoever may only look must not write what a deploy reads
	}
	key += o.Application + "/" + p.Stack + "/" + Digest(p.Body) + ".json"
	if _, err := o.S3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &o.Bucket, Key: &key, Body: bytes.NewReader([]byte(p.Body)), ContentType: aws.String("application/json"),
	}); err != nil {
		return "", exit.Unablef("the template cannot be put into the bucket: %w", err)
	}
	return "https://" + o.Bucket + ".s3." + o.Region + ".amazonaws.com/" + key, nil
}

// Explain puts the changes of a stack into lines for people: what appears, what goes,
// what is replaced, and what changes in place.
func Explain(changes []stack.Change) []string {
	var lines []string
	for _, c := range changes {
		kind := strings.TrimPrefix(c.Type, "AWS::")
		properties := ""
		if len(c.Properties) > 0 {
			properties = ": " + strings.Join(c.Properties, ", ")
		}
		switch {
		case c.Action == "Add":
			lines = append(lines, fmt.Sprintf("+ %s (%s)", c.LogicalID, kind))
		case c.Action == "Remove":
			lines = append(lines, fmt.Sprintf("- %s (%s) %s", c.LogicalID, kind, c.Physical))
		case c.Replacement == "True":
			lines = append(lines, fmt.Sprintf("± %s (%s) is replaced%s", c.LogicalID, kind, properties))
		case c.Replacement == "Conditional":
			lines = append(lines, fmt.Sprintf("± %s (%s) may be replaced%s", c.LogicalID, kind, properties))
		default:
			lines = append(lines, fmt.Sprintf("~ %s (%s)%s", c.LogicalID, kind, properties))
		}
	}
	slices.Sort(lines)
	return lines
}

// OnlySizes reports whether the one difference is how many servers scaling has started
// since the last release: nothing that anybody asked to be changed.
func OnlySizes(changes []stack.Change) bool {
	for _, c := range changes {
		sized := c.Type == "AWS::AutoScaling::AutoScalingGroup" && slices.Equal(c.Properties, []string{"DesiredCapacity"})
		if c.Action != "Modify" || c.Replaces() || !sized {
			return false
		}
	}
	return len(changes) > 0
}
