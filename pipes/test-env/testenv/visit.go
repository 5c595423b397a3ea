package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/stack"
)

const (
	// visitTime bounds one request; visits is how many there are, a pause apart, before
	// no answer counts as one: a balancer needs seconds to know a new rule everywhere.
	visitTime  = 5 * time.Second
	visits     = 10
	visitPause = 2 * time.Second

	// unreachable is after how many failed connections it is given up to see the address
	// from here: runners often have no way into a private network.
	unreachable = 3
)

// visitor asks as a browser would, but stays where it was sent.
func visitor(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: transport, Timeout: visitTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// visit makes sure that an address answers through the balancer. Where it cannot be
// reached from here that is said, and the balancer's own word is asked for: not being
// able to look is not the same as all being well.
func (r *run) visit(ctx context.Context, address, targets string) *exit.Error {
	silent := 0
	answer := ""
	for n := 1; n <= visits && silent < unreachable; n++ {
		code, err := r.ask(ctx, address)
		switch {
		case ctx.Err() != nil:
			return exit.Unablef("%w", context.Cause(ctx))
		case err != nil:
			silent, answer = silent+1, reason(err)
		case code == http.StatusOK:
			r.rt.Console.Info("%s answers", address)
			return nil
		default:
			silent, answer = 0, fmt.Sprintf("it answers %d", code)
		}
		if err := stack.Pause(ctx, visitPause); err != nil {
			return exit.Unablef("%w", err)
		}
	}
	if silent == 0 {
		return exit.Refusedf("%s is not what users would see: %s instead of 200", address, answer).
			Hint("does the name lead to testing's balancer, and does the application answer to this host (PUBLIC_HOSTS)?")
	}
	r.rt.Console.Warn("%s cannot be reached from here: %s. That says nothing about it, so the balancer is asked instead", address, answer)
	return r.vouched(ctx, targets)
}

// ask makes one request.
func (r *run) ask(ctx context.Context, address string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("User-Agent", "fearless-test-env")
	response, err := r.visitor.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
	return response.StatusCode, nil
}

// reason is an error of a request without the address, which stands before it.
func reason(err error) string {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err.Error()
	}
	return err.Error()
}

// vouched asks the balancer whether it finds the server healthy.
func (r *run) vouched(ctx context.Context, targets string) *exit.Error {
	out, err := r.ELB.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &targets})
	if err != nil {
		return exit.Unablef("the balancer cannot be asked either: %w", err)
	}
	state := "no server"
	for _, t := range out.TargetHealthDescriptions {
		if t.TargetHealth == nil {
			continue
		}
		if state = string(t.TargetHealth.State); t.TargetHealth.State == types.TargetHealthStateEnumHealthy {
			r.rt.Console.Info("The balancer finds the server healthy")
			return nil
		}
	}
	return exit.Refusedf("the balancer does not find the server healthy: %s", state)
}
