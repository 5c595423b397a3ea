package elb

import (
	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

func (s *Service) listenerType() resource.Type {
	return resource.Type{
		Name:       "AWS::ElasticLoadBalancingV2::Listener",
		Properties: []string{"LoadBalancerArn", "Port", "Protocol", "Certificates", "SslPolicy", "DefaultActions"},
		Immutable:  []string{"LoadBalancerArn"},
		Attributes: []string{"ListenerArn"},
		Create:     s.createListener,
		Update:     s.updateListener,
		Delete:     s.deleteListener,
	}
}

// decodeListener reads a listener that is not registered yet. The lock is
// held.
func (s *Service) decodeListener(r resource.Request) (*listener, error) {
	p := r.Properties.Reader()
	l := &listener{
		balancer: s.balancers[p.Need("LoadBalancerArn")], port: number(p, "Port", 1, 65535, 0),
		secure: p.OneOf("Protocol", "", "HTTP", "HTTPS") == "HTTPS", policy: p.String("SslPolicy"),
	}
	l.tags = tagsOf(r, nil)
	for _, c := range p.List("Certificates") {
		l.certificates = append(l.certificates, c.Need("CertificateArn"))
	}
	p.Need("Protocol")
	l.action = s.decodeAction(p, "DefaultActions")
	switch {
	case p.Done() != nil:
		return nil, p.Done()
	case l.balancer == nil:
		return nil, balancerMissing(r.Properties.Reader().String("LoadBalancerArn"))
	case l.secure && len(l.certificates) != 1:
		return nil, wire.Errorf("ValidationError", "A certificate must be specified for HTTPS listeners")
	case !l.secure && len(l.certificates) > 0:
		return nil, wire.Errorf("ValidationError", "Certificates cannot be specified for HTTP listeners")
	case l.secure && l.policy == "":
		l.policy = "ELBSecurityPolicy-2016-08"
	}
	return l, nil
}

// occupied tells whether another listener has the port. The lock is held.
func (s *Service) occupied(b *balancer, port int, except *listener) *wire.Error {
	for _, other := range s.listeners {
		if other != except && other.balancer == b && other.port == port {
			return wire.Errorf("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", b.arn)
		}
	}
	return nil
}

func (s *Service) createListener(r resource.Request) (resource.Made, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.decodeListener(r)
	if err != nil {
		return resource.Made{}, err
	}
	if failure := s.occupied(l.balancer, l.port, nil); failure != nil {
		return resource.Made{}, failure
	}
	l.id = s.id("listener")
	l.named = s.register(s.arn("listener/"+l.balancer.fullName()+"/"+l.id), "", l.tags)
	if failure := l.action.use(l.balancer); failure != nil {
		return resource.Made{}, failure
	}
	if l.socket, err = s.open(l); err != nil {
		l.action.leave()
		return resource.Made{}, err
	}
	s.listeners[l.arn] = l
	return l.made(), nil
}

func (l *listener) made() resource.Made {
	return resource.Made{Physical: l.arn, Attributes: map[string]any{"ListenerArn": l.arn}}
}

// updateListener keeps the socket unless the port changes.
func (s *Service) updateListener(r resource.Request, _ resource.Properties, physical string) (resource.Made, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listeners[physical]
	if l == nil {
		return resource.Made{}, wire.Errorf("ListenerNotFound", "One or more listeners not found")
	}
	in, err := s.decodeListener(r)
	if err != nil {
		return resource.Made{}, err
	}
	if failure := s.occupied(l.balancer, in.port, l); failure != nil {
		return resource.Made{}, failure
	}
	if failure := in.action.use(l.balancer); failure != nil {
		return resource.Made{}, failure
	}
	l.action.leave()
	moved := in.port != l.port
	l.port, l.secure, l.certificates, l.policy, l.action, l.tags = in.port, in.secure, in.certificates, in.policy, in.action, in.tags
	if moved {
		old := l.socket
		if l.socket, err = s.open(l); err != nil {
			l.socket = old
			return resource.Made{}, err
		}
		if old != nil {
			s.spawn(old.close) // without the lock: requests in flight take it
		}
	}
	return l.made(), nil
}

// forget removes a listener with its rules and gives its socket, to be shut
// without the lock. The lock is held.
func (s *Service) forget(l *listener) *socket {
	delete(s.listeners, l.arn)
	l.action.leave()
	for _, r := range l.rules {
		r.action.leave()
		delete(s.rules, r.arn)
	}
	l.rules = nil
	return l.socket
}

func (s *Service) deleteListener(physical string) error {
	s.mu.Lock()
	l := s.listeners[physical]
	var open *socket
	if l != nil {
		open = s.forget(l)
	}
	s.mu.Unlock()
	open.shut()
	return nil
}
