package cloudformation

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

const noChanges = "The submitted information didn't contain changes. Submit different information to create a change set."

// changeSet is a proposed state of a stack.
type changeSet struct {
	id, name, kind string
	description    string
	onFailure      string
	token          string
	made, ready    time.Time
	plan           *blueprint
	changes        []change
	reason         string // why it failed; "" when it can be executed
	execution      string // "" until it is executed
	ordinal        int64
}

// status are the change set's two states.
func (c *changeSet) status() (status, execution string) {
	now := time.Now()
	switch {
	case now.Before(c.made.Add(c.ready.Sub(c.made) / 2)):
		return "CREATE_PENDING", "UNAVAILABLE"
	case now.Before(c.ready):
		return createInProgress, "UNAVAILABLE"
	case c.reason != "":
		return "FAILED", "UNAVAILABLE"
	case c.execution != "":
		return createComplete, c.execution
	}
	return createComplete, "AVAILABLE"
}

type createInput struct {
	stack, name, kind, description, token, role, onFailure string

	body, url    string
	previous     bool
	parameters   []given
	capabilities []string
	tags         map[string]string
	minutes      int
	triggers     []trigger
}

var (
	stackNames = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)
	tokens     = regexp.MustCompile(`^[a-zA-Z0-9][-a-zA-Z0-9]{0,127}$`)
)

func decodeCreateChangeSet(p *wire.Params) createInput {
	in := createInput{
		stack: p.Need("StackName"), name: p.Need("ChangeSetName"), kind: p.OneOf("ChangeSetType", "UPDATE", "CREATE"),
		description: p.String("Description"), token: token(p, "ClientToken"), role: p.String("RoleARN"),
		onFailure: p.OneOf("OnStackFailure", "", "ROLLBACK", "DO_NOTHING"),
		body:      p.String("TemplateBody"), url: p.String("TemplateURL"), previous: p.Bool("UsePreviousTemplate", false),
		capabilities: p.Strings("Capabilities"), tags: map[string]string{},
		minutes: p.Int("RollbackConfiguration.MonitoringTimeInMinutes", 0, 180, -1),
	}
	for _, g := range p.Groups("Parameters") {
		in.parameters = append(in.parameters, given{
			key: g.Need("ParameterKey"), value: g.String("ParameterValue"), previous: g.Bool("UsePreviousValue", false),
		})
	}
	for _, g := range p.Groups("Tags") {
		in.tags[g.Need("Key")] = g.String("Value")
	}
	for _, g := range p.Groups("RollbackConfiguration.RollbackTriggers") {
		in.triggers = append(in.triggers, trigger{g.Need("Arn"), g.OneOf("Type", "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")})
	}
	if !stackNames.MatchString(in.stack) && !strings.HasPrefix(in.stack, "arn:") {
		p.Fail(constraint(in.stack, "stackName", "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"))
	}
	if !stackNames.MatchString(in.name) {
		p.Fail(constraint(in.name, "changeSetName", "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"))
	}
	if len(in.triggers) > 5 {
		p.Fail(constraint("…", "rollbackConfiguration.rollbackTriggers", "Member must have length less than or equal to 5"))
	}
	return in
}

func constraint(value, name, rule string) *wire.Error {
	return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s", value, name, rule)
}

// token reads a request token.
func token(p *wire.Params, name string) string {
	text := p.String(name)
	if text != "" && !tokens.MatchString(text) {
		p.Fail(constraint(text, "clientRequestToken", "Member must satisfy regular expression pattern: [a-zA-Z0-9][-a-zA-Z0-9]*"))
	}
	return text
}

type createAnswer struct {
	ID      string `xml:"Id"`
	StackID string `xml:"StackId"`
}

func (s *Service) createChangeSet(_ context.Context, c *wire.Call, in createInput) (any, error) {
	st, from, known, err := s.admit(in)
	if err != nil || known != nil {
		return known, err
	}
	if err := s.takes(in.role); err != nil {
		return nil, err
	}
	t, err := s.template(in, from)
	if err != nil {
		return nil, err
	}
	if err := capable(t, in.capabilities); err != nil {
		return nil, err
	}
	var before map[string]string
	if from != nil {
		before = from.plan.texts
	}
	texts, err := t.fill(in.parameters, before)
	if err != nil {
		return nil, err
	}
	plan, err := s.draw(t, st, texts)
	if err != nil {
		return nil, err
	}
	plan.allowed = in.capabilities
	configure(plan, from, in, c.Operation.Form)
	changes, err := s.compare(from, plan)
	if err != nil {
		return nil, err
	}
	return s.store(st, from, in, plan, changes)
}

// admit finds or makes the stack of a new change set. A request that was
// answered before gets the same answer.
func (s *Service) admit(in createInput) (st *stack, from *deployment, known any, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st = s.find(in.stack); st != nil {
		for _, other := range st.sets {
			switch {
			case other.name != in.name:
			case in.token != "" && other.token == in.token:
				return nil, nil, createAnswer{other.id, st.id}, nil
			default:
				return nil, nil, nil, wire.Errorf("AlreadyExistsException", "ChangeSet %s already exists", in.name)
			}
		}
	}
	switch {
	case st == nil && in.kind == "UPDATE":
		return nil, nil, nil, invalid("Stack [%s] does not exist", in.stack)
	case st == nil:
		id := s.world.ARN("cloudformation", "stack/"+in.stack+"/"+s.world.UUID("stack"))
		return &stack{id: id, name: in.stack, rows: map[string]*row{}, signals: map[string]*signals{}}, nil, nil, nil
	case in.kind == "CREATE" && st.status != reviewInProgress:
		return nil, nil, nil, invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", st.name, in.name)
	case in.kind == "UPDATE":
		return st, st.live, nil, updatable(st)
	}
	return st, nil, nil, nil
}

// takes refuses a service role that is not there, or not for CloudFormation.
// Whether the caller may hand it over is not judged here.
func (s *Service) takes(role string) error {
	if role == "" || s.around.Takes(role) {
		return nil
	}
	return invalid("Role %s is invalid or cannot be assumed", role)
}

// updatable refuses an update in the states that do not allow one.
func updatable(st *stack) error {
	switch st.status {
	case createComplete, updateComplete, updateRollbackComplete:
		return nil
	case createFailed, updateFailed:
		return invalid("This stack is currently in a non-terminal [%s] state. To update the stack from this state, please use the disable-rollback parameter with update-stack API. To rollback to the last known good state, use the rollback-stack API", st.status)
	}
	return invalid("Stack:%s is in %s state and can not be updated.", st.id, st.status)
}

// template finds the text of the new template.
func (s *Service) template(in createInput, from *deployment) (*template, error) {
	given := 0
	for _, is := range []bool{in.body != "", in.url != "", in.previous} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, invalid("Either Template URL or Template Body must be specified.")
	case in.previous && from == nil:
		return nil, invalid("The stack has no previous template.")
	case in.previous:
		return from.plan.template, nil
	case len(in.body) > maxInline:
		return nil, constraint(in.body[:40]+"…", "templateBody", "Member must have length less than or equal to 51200")
	case in.body != "":
		return parseTemplate(in.body, s.types)
	}
	bucket, key, err := s.locate(in.url)
	if err != nil {
		return nil, err
	}
	content, ok := s.around.Object(bucket, key)
	switch {
	case !ok:
		return nil, invalid("S3 error: Access Denied. For more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html")
	case len(content) > maxStored:
		return nil, invalid("Template may not exceed %d bytes in size.", maxStored)
	}
	return parseTemplate(string(content), s.types)
}

// locate reads the URL of a template: https on S3's own hosts, or the
// endpoint of this cloud with the bucket in the path.
func (s *Service) locate(address string) (bucket, key string, err error) {
	bad := invalid("TemplateURL must be a supported URL.")
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", "", bad
	}
	path := strings.TrimPrefix(u.Path, "/")
	host, isAWS := strings.CutSuffix(u.Host, ".amazonaws.com")
	if isAWS {
		if u.Scheme != "https" {
			return "", "", bad
		}
		if bucket, _, virtual := strings.Cut(host, ".s3"); virtual {
			return bucket, path, nil
		}
	} else if endpoint := s.around.Endpoint(); endpoint != "" && !strings.HasPrefix(address, strings.TrimSuffix(endpoint, "/")+"/") {
		return "", "", bad
	}
	bucket, key, ok := strings.Cut(path, "/")
	if !ok {
		return "", "", bad
	}
	return bucket, key, nil
}

// capable refuses a template that makes IAM resources without leave.
func capable(t *template, capabilities []string) error {
	needed := ""
	for _, d := range t.resources {
		if !strings.HasPrefix(d.typeName, "AWS::IAM::") {
			continue
		}
		for _, name := range []string{"RoleName", "InstanceProfileName", "PolicyName", "UserName"} {
			if _, named := d.properties[name]; named {
				needed = "CAPABILITY_NAMED_IAM"
			}
		}
		if needed == "" {
			needed = "CAPABILITY_IAM"
		}
	}
	if needed == "" || slices.Contains(capabilities, needed) || slices.Contains(capabilities, "CAPABILITY_NAMED_IAM") {
		return nil
	}
	return wire.Errorf("InsufficientCapabilitiesException", "Requires capabilities : [%s]", needed)
}

// configure takes over what the request says about the stack, or else what
// was said before.
func configure(plan *blueprint, from *deployment, in createInput, form url.Values) {
	plan.tags, plan.role = in.tags, in.role
	plan.watch = monitoring{minutes: max(in.minutes, 0), alarms: in.triggers}
	if from == nil {
		return
	}
	old := from.plan
	if len(in.tags) == 0 && !form.Has("Tags") {
		plan.tags = old.tags
	}
	if in.role == "" {
		plan.role = old.role
	}
	if in.minutes < 0 {
		plan.watch.minutes = old.watch.minutes
	}
	if in.triggers == nil && !form.Has("RollbackConfiguration.RollbackTriggers") {
		plan.watch.alarms = old.watch.alarms
	}
}

// store keeps the new change set, unless the stack's state changed meanwhile.
func (s *Service) store(st *stack, from *deployment, in createInput, plan *blueprint, changes []change) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if st.live != from {
		return nil, invalid("Stack:%s is in %s state and can not be updated.", st.id, st.status)
	}
	if st.status == "" {
		if s.find(st.name) != nil {
			return nil, wire.Errorf("AlreadyExistsException", "Stack [%s] already exists", st.name)
		}
		st.created = now
		s.stacks = append(s.stacks, st)
		s.turn(st, reviewInProgress, "User Initiated", "")
	}
	c := &changeSet{
		id:   s.world.ARN("cloudformation", "changeSet/"+in.name+"/"+s.world.UUID("change set")),
		name: in.name, kind: in.kind, description: in.description, onFailure: in.onFailure, token: in.token,
		made: now, ready: now.Add(s.planning()), plan: plan, changes: changes, ordinal: s.next(),
	}
	if from != nil && len(changes) == 0 && sameOutputs(from.plan, plan) && maps.Equal(from.plan.tags, plan.tags) {
		c.reason = noChanges
	}
	st.sets = append(st.sets, c)
	return createAnswer{c.id, st.id}, nil
}

// sameOutputs compares what decides about the outputs: their definitions with
// the parameters worked in.
func sameOutputs(a, b *blueprint) bool {
	return equal(a.outputs(), b.outputs())
}

func (b *blueprint) outputs() any {
	all := map[string]any{}
	scope := &scope{parameters: b.parameters, conditions: b.conditions, imported: func(name string) (string, bool) { return name, true }}
	for name, o := range b.template.outputs {
		if o.condition != "" && !b.conditions[o.condition] {
			continue
		}
		// What cannot be worked out fails when the outputs are made.
		value, _ := scope.eval([]any{o.value, o.export, o.description})
		all[name] = value
	}
	return all
}

// contextOf is a change's before or after as JSON, with the properties inside.
func contextOf(properties map[string]any) string {
	if properties == nil {
		return ""
	}
	text, _ := json.Marshal(map[string]any{"Properties": properties})
	return string(text)
}
