// Package localcloud is one AWS account in one Go process: the services that
// our pipes call, on one endpoint or as an http.RoundTripper, with servers
// that really run (machine/process) or are played by Go functions
// (machine/simulated, together with testing/synctest).
//
// It is a test bench. It accepts only the actions, parameters and values that
// our pipes use and refuses anything else by name, and FIDELITY.md says of
// every behaviour where it comes from. No program of ours imports it, apart
// from tests, the demo and the benchmarks.
package localcloud

import (
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/autoscaling"
	"bitbucket.org/fearless/pipes/shared/localcloud/cloudformation"
	"bitbucket.org/fearless/pipes/shared/localcloud/ec2"
	"bitbucket.org/fearless/pipes/shared/localcloud/elb"
	"bitbucket.org/fearless/pipes/shared/localcloud/iam"
	"bitbucket.org/fearless/pipes/shared/localcloud/journal"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/simulated"
	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
	"bitbucket.org/fearless/pipes/shared/localcloud/s3"
	"bitbucket.org/fearless/pipes/shared/localcloud/scheduler"
	"bitbucket.org/fearless/pipes/shared/localcloud/secrets"
	"bitbucket.org/fearless/pipes/shared/localcloud/ssm"
	"bitbucket.org/fearless/pipes/shared/localcloud/sts"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Timing says how long the cloud takes.
type Timing = world.Timing

// RealTime is for real processes: tenths of seconds.
func RealTime() Timing { return world.RealTime() }

// CloudLike is for simulated time: as long as AWS takes.
func CloudLike() Timing { return world.CloudLike() }

// Options say what the account is like.
type Options struct {
	Account string // default 111122223333, which AWS keeps for examples
	Region  string // default us-east-1
	Timing  Timing // default: everything at once

	// Machines runs the servers; the cloud closes it. The default is servers
	// that do nothing until they are switched off.
	Machines machine.Driver

	// Endpoint is the URL under which guests reach the cloud.
	Endpoint string

	// Health answers the health checks of load balancers instead of the
	// servers. By default simulated servers that run are healthy.
	Health Checker

	// Seed makes another sequence of ids.
	Seed uint64
}

// storeOperations is what the store serves; it refuses the rest by itself.
var storeOperations = []string{
	"GetObject", "HeadObject", "PutObject", "DeleteObject", "DeleteObjects", "ListObjectsV2", "HeadBucket",
}

var (
	accounts = regexp.MustCompile(`^[0-9]{12}$`)
	regions  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
)

// Cloud is one account.
type Cloud struct {
	world    *world.World
	journal  journal.Journal
	router   *wire.Router
	machines machine.Driver

	sts       *sts.Service
	iam       *iam.Service
	ssm       *ssm.Service
	secrets   *secrets.Service
	ec2       *ec2.Service
	s3        *s3.Store
	elb       *elb.Service
	groups    *autoscaling.Service
	stacks    *cloudformation.Service
	schedules *scheduler.Service

	// bases finds the base image that a public parameter names.
	bases map[string]ec2.BaseImage

	mu       sync.Mutex
	endpoint string
}

// New makes an account that holds what account.yml creates, and the public
// images to start from.
func New(o Options) (*Cloud, error) {
	if o.Account == "" {
		o.Account = "111122223333"
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if !accounts.MatchString(o.Account) || !regions.MatchString(o.Region) {
		return nil, fmt.Errorf("no AWS account is %q in region %q", o.Account, o.Region)
	}
	if o.Machines == nil {
		o.Machines = simulated.New(simulated.Idle)
	}
	w := world.New(o.Account, o.Region, o.Timing, o.Seed)
	c := &Cloud{
		world: w, machines: o.Machines, endpoint: o.Endpoint, bases: map[string]ec2.BaseImage{},
		sts: sts.New(w), iam: iam.New(w), ssm: ssm.New(w), secrets: secrets.New(w), s3: s3.New(),
	}
	c.ec2 = ec2.New(w, o.Machines, ec2.Surroundings{
		Metadata: c.metadata, Endpoint: c.Endpoint, Transport: c.Transport(), Profile: c.profile,
	})
	c.elb = c.balancing(o.Health)
	c.groups = autoscaling.New(w, scaled{c}, c.elb)
	c.stacks = cloudformation.New(w, c.surroundings(), c.types()...)
	c.schedules = c.scheduling()
	c.router = wire.NewRouter(o.Region, c.hooks(),
		c.sts.Wire(),
		c.ssm.Wire(),
		c.secrets.Wire(),
		c.ec2.Wire(),
		c.elb.Wire(),
		c.groups.Wire(),
		c.stacks.Wire(),
		c.schedules.Wire(),
		wire.Service{Name: "s3", Protocol: operation.REST, Handler: c.s3, Operations: storeOperations},
	)
	if err := c.furnish(); err != nil {
		return nil, err
	}
	return c, nil
}

// hooks connect the router with those who know callers and record calls.
func (c *Cloud) hooks() wire.Hooks {
	return wire.Hooks{
		RequestID: func() string { return c.world.UUID("request") },
		Authorize: c.sts.Authorize,
		Observe: func(service string, o operation.Operation, status int, code string) {
			c.journal.Add(journal.Entry{
				Service: service, Action: o.Action, AccessKey: o.AccessKey, Run: o.Application, Status: status, Code: code,
			})
		},
	}
}

// ServeHTTP is the whole API on one endpoint. It must not stand behind a
// ServeMux, which would clean the paths of S3.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.router.ServeHTTP(w, r) }

// Endpoint is the URL under which guests reach the cloud.
func (c *Cloud) Endpoint() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.endpoint
}

// SetEndpoint sets that URL once it is known.
func (c *Cloud) SetEndpoint(url string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endpoint = url
}

// Journal is the record of all calls.
func (c *Cloud) Journal() *journal.Journal { return &c.journal }

// PutParameter stores a new version of a parameter.
func (c *Cloud) PutParameter(name, value string, secure bool) { c.ssm.Put(name, value, secure) }

// PutSecret stores a new value of a secret and gives the secret's ARN.
func (c *Cloud) PutSecret(name, value string) (arn string) { return c.secrets.Put(name, value) }

// SetRoleMaxDuration sets the MaxSessionDuration of a role, which is an hour
// for every role that nobody has spoken of.
func (c *Cloud) SetRoleMaxDuration(role string, d time.Duration) { c.sts.SetRoleMaxDuration(role, d) }

// FailNextImage lets the next CreateImage end in the state failed.
func (c *Cloud) FailNextImage(reason string) { c.ec2.FailNextImage(reason) }

// RefuseLaunch lets the next launches fail with an error of EC2, such as
// InsufficientInstanceCapacity.
func (c *Cloud) RefuseLaunch(code, message string, times int) {
	c.ec2.RefuseLaunch(code, message, times)
}

// Close switches all servers off and leaves nothing behind.
func (c *Cloud) Close() error {
	c.schedules.Close()
	c.stacks.Close()
	c.groups.Close()
	c.elb.Close()
	c.ec2.Close()
	return c.machines.Close()
}
