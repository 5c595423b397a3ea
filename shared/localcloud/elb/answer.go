package elb

import (
	"strconv"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// The structs of this file are the API's element names.

type zoneXML struct {
	Zone   string `xml:"ZoneName"`
	Subnet string `xml:"SubnetId"`
}

type balancerXML struct {
	ARN            string    `xml:"LoadBalancerArn"`
	DNSName        string    `xml:"DNSName"`
	HostedZone     string    `xml:"CanonicalHostedZoneId"`
	Created        string    `xml:"CreatedTime"`
	Name           string    `xml:"LoadBalancerName"`
	Scheme         string    `xml:"Scheme"`
	State          string    `xml:"State>Code"`
	Type           string    `xml:"Type"`
	Zones          []zoneXML `xml:"AvailabilityZones>member"`
	SecurityGroups []string  `xml:"SecurityGroups>member"`
	AddressType    string    `xml:"IpAddressType"`
}

// balancerXML shows a load balancer. The lock is held.
func (s *Service) balancerXML(b *balancer, now time.Time) balancerXML {
	x := balancerXML{
		ARN: b.arn, DNSName: b.address, HostedZone: hostedZone, Created: wire.Time(b.born), Name: b.name, Scheme: b.scheme,
		State: b.state(now), Type: "application", SecurityGroups: b.securityGroups, AddressType: "ipv4",
	}
	for _, subnet := range b.subnets {
		x.Zones = append(x.Zones, zoneXML{s.servers.Zone(subnet), subnet})
	}
	return x
}

type groupXML struct {
	ARN            string   `xml:"TargetGroupArn"`
	Name           string   `xml:"TargetGroupName"`
	Protocol       string   `xml:"Protocol"`
	Version        string   `xml:"ProtocolVersion"`
	Port           int      `xml:"Port"`
	VPC            string   `xml:"VpcId"`
	Enabled        bool     `xml:"HealthCheckEnabled"`
	HealthProtocol string   `xml:"HealthCheckProtocol"`
	HealthPort     string   `xml:"HealthCheckPort"`
	HealthPath     string   `xml:"HealthCheckPath"`
	Interval       int      `xml:"HealthCheckIntervalSeconds"`
	Timeout        int      `xml:"HealthCheckTimeoutSeconds"`
	Healthy        int      `xml:"HealthyThresholdCount"`
	Unhealthy      int      `xml:"UnhealthyThresholdCount"`
	Matcher        string   `xml:"Matcher>HttpCode"`
	Balancers      []string `xml:"LoadBalancerArns>member"`
	Type           string   `xml:"TargetType"`
}

func (g *group) xml() groupXML {
	x := groupXML{
		ARN: g.arn, Name: g.name, Protocol: "HTTP", Version: "HTTP1", Port: g.port, VPC: g.vpc, Enabled: true,
		HealthProtocol: "HTTP", HealthPort: g.healthPort, HealthPath: g.healthPath,
		Interval: int(g.interval / time.Second), Timeout: int(g.timeout / time.Second),
		Healthy: g.healthy, Unhealthy: g.unhealthy, Matcher: g.matcher, Type: "instance",
	}
	if g.user != nil {
		x.Balancers = []string{g.user.arn}
	}
	return x
}

type redirectXML struct {
	Protocol string `xml:"Protocol"`
	Host     string `xml:"Host"`
	Port     string `xml:"Port"`
	Path     string `xml:"Path"`
	Query    string `xml:"Query"`
	Status   string `xml:"StatusCode"`
}

type fixedXML struct {
	Status string `xml:"StatusCode"`
	Kind   string `xml:"ContentType"`
	Body   string `xml:"MessageBody"`
}

type actionXML struct {
	Type     string       `xml:"Type"`
	Group    string       `xml:"TargetGroupArn,omitempty"`
	Redirect *redirectXML `xml:"RedirectConfig"`
	Fixed    *fixedXML    `xml:"FixedResponseConfig"`
}

func (a action) xml() []actionXML {
	switch {
	case a.forward != nil:
		return []actionXML{{Type: "forward", Group: a.forward.arn}}
	case a.redirect != nil:
		d := a.redirect
		return []actionXML{{Type: "redirect", Redirect: &redirectXML{d.protocol, d.host, d.port, d.path, d.query, "HTTP_" + strconv.Itoa(d.status)}}}
	default:
		return []actionXML{{Type: "fixed-response", Fixed: &fixedXML{strconv.Itoa(a.fixed.status), a.fixed.kind, a.fixed.body}}}
	}
}

type certificateXML struct {
	ARN string `xml:"CertificateArn"`
}

type listenerXML struct {
	ARN          string           `xml:"ListenerArn"`
	Balancer     string           `xml:"LoadBalancerArn"`
	Port         int              `xml:"Port"`
	Protocol     string           `xml:"Protocol"`
	Certificates []certificateXML `xml:"Certificates>member"`
	Policy       string           `xml:"SslPolicy,omitempty"`
	Actions      []actionXML      `xml:"DefaultActions>member"`
}

func (l *listener) xml() listenerXML {
	x := listenerXML{ARN: l.arn, Balancer: l.balancer.arn, Port: l.port, Protocol: "HTTP", Actions: l.action.xml()}
	if l.secure {
		x.Protocol, x.Policy = "HTTPS", l.policy
	}
	for _, arn := range l.certificates {
		x.Certificates = append(x.Certificates, certificateXML{arn})
	}
	return x
}

type valuesXML struct {
	Values []string `xml:"Values>member"`
}

type conditionXML struct {
	Field  string     `xml:"Field"`
	Values []string   `xml:"Values>member"`
	Host   *valuesXML `xml:"HostHeaderConfig"`
	Path   *valuesXML `xml:"PathPatternConfig"`
}

type ruleXML struct {
	ARN        string         `xml:"RuleArn"`
	Priority   string         `xml:"Priority"`
	Conditions []conditionXML `xml:"Conditions>member"`
	Actions    []actionXML    `xml:"Actions>member"`
	Default    bool           `xml:"IsDefault"`
}

func (r *rule) xml() ruleXML {
	x := ruleXML{ARN: r.arn, Priority: strconv.Itoa(r.priority), Actions: r.action.xml()}
	for _, c := range r.conditions {
		shown := conditionXML{Field: c.field, Values: c.values}
		if c.field == hostHeader {
			shown.Host = &valuesXML{c.values}
		} else {
			shown.Path = &valuesXML{c.values}
		}
		x.Conditions = append(x.Conditions, shown)
	}
	return x
}

// defaultXML is what remains when no rule applies, as a rule.
func (l *listener) defaultXML() ruleXML {
	return ruleXML{ARN: strings.Replace(l.arn, ":listener/", ":listener-rule/", 1) + "/default", Priority: "default", Actions: l.action.xml(), Default: true}
}

type targetHealthXML struct {
	ID         string `xml:"Target>Id"`
	Port       int    `xml:"Target>Port"`
	HealthPort string `xml:"HealthCheckPort,omitempty"`
	State      string `xml:"TargetHealth>State"`
	Reason     string `xml:"TargetHealth>Reason,omitempty"`
	Text       string `xml:"TargetHealth>Description,omitempty"`
}

func healthXML(instance string, port int, healthPort string, h health) targetHealthXML {
	return targetHealthXML{instance, port, healthPort, h.state, h.reason, h.text}
}
