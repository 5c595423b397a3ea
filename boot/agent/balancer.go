package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"
)

// Balancer is the part of the load balancer's API that is used.
type Balancer interface {
	DescribeTargetHealth(context.Context, *elb.DescribeTargetHealthInput, ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error)
}

// How often the load balancer is asked: its own checks come every 5 s at most,
// and all servers of an account share one limit for such calls.
const (
	balancerSoon  = 3 * time.Second // until it calls the server healthy
	balancerLater = time.Minute     // from then on
)

// balancer knows what the load balancer thinks of this server.
type balancer struct {
	api      Balancer
	instance string
	groups   []string // ARNs of target groups
	path     string
	port     int

	next time.Time
	last string
}

// ask holds when every target group calls the server healthy.
func (b *balancer) ask(ctx context.Context) string {
	if time.Now().Before(b.next) {
		return b.last
	}
	pause := balancerLater
	b.last = ""
	for _, group := range b.groups {
		health, err := b.health(ctx, group)
		if err != nil {
			b.last = "cannot ask the load balancer: " + cause(err)
		} else {
			b.last = b.reason(name(group), health)
		}
		if b.last != "" {
			pause = balancerSoon
			break
		}
	}
	b.next = time.Now().Add(pause)
	return b.last
}

// gone reports whether no target group has the server any more, not even for
// requests that are being finished.
func (b *balancer) gone(ctx context.Context) bool {
	for _, group := range b.groups {
		health, err := b.health(ctx, group)
		var answer smithy.APIError
		if errors.As(err, &answer) && answer.ErrorCode() == "TargetGroupNotFound" {
			continue
		}
		if err != nil || health.State != types.TargetHealthStateEnumUnused {
			return false
		}
	}
	return true
}

func (b *balancer) health(ctx context.Context, group string) (types.TargetHealth, error) {
	ctx, cancel := context.WithTimeout(ctx, callBound)
	defer cancel()
	out, err := b.api.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{
		TargetGroupArn: aws.String(group), Targets: []types.TargetDescription{{Id: aws.String(b.instance)}},
	})
	if err != nil {
		return types.TargetHealth{}, err
	}
	if len(out.TargetHealthDescriptions) == 0 || out.TargetHealthDescriptions[0].TargetHealth == nil {
		return types.TargetHealth{State: types.TargetHealthStateEnumUnused, Reason: types.TargetHealthReasonEnumNotRegistered}, nil
	}
	return *out.TargetHealthDescriptions[0].TargetHealth, nil
}

// reason explains why the load balancer does not use the server, "" when it
// does. The server itself has just found its health path in order.
func (b *balancer) reason(group string, health types.TargetHealth) string {
	switch health.State {
	case types.TargetHealthStateEnumHealthy:
		return ""
	case types.TargetHealthStateEnumDraining, types.TargetHealthStateEnumUnhealthyDraining:
		return "the load balancer sends no new requests: the server is leaving the target group " + group
	}
	in := " (target group " + group + ")"
	switch health.Reason {
	case types.TargetHealthReasonEnumRegistrationInProgress:
		return "the load balancer is registering the server" + in
	case types.TargetHealthReasonEnumInitialHealthChecking:
		return "the load balancer has not finished its first check" + in
	case types.TargetHealthReasonEnumNotRegistered:
		return "the server is not registered with the load balancer yet" + in
	case types.TargetHealthReasonEnumNotInUse:
		return "the load balancer checks nothing: no listener rule leads here, or this zone is not one of its zones" + in
	case types.TargetHealthReasonEnumTimeout:
		return fmt.Sprintf("the load balancer gets no answer to its checks, although the server answers itself: do the security groups let it reach port %d?%s", b.port, in)
	case types.TargetHealthReasonEnumResponseCodeMismatch:
		return fmt.Sprintf("the load balancer gets another answer than the server itself (%s): does it ask for %s, and is it 200 that it expects?%s",
			aws.ToString(health.Description), b.path, in)
	}
	return strings.TrimSuffix(fmt.Sprintf("the load balancer calls the server %s%s: %s", health.State, in, aws.ToString(health.Description)), ": ")
}

// name is the part of a target group's ARN that people know it by.
func name(arn string) string {
	if parts := strings.Split(arn, "/"); len(parts) == 3 {
		return parts[1]
	}
	return arn
}
