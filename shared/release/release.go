// Package release changes the servers of an environment, and follows that change to its
// end: what deploying, rolling back and making a test environment have in common.
//
// CloudFormation does the work and goes on without us, so every step starts from what the
// stack says of itself. This is how data travels:
//
//	session → Connect → Clients
//	template → RolesOf → []Role, what the groups are called and how large they may be
//	Operator{Clients, Roles, …}
//	  Settle  → the stack at rest, or our own update that is under way already
//	  Live    → what it runs: groups, sizes, leftovers (RemoveLeftovers, Sizes)
//	  Propose → a change set, which Explain puts into words
//	  Begin   → the release's start in the ledger; nothing is touched before that
//	  Apply   → executes it and tells the story: servers that are ready, refused launches;
//	            Follow does the same for an update of another run
//	  Conclude → what became of it, in the ledger and as an error with the first cause,
//	            after the end check has asked the balancer who answers
//
// A change that somebody else came before is an Overtaken error; GivingWay looks again. What
// an environment file says is none of this package's business: a rollback has none.
package release

import (
	"cmp"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"bitbucket.org/fearless/pipes/shared/account"
	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/ledger"
)

// Clients are the services that a release needs, in one account and region.
type Clients struct {
	CFN *cloudformation.Client
	ASG *autoscaling.Client
	ELB *elb.Client
	EC2 *ec2.Client
	S3  *s3.Client
	SSM *ssm.Client

	Region string
	Bucket string // made by account.yml: index, ledger, logs, large templates
}

// Connect makes the clients of a session. A blank bucket is the one that account.yml makes.
func Connect(session *account.Session, bucket string) Clients {
	return Clients{
		CFN: cloudformation.NewFromConfig(session.Config), ASG: autoscaling.NewFromConfig(session.Config),
		ELB: elb.NewFromConfig(session.Config), EC2: ec2.NewFromConfig(session.Config),
		S3:  s3.NewFromConfig(session.Config, func(o *s3.Options) { o.UsePathStyle = session.PathStyle }),
		SSM: ssm.NewFromConfig(session.Config), Region: session.Region,
		Bucket: cmp.Or(bucket, "fearless-"+session.Account+"-"+session.Region),
	}
}

// Operator works on the stacks of one environment. Make one for each run.
type Operator struct {
	Clients
	Console     *console.Console
	Application string // which the stacks must belong to, by their tags
	Environment string
	Build       int // number of the pipeline's run; 0: none

	// Look: nothing may be changed. What would have to be mended first is refused.
	Look bool
	// Protected: a stack that is half deleted holds what people may want to keep.
	Protected bool
	// ServiceRole is the role with which CloudFormation works on a stack; blank, or nil:
	// the caller's own rights.
	ServiceRole func(stack string) string

	Roles []Role // of the stack of servers
	Logs  string // prefix in the bucket of the servers' logs, as environment.File.Logs

	// Ledger, and who writes into it. Without a Begin nothing is written.
	Ledger *ledger.Ledger
	By     ledger.By

	entry   entry
	waiting *console.Progress
}

// wait is the one line that tells what a run waits for.
func (o *Operator) wait(format string, args ...any) {
	if o.waiting == nil {
		o.waiting = o.Console.Progress("CloudFormation")
	}
	o.waiting.Update(format, args...)
}

func (o *Operator) serviceRole(stack string) string {
	if o.ServiceRole == nil {
		return ""
	}
	return o.ServiceRole(stack)
}

// Release is what a run brings to the servers.
type Release struct {
	Image string         // that every server is to run at the end
	What  string         // for people: "the release of image ami-1 to staging"
	Sizes map[string]int // servers to start with, by role
}

// unable gives an error the exit code of what could not be done, unless it has its own.
func unable(err error) error {
	if err == nil || exit.CodeOf(err) != exit.Unable {
		return err
	}
	return exit.Unablef("%w", err)
}
