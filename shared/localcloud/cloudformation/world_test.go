package cloudformation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"bitbucket.org/fearless/pipes/shared/localcloud/cloudformation"
	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire/alone"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// things are fake resources of a few types, which tests can let fail.
type things struct {
	mu      sync.Mutex
	made    int
	exist   map[string]thing // by physical id
	fail    map[string]error // "create Logical", "update Logical", "delete Logical"
	delay   time.Duration    // until stable
	ready   map[string]time.Time
	calls   []string
	highest int // how many have existed at once
}

type thing struct {
	Logical    string
	Properties map[string]any
	Version    int
}

const (
	plain    = "Test::Plain::Thing" // Kind replaces
	frozen   = "Test::Plain::Frozen"
	instance = "AWS::EC2::Instance"
	group    = "AWS::AutoScaling::AutoScalingGroup"
	role     = "AWS::IAM::Role"
)

func (w *things) types() []resource.Type {
	var all []resource.Type
	for _, name := range []string{plain, frozen, instance, role} {
		t := resource.Type{
			Name: name, Properties: []string{"Name", "Kind", "Uses", "Tags", "RoleName"}, Immutable: []string{"Kind"},
			Attributes: []string{"Arn", "Version"}, Create: w.create, Update: w.update, Delete: w.delete, Stable: w.stable,
		}
		if name == frozen {
			t.Update = nil
		}
		all = append(all, t)
	}
	return all
}

func (w *things) create(r resource.Request) (resource.Made, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made++
	id := fmt.Sprintf("%s-%d", strings.ToLower(r.LogicalID), w.made)
	w.calls = append(w.calls, "create "+r.LogicalID)
	if err := w.fail["create "+r.LogicalID]; err != nil {
		return resource.Made{}, err
	}
	w.exist[id] = thing{r.LogicalID, r.Properties, 1}
	w.highest = max(w.highest, len(w.exist))
	w.ready[id] = time.Now().Add(w.delay)
	return made(id, 1), nil
}

func made(id string, version int) resource.Made {
	return resource.Made{Physical: id, Attributes: map[string]any{"Arn": "arn:thing:" + id, "Version": fmt.Sprint(version)}}
}

func (w *things) update(r resource.Request, _ resource.Properties, id string) (resource.Made, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, "update "+r.LogicalID)
	t, ok := w.exist[id]
	if !ok {
		return resource.Made{}, errors.New("there is no " + id)
	}
	// A failing update has happened: that is what makes rollbacks hard.
	t.Properties, t.Version = r.Properties, t.Version+1
	w.exist[id] = t
	w.ready[id] = time.Now().Add(w.delay)
	if err := w.fail["update "+r.LogicalID]; err != nil {
		return resource.Made{}, err
	}
	return made(id, t.Version), nil
}

func (w *things) delete(id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.exist[id]
	w.calls = append(w.calls, "delete "+t.Logical)
	if err := w.fail["delete "+t.Logical]; err != nil {
		return err
	}
	for other, o := range w.exist {
		if text, _ := json.Marshal(o.Properties); other != id && strings.Contains(string(text), `"`+id+`"`) {
			return wire.Errorf("DependencyViolation", "resource %s has a dependent object %s", id, other)
		}
	}
	delete(w.exist, id)
	w.ready[id] = time.Now().Add(w.delay)
	return nil
}

func (w *things) stable(id string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.exist[id]
	if time.Now().Before(w.ready[id]) {
		return false, nil
	}
	return true, w.fail["stable "+t.Logical]
}

// snapshot is what exists, without versions, which a rollback cannot set back.
func (w *things) snapshot() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string]string{}
	for id, t := range w.exist {
		text, _ := json.Marshal(t.Properties)
		all[id] = t.Logical + " " + string(text)
	}
	return all
}

func (w *things) refuse(what string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		delete(w.fail, what)
		return
	}
	w.fail[what] = err
}

// desk is a service, its SDK client, and what is around.
type desk struct {
	t          *testing.T
	service    *cloudformation.Service
	client     *cfn.Client
	things     *things
	fleet      *fleet
	parameters map[string]string
	objects    map[string]string
}

// simulate runs a story in simulated time.
func simulate(t *testing.T, story func(t *testing.T, d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		defer d.service.Close()
		story(t, d)
	})
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{
		t:          t,
		things:     &things{exist: map[string]thing{}, fail: map[string]error{}, delay: 10 * time.Second, ready: map[string]time.Time{}},
		parameters: map[string]string{"/image": "ami-stored"}, objects: map[string]string{},
	}
	w := world.New("111122223333", "us-east-1", world.CloudLike(), 0)
	d.fleet = newFleet(d)
	d.service = cloudformation.New(w, cloudformation.Surroundings{
		Parameter: func(name string) (string, bool) { v, ok := d.parameters[name]; return v, ok },
		Secret:    func(id string) (string, bool) { return `{"user": "app", "password": "s3cret"}`, id == "database" },
		Object:    func(bucket, key string) ([]byte, bool) { v, ok := d.objects[bucket+"/"+key]; return []byte(v), ok },
		Takes:     func(role string) bool { return role == "arn:aws:iam::111122223333:role/stacks" },
		Endpoint:  func() string { return "http://cloud.test" },
		Zones:     []string{"us-east-1a", "us-east-1b"},
		Groups:    d.fleet,
	}, append(d.things.types(), d.fleet.groupType())...)
	d.client = cfn.NewFromConfig(alone.Config(d.service.Wire()))
	return d
}

// document is a template as tests write it.
type document map[string]any

func (d document) String() string {
	text, err := json.Marshal(d)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func stackOf(resources map[string]any) document { return document{"Resources": resources} }

func res(kind string, properties map[string]any, more ...any) map[string]any {
	r := map[string]any{"Type": kind, "Properties": properties}
	for n := 0; n < len(more); n += 2 {
		r[more[n].(string)] = more[n+1]
	}
	return r
}

type object = map[string]any

// propose makes a change set and waits for it.
func (d *desk) propose(doc document, kind types.ChangeSetType, options ...func(*cfn.CreateChangeSetInput)) *cfn.DescribeChangeSetOutput {
	d.t.Helper()
	in := &cfn.CreateChangeSetInput{
		StackName: aws.String("shop"), ChangeSetName: aws.String(fmt.Sprintf("c%d", time.Now().UnixNano())), ChangeSetType: kind,
		Capabilities: []types.Capability{types.CapabilityCapabilityIam},
	}
	if doc != nil {
		in.TemplateBody = aws.String(doc.String())
	}
	for _, o := range options {
		o(in)
	}
	out, err := d.client.CreateChangeSet(d.t.Context(), in)
	if err != nil {
		d.t.Fatal(err)
	}
	for {
		c, err := d.client.DescribeChangeSet(d.t.Context(), &cfn.DescribeChangeSetInput{ChangeSetName: out.Id, IncludePropertyValues: aws.Bool(true)})
		if err != nil {
			d.t.Fatal(err)
		}
		if c.Status == types.ChangeSetStatusCreateComplete || c.Status == types.ChangeSetStatusFailed {
			return c
		}
		pass(time.Second)
	}
}

func (d *desk) execute(c *cfn.DescribeChangeSetOutput, token string) {
	d.t.Helper()
	in := &cfn.ExecuteChangeSetInput{ChangeSetName: c.ChangeSetId, DisableRollback: aws.Bool(false)}
	if token != "" {
		in.ClientRequestToken = aws.String(token)
	}
	if _, err := d.client.ExecuteChangeSet(d.t.Context(), in); err != nil {
		d.t.Fatal(err)
	}
}

// deploy creates or updates the stack and waits for the end.
func (d *desk) deploy(doc document, options ...func(*cfn.CreateChangeSetInput)) string {
	d.t.Helper()
	d.begin(doc, options...)
	return d.settled()
}

// begin starts a create or update.
func (d *desk) begin(doc document, options ...func(*cfn.CreateChangeSetInput)) {
	d.t.Helper()
	kind := types.ChangeSetTypeUpdate
	if _, err := d.client.DescribeStacks(d.t.Context(), &cfn.DescribeStacksInput{StackName: aws.String("shop")}); err != nil {
		kind = types.ChangeSetTypeCreate
	}
	d.execute(d.propose(doc, kind, options...), "")
}

func (d *desk) status() string {
	all := d.service.Stacks()
	return all[len(all)-1].Status
}

// settled waits until nothing is in progress.
func (d *desk) settled() string {
	d.t.Helper()
	for range 40_000 {
		if !strings.HasSuffix(d.status(), "_IN_PROGRESS") {
			return d.status()
		}
		pass(time.Second)
	}
	d.t.Fatalf("still %s", d.status())
	return ""
}

// reach waits for a state of the stack.
func (d *desk) reach(status string) {
	d.t.Helper()
	for range 40_000 {
		if d.status() == status {
			return
		}
		pass(100 * time.Millisecond)
	}
	d.t.Fatalf("is %s, not %s", d.status(), status)
}

func (d *desk) want(status string) {
	d.t.Helper()
	if got := d.settled(); got != status {
		for _, e := range d.events() {
			d.t.Log(e)
		}
		d.t.Fatalf("ended as %s, not %s", got, status)
	}
}

// pass lets time pass.
func pass(t time.Duration) {
	<-time.After(t)
	synctest.Wait()
}

// events are the stack's events in short.
func (d *desk) events() []string {
	all := d.service.Stacks()
	var lines []string
	for _, e := range d.service.Events(all[len(all)-1].ID) {
		line := e.Logical + " " + e.Status
		if e.Reason != "" {
			line += ": " + e.Reason
		}
		lines = append(lines, line)
	}
	return lines
}

func (d *desk) happened(line string) bool { return slices.Contains(d.events(), line) }

// states are the states the stack went through.
func (d *desk) states() []string {
	var states []string
	for _, line := range d.events() {
		if rest, ok := strings.CutPrefix(line, "shop "); ok {
			status, _, _ := strings.Cut(rest, ":")
			states = append(states, status)
		}
	}
	return states
}

func wantCode(t *testing.T, err error, code, text string) {
	t.Helper()
	var ae smithy.APIError
	if !errors.As(err, &ae) || ae.ErrorCode() != code || !strings.Contains(ae.ErrorMessage(), text) {
		t.Errorf("the error is %v, not %s with %q", err, code, text)
	}
}

func parameter(name, value string) func(*cfn.CreateChangeSetInput) {
	return func(in *cfn.CreateChangeSetInput) {
		in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: aws.String(name), ParameterValue: aws.String(value)})
	}
}

func soak(minutes int32, alarms ...string) func(*cfn.CreateChangeSetInput) {
	return func(in *cfn.CreateChangeSetInput) {
		in.RollbackConfiguration = &types.RollbackConfiguration{MonitoringTimeInMinutes: aws.Int32(minutes), RollbackTriggers: []types.RollbackTrigger{}}
		for _, a := range alarms {
			in.RollbackConfiguration.RollbackTriggers = append(in.RollbackConfiguration.RollbackTriggers,
				types.RollbackTrigger{Arn: aws.String(a), Type: aws.String("AWS::CloudWatch::Alarm")})
		}
	}
}

func (d *desk) signal(logical, id string, status types.ResourceSignalStatus) error {
	_, err := d.client.SignalResource(d.t.Context(), &cfn.SignalResourceInput{
		StackName: aws.String("shop"), LogicalResourceId: aws.String(logical), UniqueId: aws.String(id), Status: status,
	})
	return err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
