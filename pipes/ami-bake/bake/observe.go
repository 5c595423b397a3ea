package bake

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/image"
)

// largestResult bounds what is read of a result object, in bytes.
const largestResult = 64 << 10

// observe looks at the attempt: server, then result and log, then images (see
// Observed for why in this order). While a server works there can be no image yet.
func (b *baker) observe(ctx context.Context) (Observed, error) {
	o := Observed{}
	var err error
	if o.Server, err = b.server(ctx); err != nil {
		return o, err
	}
	o.Spent = b.attempt.spent || o.Server == nil && b.attempt.taken
	if o.Result, err = b.result(ctx); err != nil {
		return o, err
	}
	if o.Server != nil {
		if err := b.showLog(ctx); err != nil {
			return o, err
		}
	}
	if o.Server != nil && !o.Server.off() && o.Server.State != "stopped" && o.Result == nil {
		return o, nil
	}
	o.Images, err = b.images(ctx)
	return o, err
}

// server finds the build server of the attempt by its client token.
func (b *baker) server(ctx context.Context) (*Server, error) {
	found, err := b.servers(ctx, types.Filter{Name: aws.String("client-token"), Values: []string{b.token()}})
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return &found[0], nil
	}
	// Just launched, by us or by another run, and not shown yet.
	a := &b.attempt
	if (a.server != "" || a.taken) && time.Since(a.at) < blindness {
		pending := &Server{ID: a.server, State: "pending"}
		if a.server != "" {
			pending.Run = b.run
		}
		return pending, nil
	}
	return nil, nil
}

// servers describes build servers, those that still exist first.
func (b *baker) servers(ctx context.Context, filters ...types.Filter) ([]Server, error) {
	return describeServers(ctx, b.aws, filters...)
}

func describeServers(ctx context.Context, aws *cloud, filters ...types.Filter) ([]Server, error) {
	var alive, off []Server
	pages := ec2.NewDescribeInstancesPaginator(aws.ec2, &ec2.DescribeInstancesInput{Filters: filters})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("the build servers cannot be looked up: %w", err)
		}
		for _, reservation := range page.Reservations {
			for _, instance := range reservation.Instances {
				if s := fromInstance(instance); s.off() {
					off = append(off, s)
				} else {
					alive = append(alive, s)
				}
			}
		}
	}
	return append(alive, off...), nil
}

func fromInstance(i types.Instance) Server {
	s := Server{ID: aws.ToString(i.InstanceId), Launched: aws.ToTime(i.LaunchTime)}
	if i.State != nil {
		s.State = string(i.State.Name)
	}
	if i.StateReason != nil {
		s.Reason = aws.ToString(i.StateReason.Message)
	}
	for _, tag := range i.Tags {
		switch aws.ToString(tag.Key) {
		case image.TagBake:
			s.Bake = aws.ToString(tag.Value)
		case image.TagRun:
			s.Run = aws.ToString(tag.Value)
		case image.TagExpires:
			s.Expires, _ = time.Parse(time.RFC3339, aws.ToString(tag.Value))
		}
	}
	return s
}

// result reads what the build server of the attempt reported, nil when nothing yet.
func (b *baker) result(ctx context.Context) (*contract.Provisioned, error) {
	content, ok, err := b.aws.read(ctx, b.prefix()+resultName, 0, largestResult)
	if err != nil || !ok {
		return nil, err
	}
	r, err := contract.ParseProvisioned(content)
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// tail prints a growing object from where it was left.
type tail struct {
	offset int64
	rest   string // a last line without its end
}

// largestLog bounds what is read of a log in one look; the rest comes with the next.
const largestLog = 4 << 20

func (b *baker) showLog(ctx context.Context) error {
	t := &b.attempt.log
	content, ok, err := b.aws.read(ctx, b.prefix()+logName, t.offset, largestLog)
	if err != nil || !ok {
		return err
	}
	t.offset += int64(len(content))
	text := t.rest + string(content)
	end := strings.LastIndexByte(text, '\n') + 1
	t.rest = text[end:]
	if end > 0 {
		b.rt.Console.Output("build", text[:end])
	}
	return nil
}

// consoleOutput is what the server wrote to its console, as far as EC2 kept it.
func (b *baker) consoleOutput(ctx context.Context, id string) (string, error) {
	out, err := b.aws.ec2.GetConsoleOutput(ctx, &ec2.GetConsoleOutputInput{InstanceId: &id})
	if err != nil {
		return "", err
	}
	return decodeConsole(aws.ToString(out.Output))
}
