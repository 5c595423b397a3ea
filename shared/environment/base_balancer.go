package environment

import (
	"strconv"
	"strings"
)

// Logical ids of the balancer. The group is a parameter of that name where it
// is used and not made.
const (
	idBalancer      = "Balancer"
	idBalancerGroup = "BalancerSecurityGroup"
	idHTTP          = "HttpListener"
	idHTTPS         = "HttpsListener"
)

// tlsPolicy accepts TLS 1.2 and 1.3.
const tlsPolicy = "ELBSecurityPolicy-TLS13-1-2-2021-06"

func (f *File) baseBalancer(t *Template, n site) {
	switch {
	case f.Balancer == nil:
		return
	case f.Balancer.Use != nil:
		u := f.Balancer.Use
		t.output(OutputListener, "The listener that has the rules", t.one(OutputListener, "The listener that is used", u.Listener))
		t.one(idBalancerGroup, "Where the listener's requests come from", u.SecurityGroup)
	default:
		f.newBalancer(t, n, *f.Balancer.Create)
	}
	if hosts := f.Hosts(); len(hosts) > 0 {
		t.output(OutputHosts, "Names under which users come", strings.Join(hosts, ","))
	}
}

func (f *File) newBalancer(t *Template, n site, b NewBalancer) {
	ports := []int{}
	if b.Certificate == nil || b.Redirect {
		ports = append(ports, 80)
	}
	if b.Certificate != nil {
		ports = append(ports, 443)
	}
	var open []any
	for _, port := range ports {
		open = append(open, object{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "0.0.0.0/0", "Description": "users"})
	}
	t.add(idBalancerGroup, resource{Type: "AWS::EC2::SecurityGroup", Properties: object{
		"GroupDescription": "Balancer of " + f.ServersStack(), "VpcId": n.vpc,
		"SecurityGroupIngress": open, "Tags": f.named("balancer"),
	}})
	attributes := []any{
		object{"Key": "idle_timeout.timeout_seconds", "Value": strconv.Itoa(int(b.Idle.Seconds()))},
		object{"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"},
	}
	if f.Protected {
		t.parameter(Parameter{Name: Protect, Type: typeString, Value: "true"}, "Deletion protection", yesOrNo)
		attributes = append(attributes, object{"Key": "deletion_protection.enabled", "Value": ref(Protect)})
	}
	balancer := resource{Type: "AWS::ElasticLoadBalancingV2::LoadBalancer", Properties: object{
		"Scheme": "internet-facing", "Type": "application", "Subnets": n.balancerSubnets,
		"SecurityGroups": []any{ref(idBalancerGroup)}, "LoadBalancerAttributes": attributes, "Tags": f.named("balancer"),
	}}
	if n.gateway != "" {
		balancer.DependsOn = []string{n.gateway} // without a way to the internet it cannot be made
	}
	t.add(idBalancer, balancer)
	listeners(t, b)
	t.output(OutputBalancerDNS, "Name of the balancer, for an alias record", attribute(idBalancer, "DNSName"))
	t.output(OutputBalancerZone, "Zone of that name", attribute(idBalancer, "CanonicalHostedZoneID"))
}

// listeners answer 404 to what no role's rule takes.
func listeners(t *Template, b NewBalancer) {
	nobody := []any{object{"Type": "fixed-response", "FixedResponseConfig": object{
		"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "no application answers at this address\n",
	}}}
	if b.Certificate == nil {
		t.add(idHTTP, listener(80, "HTTP", nobody))
		t.output(OutputListener, "The listener that has the rules", ref(idHTTP))
		return
	}
	if b.Redirect {
		t.add(idHTTP, listener(80, "HTTP", []any{object{"Type": "redirect", "RedirectConfig": object{
			"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301",
		}}}))
	}
	secure := listener(443, "HTTPS", nobody)
	secure.Properties["SslPolicy"] = tlsPolicy
	secure.Properties["Certificates"] = []any{object{"CertificateArn": t.one("CertificateArn", "Certificate of the balancer", *b.Certificate)}}
	t.add(idHTTPS, secure)
	t.output(OutputListener, "The listener that has the rules", ref(idHTTPS))
}

func listener(port int, protocol string, actions []any) resource {
	return resource{Type: "AWS::ElasticLoadBalancingV2::Listener", Properties: object{
		"LoadBalancerArn": ref(idBalancer), "Port": port, "Protocol": protocol, "DefaultActions": actions,
	}}
}
