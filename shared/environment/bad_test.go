package environment_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
)

const path = "environments/staging.yml"

// bad are files and what is said about them, line by line, without the path.
var bad = map[string]struct{ file, want string }{
	"empty":         {"# nothing\n", `1:1: the file is empty, at least roles are needed`},
	"not a table":   {"- a\n", `1:1: a list, expected a table of keys`},
	"not text":      {"\xff\xfe", `1:1: not a text file in UTF-8`},
	"too large":     {strings.Repeat("#", 70000), `1:1: larger than 64 KB, this is no environment file`},
	"broken":        {"roles:\n  web: {\n", `2:8: not valid YAML: could not find flow mapping end token '}'`},
	"tab":           {"roles:\n\tweb: {}\n", `2:1: not valid YAML: a tab, but YAML is indented with spaces`},
	"two documents": {"roles: {web: {}}\n---\nroles: {web: {}}\n", `3:1: a second document, an environment is one`},
	"no role":       {"soak: 5m\n", `1:1: roles is missing, an environment has at least one`},
	"roles empty":   {"roles: {}\n", `1:1: roles: no role, an environment has at least one`},
	"roles a list":  {"roles: [web]\n", `1:8: roles: a list, expected a table of keys`},
	"unknown keys": {"rolls: {}\nroles:\n  web: {instnace: t3.small, cpu: 3}\n", `1:1: rolls: unknown key, did you mean roles?
3:9: roles.web.instnace: unknown key, did you mean instance?
3:29: roles.web.cpu: unknown key, expected processes, instance, min, max, exactly, http, ready, start, drain, scale`},
	"twice": {"roles:\n  web: {}\n  web: {}\n", `3:3: roles.web: is there twice, first on line 2`},
	"key no name": {"roles:\n  1: {}\n  true: {}\n  ~: {}\n  ? a b\n  : {}\n", `2:3: roles: 1 is not a key, expected a name
3:3: roles: true is not a key, expected a name
4:3: roles: nothing is not a key, expected a name
5:3: roles: something else is not a key, expected a name`},
	"key a list": {"roles:\n  [a]: {}\n", `2:6: not valid YAML: found an invalid key for this map`},
	"merge and alias": {"x: &a {}\nroles:\n  web: {<<: *a, ready: *a}\n", `1:1: x: unknown key, expected application, protected, network, balancer, instance_profile, settings, release, roles, soak
3:9: roles.web: a merge (<<) is not a key, expected a name
3:24: roles.web.ready: an alias (what starts with * must stand in quotes), expected text`},
	"role names": {"roles:\n  Web: {}\n  release: {}\n  server-security: {}\n  web-1: {}\n  web1: {}\n  -x: {}\n", `2:3: roles.Web: not a name for a role: lower-case letters, digits and single dashes, a letter first, at most 31
3:3: roles.release: the name is taken, choose another one
4:3: roles.server-security: the name is taken, choose another one
6:3: roles.web1: too much like web-1, their resources would have the same names
7:3: roles.-x: not a name for a role: lower-case letters, digits and single dashes, a letter first, at most 31`},
	"wrong application": {"application: shops\nroles: {web: {}}\n", `1:14: application: "shops" is not shop, the application that is deployed`},
	"wrong types": {`protected: yes
settings: /shop
soak: [5m]
roles:
  web:
    instance: 4
    min: two
    max: 2.5
    processes: web
    ready: true
    start: 90
    http: /health
    drain:
`, `1:12: protected: the text "yes", expected true or false
2:11: settings: the text "/shop", expected a list such as [a, b]
3:7: soak: a list, expected a duration such as 90s or 10m
6:15: roles.web.instance: 4, expected text; put it in quotes if it is meant so
7:10: roles.web.min: the text "two", expected a whole number
8:10: roles.web.max: 2.5, expected a whole number
9:16: roles.web.processes: the text "web", expected a list such as [a, b]
10:12: roles.web.ready: true, expected text; put it in quotes if it is meant so
11:12: roles.web.start: 90 has no unit, write for example 90s or 90m
12:11: roles.web.http: the text "/health", expected a table of keys
13:5: roles.web.drain: no value, expected a duration such as 90s or 10m`},
	"values that cannot be": {`settings: [shop, /shop, /shop, /a b]
soak: 90s
release: {when: change, timeout: 13h}
roles:
  web:
    instance: small
    min: 0
    http: {health: health, port: 80, drain: 2h, priority: 0, hosts: [Shop.example.com, localhost], paths: [api]}
    start: 2h
    drain: 5m
    ready: ""
  worker: {min: 101, drain: 10x}
`, `1:12: settings[0]: "shop" is not a Parameter Store path such as /shop/production
1:25: settings[2]: "/shop" is there twice
1:32: settings[3]: "/a b" is not a Parameter Store path such as /shop/production
2:7: soak: 1m30s is not a number of whole minutes
3:17: release.when: "change" is not one of changed, always, never, did you mean changed?
3:34: release.timeout: 13h is not within 1m and 12h
6:15: roles.web.instance: "small" is not a type of server such as t3.small
7:10: roles.web.min: 0 is not within 1 and 100
8:20: roles.web.http.health: "health" is not a path such as /health
8:34: roles.web.http.port: 80 is not within 1024 and 65535
8:45: roles.web.http.drain: 2h is not within 1s and 1h
8:59: roles.web.http.priority: 0 is not within 1 and 50000
8:70: roles.web.http.hosts[0]: "Shop.example.com" is not a host name in lower case such as shop.example.com
8:88: roles.web.http.hosts[1]: "localhost" is not a host name in lower case such as shop.example.com
8:108: roles.web.http.paths[0]: "api" is not a path such as /api/*
9:12: roles.web.start: 2h is not within 1m and 1h
10:12: roles.web.drain: 5m is not within 1s and 4m
11:12: roles.web.ready: is empty
12:17: roles.worker.min: 101 is not within 1 and 100
12:29: roles.worker.drain: "10x" is not a duration, expected for example 90s or 10m`},
	"sizes": {`roles:
  a: {min: 3, max: 2}
  b: {exactly: 2}
  c: {exactly: 1, min: 1}
  d: {exactly: 1, http: {}, processes: [web]}
  e: {scale: {cpu: 50}}
  f: {max: 2, scale: {cpu: 99}}
`, `2:20: roles.a.max: 2 is below min, which is 3
3:16: roles.b.exactly: 2 is not possible, only 1 is
4:16: roles.c.exactly: there is a min or max as well, exactly stands alone
5:19: roles.d.http: exactly: 1 and http do not go together, nobody would answer while the server is replaced
6:7: roles.e.scale: has no effect, max is not above min
7:28: roles.f.scale.cpu: 99 is not within 10 and 95`},
	"long soak": {"soak: 181m\nroles: {web: {}}\n", `1:7: soak: 3h1m is not within 0s and 3h`},
	"paths": {"release: {paths: [/db, ../db, db/.., a//b, ., db/migrations/, db/migrations/, \"db/*\"]}\nroles: {web: {}}\n", `1:19: release.paths[0]: "/db" is not a file or folder of the repository such as db/migrations
1:24: release.paths[1]: "../db" is not a file or folder of the repository such as db/migrations
1:31: release.paths[2]: "db/.." is not a file or folder of the repository such as db/migrations
1:38: release.paths[3]: "a//b" is not a file or folder of the repository such as db/migrations
1:44: release.paths[4]: "." is not a file or folder of the repository such as db/migrations
1:63: release.paths[6]: "db/migrations/" is there twice
1:79: release.paths[7]: "db/*" is not a file or folder of the repository such as db/migrations`},
	"paths and when":          {"release: {paths: [db], when: always}\nroles: {web: {}}\n", `1:18: release.paths: has no effect with when: always, only with when: changed`},
	"long soak while scaling": {"soak: 11m\nroles: {web: {max: 2}}\n", `1:7: soak: 11m is too long, at most 10m while a role can scale, as web can (max above min)`},
	"processes": {`roles:
  a: {processes: []}
  b: {processes: [web, release]}
  c: {processes: [web, web, Web]}
  content: {http: {}}
  all: {processes: [web]}
`, `2:18: roles.a.processes: an empty list, leave it out
3:18: roles.b.processes: release is no process that a role can run
4:24: roles.c.processes[1]: "web" is there twice
4:29: roles.c.processes[2]: "Web" is not a process type of the Procfile
5:13: roles.content.http: needs the process type web, which answers http; say processes: [web]
6:20: roles.all.processes: the role all runs every process type; give the role another name to choose`},
	"architectures": {"roles:\n  web: {instance: t4g.small}\n  worker: {instance: g4dn.xlarge}\nrelease: {instance: m7i.large}\n", `3:3: roles.worker: g4dn.xlarge has x86_64 processors and t4g.small of role web has arm64, but all start from one image
4:21: release: m7i.large has x86_64 processors and t4g.small of role web has arm64, but all start from one image`},
	"cidr":       {"network: {create: {cidr: 10.20.1.0/16}}\nroles: {web: {}}\n", `1:26: network.create.cidr: 10.20.1.0/16 does not begin at 10.20.1.0, did you mean 10.20.0.0/16?`},
	"cidr small": {"network: {create: {cidr: 10.20.1.0/24}}\nroles: {web: {}}\n", `1:26: network.create.cidr: 10.20.1.0/24 does not hold its subnets: they would be /28 and must be /27, so give /23 or larger`},
	"cidr large": {"network: {create: {cidr: 10.0.0.0/8}}\nroles: {web: {}}\n", `1:26: network.create.cidr: 10.0.0.0/8 is too large, AWS allows /16 at most`},
	"cidr no": {"network: {create: {cidr: 10.20/16, zones: 4, egress: privat}}\nroles: {web: {}}\n", `1:26: network.create.cidr: "10.20/16" is not a range of addresses such as 10.20.0.0/16
1:43: network.create.zones: 4 is not within 2 and 3
1:54: network.create.egress: "privat" is not one of public, nat, nat-per-zone`},
	"cidr public":    {"network: {create: {cidr: 8.8.0.0/16}}\nroles: {web: {}}\n", `1:26: network.create.cidr: 8.8.0.0/16 belongs to others on the internet, take a range of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10`},
	"create and use": {"network:\n  create: {}\n  use: {vpc: vpc-01234567}\nroles: {web: {}}\n", `3:3: network.use: there is a create as well, only one of them is possible`},
	"neither": {"network: {}\nbalancer:\nroles: {web: {}}\n", `1:1: network: needs create or use
2:1: balancer: needs create or use`},
	"use": {`network:
  use: {vpc: vpc1, subnets: [subnet-01234567, ssm:net, subnet-01234567], balancer_subnets: stack:net}
balancer:
  use: {listener: arn:aws:x}
instance_profile: shop
roles: {web: {http: {}}}
`, `2:14: network.use.vpc: "vpc1" is neither like vpc-0123456789abcdef0 nor ssm:/path or stack:name/Output
2:47: network.use.subnets[1]: "ssm:net" is neither like subnet-0123456789abcdef0 nor ssm:/path or stack:name/Output
2:56: network.use.subnets[2]: subnet-01234567 is there twice
2:92: network.use.balancer_subnets: "stack:net" is neither like subnet-0123456789abcdef0 nor ssm:/path or stack:name/Output
4:3: balancer.use: security_group is missing
4:19: balancer.use.listener: "arn:aws:x" is neither like arn:aws:elasticloadbalancing:…:listener/app/… nor ssm:/path or stack:name/Output
5:19: instance_profile: "shop" is neither like arn:aws:iam::…:instance-profile/… nor ssm:/path or stack:name/Output
6:15: roles.web.http: hosts is missing, a used balancer serves others as well`},
	"use without subnets": {"network: {use: {vpc: vpc-01234567}}\nroles: {web: {}}\n", `1:11: network.use: subnets is missing`},
	"one subnet":          {"network: {use: {vpc: vpc-01234567, subnets: [subnet-01234567]}}\nroles: {web: {http: {}}}\n", `1:1: network: a new balancer needs subnets in two zones, give balancer_subnets`},
	"used balancer in a new network": {`balancer:
  use: {listener: ssm:/listener, security_group: sg-01234567}
roles: {web: {http: {hosts: [a.example.com]}}}
`, `1:1: balancer: a used balancer needs a used network (network: use), it reaches servers in its own network only`},
	"used balancer without hosts": {`network: {use: {vpc: ssm:/vpc, subnets: ssm:/subnets}}
balancer: {use: {listener: ssm:/listener, security_group: sg-01234567}}
roles: {web: {http: {}}}
`, `3:15: roles.web.http: hosts is missing, a used balancer serves others as well`},
	"uses itself": {"network: {use: {vpc: stack:shop-staging-base/VpcId, subnets: ssm:/subnets}}\nroles: {web: {}}\n", `1:22: stack:shop-staging-base/VpcId is this environment itself, it cannot be used by it`},
	"balancer": {"balancer: {create: {redirect: true, idle: 2h, certificat: x, hosts: []}}\nroles: {web: {}}\n", `1:31: balancer.create.redirect: there is no https to redirect to, it needs a certificate
1:43: balancer.create.idle: 2h is not within 1s and 1h
1:47: balancer.create.certificat: unknown key, did you mean certificate?
1:69: balancer.create.hosts: an empty list, leave it out`},
	"too many conditions":  {"roles: {web: {http: {hosts: [a.b.de, b.b.de, c.b.de], paths: [/a, /b, /c]}}}\n", `1:15: roles.web.http: 3 hosts and 3 paths, at most 5 together fit into a rule`},
	"rules that are equal": {"roles:\n  web: {http: {}}\n  content: {processes: [web], http: {}}\n", `3:31: roles.content.http: answers the same requests as role web, give one of them other hosts or paths`},
	"priorities":           {"roles:\n  web: {http: {priority: 5}}\n  content: {processes: [web], http: {paths: [/c], priority: 5}}\n", `3:31: roles.content.http: its rule has the same priority as that of role web, give one of them another (priority: 1 to 50000)`},
	"long texts": {"settings: [/" + strings.Repeat("a", 9000) + "]\nroles:\n  web: {ready: " + strings.Repeat("<", 1000) + ", http: {hosts: [" + strings.Repeat("a.", 64) + "de]}}\n  b: {ready: " + strings.Repeat("a", 1001) + "}\n",
		`3:3: roles.web: a server would be told 15565 bytes (ready, hosts, settings and so on), at most 15000 are possible
3:1032: roles.web.http.hosts: "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.…" is longer than 128 characters
4:14: roles.b.ready: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…" is not a command of at most 1000 characters`},
	"strange characters": {"roles: {web: {ready: \"a\\u0007b\"}, worker: {ready: \"\\ue024\"}}\n", `1:22: roles.web.ready: contains the character U+0007, which does not belong here
1:51: roles.worker.ready: contains the character U+E024, which does not belong here`},
	"unquoted star":          {"roles: {web: {http: {hosts: [*.example.com]}}}\n", `1:30: roles.web.http.hosts[0]: an alias (what starts with * must stand in quotes), expected text`},
	"key without a value":    {"soak:\nroles: {web: {}}\n", `1:1: soak: no value, expected a duration such as 90s or 10m`},
	"text of several lines":  {"roles:\n  web:\n    ready: |\n      a\n      b\n", `3:12: roles.web.ready: a text of several lines, expected text`},
	"number that is too big": {"roles: {web: {min: 99999999999999999999}}\n", `1:20: roles.web.min: the text "99999999999999999999", expected a whole number`},
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	for name, test := range bad {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := environment.Load(path, "shop", []byte(test.file))
			if err == nil {
				t.Fatalf("was read: %+v", f)
			}
			if exit.CodeOf(err) != exit.Invalid {
				t.Errorf("exit code %d", exit.CodeOf(err))
			}
			var want []string
			for line := range strings.SplitSeq(test.want, "\n") {
				want = append(want, path+":"+line)
			}
			if diff := cmp.Diff(strings.Join(want, "\n"), err.Error()); diff != "" {
				t.Errorf("got\n%s", strings.ReplaceAll(err.Error(), path+":", ""))
			}
		})
	}
}
