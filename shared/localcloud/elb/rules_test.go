package elb_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/elb"
	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

func wantCode(t *testing.T, err error, code string, parts ...string) {
	t.Helper()
	var failure *wire.Error
	if !errors.As(err, &failure) || failure.Code != code {
		t.Errorf("got %v, want %s", err, code)
		return
	}
	for _, part := range parts {
		if !strings.Contains(failure.Message, part) {
			t.Errorf("%q does not name %q", failure.Message, part)
		}
	}
}

func TestRulesByPriority(t *testing.T) {
	t.Parallel()
	b := setup(t, timing, elb.Options{Sockets: true})
	say := func(text string) []any {
		return []any{map[string]any{"Type": "fixed-response", "FixedResponseConfig": map[string]any{"StatusCode": "200", "MessageBody": text}}}
	}
	hosts := func(values ...any) map[string]any {
		return map[string]any{"Field": "host-header", "HostHeaderConfig": map[string]any{"Values": values}}
	}
	b.rule(30, []any{hosts("*.example.com")}, say("any host"))
	b.rule(10, append(paths("/api/*", "/v?"), hosts("Shop.example.com")), say("both"))
	b.rule(20, []any{hosts("shop.example.com", "other.example.org")}, say("host"))
	for _, test := range []struct{ host, path, want string }{
		{"shop.example.com", "/api/x", "both"},
		{"SHOP.example.com:8080", "/v1", "both"},
		{"shop.example.com", "/API/x", "host"}, // paths know case
		{"shop.example.com", "/v12", "host"},
		{"other.example.org", "/", "host"},
		{"new.example.com", "/api/x", "any host"},
		{"example.com", "/", "no such environment"},
	} {
		got := b.get(test.path, func(r *http.Request) { r.Host = test.host })
		if got.body != test.want || got.header.Get("Server") != "awselb/2.0" {
			t.Errorf("%s%s: %q from %s, want %q", test.host, test.path, got.body, got.header.Get("Server"), test.want)
		}
	}
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	b := setup(t, timing, elb.Options{Sockets: true})
	redirect := func(config map[string]any) []any {
		return []any{map[string]any{"Type": "redirect", "RedirectConfig": config}}
	}
	b.rule(1, paths("/old/*"), redirect(map[string]any{"StatusCode": "HTTP_302", "Host": "www.#{host}", "Port": "8443", "Path": "/new", "Query": "from=#{path}"}))
	b.rule(2, paths("/*"), redirect(map[string]any{"StatusCode": "HTTP_301", "Protocol": "HTTPS", "Port": "443"}))
	for path, want := range map[string]answer{
		"/a/b%20c?x=1": {status: 301, body: "https://shop.example.com:443/a/b%20c?x=1"},
		"/":            {status: 301, body: "https://shop.example.com:443/"},
		"/old/a":       {status: 302, body: "http://www.shop.example.com:8443/new?from=old/a"},
	} {
		got := b.get(path, func(r *http.Request) { r.Host = "shop.example.com" })
		if got.status != want.status || got.header.Get("Location") != want.body {
			t.Errorf("%s: %d to %s, want %d to %s", path, got.status, got.header.Get("Location"), want.status, want.body)
		}
	}
}

func TestRefusedResources(t *testing.T) {
	t.Parallel()
	b := setup(t, timing, elb.Options{})
	group := b.group("RWebTargets", nil)
	rule := b.rule(10, paths("/*"), forward(group))
	second := b.make("LoadBalancer", "Second", resource.Properties{"Subnets": []any{"subnet-a", "subnet-b"},
		"LoadBalancerAttributes": []any{map[string]any{"Key": "deletion_protection.enabled", "Value": "true"}}})
	wantCode(t, b.kind("LoadBalancer").Delete(second), "OperationNotPermitted", second)
	wantCode(t, b.kind("TargetGroup").Delete(group), "ResourceInUse", group)

	for _, test := range []struct {
		kind       string
		properties resource.Properties
		code       string // "": no error of AWS, but one that names the parts
		parts      []string
	}{
		{"LoadBalancer", resource.Properties{"Subnets": []any{"subnet-a"}}, "ValidationError", []string{"two subnets"}},
		{"LoadBalancer", resource.Properties{"Subnets": []any{"subnet-a", "subnet-a"}}, "InvalidConfigurationRequest", nil},
		{"LoadBalancer", resource.Properties{"Subnets": []any{"subnet-a", "subnet-zz"}}, "SubnetNotFound", []string{"subnet-zz"}},
		{"LoadBalancer", resource.Properties{"Subnets": []any{"subnet-a", "subnet-b"}, "SecurityGroups": []any{"sg-none"}}, "InvalidGroup.NotFound", []string{"sg-none"}},
		{"LoadBalancer", resource.Properties{"Subnets": []any{"subnet-a", "subnet-b"}, "Type": "network"}, "", []string{"network", "Type"}},
		{"LoadBalancer", resource.Properties{"Subnets": []any{"subnet-a", "subnet-b"},
			"LoadBalancerAttributes": []any{map[string]any{"Key": "access_logs.s3.enabled", "Value": "true"}}}, "", []string{"access_logs.s3.enabled"}},
		{"Listener", resource.Properties{"LoadBalancerArn": b.balancer, "Port": 80, "Protocol": "HTTP", "DefaultActions": []any{missing}}, "DuplicateListener", []string{b.balancer}},
		{"Listener", resource.Properties{"LoadBalancerArn": "arn:none", "Port": 81, "Protocol": "HTTP", "DefaultActions": []any{missing}}, "LoadBalancerNotFound", []string{"arn:none"}},
		{"Listener", resource.Properties{"LoadBalancerArn": b.balancer, "Port": 443, "Protocol": "HTTPS", "DefaultActions": []any{missing}}, "ValidationError", []string{"certificate"}},
		{"Listener", resource.Properties{"LoadBalancerArn": second, "Port": 81, "Protocol": "HTTP", "DefaultActions": forward(group)}, "TargetGroupAssociationLimit", []string{group}},
		{"ListenerRule", resource.Properties{"ListenerArn": b.listener, "Priority": 10, "Conditions": paths("/x"), "Actions": forward(group)}, "PriorityInUse", []string{"10"}},
		{"ListenerRule", resource.Properties{"ListenerArn": "arn:none", "Priority": 11, "Conditions": paths("/x"), "Actions": forward(group)}, "ListenerNotFound", nil},
		{"ListenerRule", resource.Properties{"ListenerArn": b.listener, "Priority": 11, "Conditions": paths("/x"), "Actions": forward("arn:none")}, "TargetGroupNotFound", nil},
		{"ListenerRule", resource.Properties{"ListenerArn": b.listener, "Priority": 11, "Conditions": paths("1", "2", "3", "4", "5", "6"), "Actions": forward(group)}, "ValidationError", []string{"5"}},
		{"ListenerRule", resource.Properties{"ListenerArn": b.listener, "Priority": 11, "Conditions": []any{map[string]any{"Field": "http-header"}}, "Actions": forward(group)}, "", []string{"http-header"}},
		{"TargetGroup", resource.Properties{"VpcId": "vpc-1", "Protocol": "HTTPS", "Port": 1}, "", []string{"HTTPS"}},
		{"TargetGroup", resource.Properties{"VpcId": "vpc-1", "Protocol": "HTTP", "Port": 1, "HealthCheckIntervalSeconds": 4}, "", []string{"HealthCheckIntervalSeconds", "4"}},
		{"TargetGroup", resource.Properties{"VpcId": "vpc-1", "Protocol": "HTTP", "Port": 1, "HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 5}, "ValidationError", []string{"smaller"}},
		{"TargetGroup", resource.Properties{"VpcId": "vpc-1", "Protocol": "HTTP", "Port": 1, "Matcher": map[string]any{"HttpCode": "200-599"}}, "ValidationError", []string{"200-599"}},
		{"TargetGroup", resource.Properties{"VpcId": "vpc-1", "Protocol": "HTTP", "Port": 1, "Name": "mine"}, "", []string{"Name"}},
	} {
		_, err := b.try(test.kind, "Bad", test.properties)
		if test.code != "" {
			wantCode(t, err, test.code, test.parts...)
			continue
		}
		for _, part := range test.parts {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s %v: %v does not name %s", test.kind, test.properties, err, part)
			}
		}
	}

	if len(b.places) != 2 {
		t.Errorf("places in the network: %v", b.places)
	}
	// Everything goes in the order in which a stack removes it, twice each.
	for range 2 {
		for _, step := range []struct{ kind, id string }{{"ListenerRule", rule}, {"TargetGroup", group}, {"Listener", b.listener}, {"LoadBalancer", b.balancer}} {
			if err := b.kind(step.kind).Delete(step.id); err != nil {
				t.Errorf("delete %s: %v", step.kind, err)
			}
		}
	}
	if len(b.places) != 1 { // the protected one
		t.Errorf("places that are left in the network: %v", b.places)
	}
}

func TestUpdatesInPlace(t *testing.T) {
	t.Parallel()
	b := setup(t, timing, elb.Options{Sockets: true})
	b.serve("i-1", named("one"))
	group := b.group("RWebTargets", nil)
	b.register(group, "i-1")
	conditions := paths("/web/*")
	rule := b.rule(10, conditions, forward(group))
	b.awaitHealth(group, "i-1", "healthy")
	if got := b.get("/web/", nil); got.body != "one" {
		t.Fatalf("got %+v", got)
	}
	before := b.service.URL(b.listener)

	update := func(kind, id string, p resource.Properties) {
		t.Helper()
		made, err := b.kind(kind).Update(request("X", p), nil, id)
		if err != nil || made.Physical != id {
			t.Fatalf("update %s: %v, %v", kind, made, err)
		}
	}
	update("ListenerRule", rule, resource.Properties{"ListenerArn": b.listener, "Priority": 20, "Conditions": paths("/app/*"), "Actions": forward(group)})
	update("Listener", b.listener, resource.Properties{"LoadBalancerArn": b.balancer, "Port": 81, "Protocol": "HTTP", "DefaultActions": []any{
		map[string]any{"Type": "fixed-response", "FixedResponseConfig": map[string]any{"StatusCode": "503"}}}})
	update("TargetGroup", group, resource.Properties{"VpcId": "vpc-1", "Protocol": "HTTP", "Port": 8000, "HealthCheckPath": "/", "Matcher": map[string]any{"HttpCode": "404"}, "UnhealthyThresholdCount": 2})
	update("LoadBalancer", b.balancer, resource.Properties{"Subnets": []any{"subnet-b", "subnet-c"}})

	got := []int{b.get("/web/", nil).status, b.get("/app/", nil).status}
	if diff := cmp.Diff([]int{503, 200}, got); diff != "" {
		t.Errorf("after the updates (-want +got):\n%s", diff)
	}
	if b.service.URL(b.listener) == before {
		t.Error("the listener's new port has the old socket")
	}
	b.awaitHealth(group, "i-1", "unhealthy") // it answers 200, which is wrong now
	if got := b.get("/app/", nil); got.status != 200 {
		t.Errorf("with all targets unhealthy: %d, want the request to be let through", got.status)
	}
}
