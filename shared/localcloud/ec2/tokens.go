package ec2

import (
	"context"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// claim is what a client token was used for. A launch with an explicit subnet
// is idempotent in its zone: the same token in another zone is another claim.
type claim struct {
	fingerprint string
	ready       chan struct{} // closed when i or err is there
	i           *instance
	err         error
}

// tokenKept is how long a token is remembered after the instance's end.
const tokenKept = 24 * time.Hour

// once launches, unless the token was used before: then it is the instance of
// that time. A launch that failed leaves its token free.
func (s *Service) once(ctx context.Context, l Launch) (*instance, error) {
	if l.Token == "" {
		return s.create(l)
	}
	key, c, first := s.claim(l)
	if !first {
		return s.again(ctx, c, l)
	}
	i, err := s.create(l)
	s.mu.Lock()
	defer s.mu.Unlock()
	c.i, c.err = i, err
	if err != nil {
		delete(s.tokens, key)
	}
	close(c.ready)
	return i, err
}

// claim finds the claim of a token, or makes it: the one who makes it is first
// and launches, everybody else waits for that.
func (s *Service) claim(l Launch) (key string, c *claim, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key = l.Token + " " + s.network.zoneOf(l.Subnet)
	if c = s.tokens[key]; c != nil && !c.lapsed(time.Now()) {
		return key, c, false
	}
	c = &claim{fingerprint: l.fingerprint, ready: make(chan struct{})}
	s.tokens[key] = c
	return key, c, true
}

// lapsed reports whether the token may be used anew. The lock is held.
func (c *claim) lapsed(now time.Time) bool {
	return c.i != nil && c.i.stateAt(now) == terminated && now.Sub(c.i.settled) > tokenKept
}

// again answers a token that was used before. The parameters are compared
// first: a mismatch is known before the launch has ended.
func (s *Service) again(ctx context.Context, c *claim, l Launch) (*instance, error) {
	if c.fingerprint != l.fingerprint {
		return nil, wire.Errorf("IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
	}
	select {
	case <-c.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c.err != nil {
		return nil, c.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.i.stateAt(time.Now()) == terminated {
		return nil, wire.Errorf("IdempotentInstanceTerminated", "The client token you have provided is associated with a terminated instance. Please use a different client token.")
	}
	return c.i, nil
}
