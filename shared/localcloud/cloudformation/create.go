package cloudformation

import (
	"context"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

func decodeCreateStack(p *wire.Params) createInput {
	in := createInput{
		stack: p.Need("StackName"), kind: "CREATE", token: token(p, "ClientRequestToken"), role: p.String("RoleARN"),
		onFailure: p.OneOf("OnFailure", "ROLLBACK", "DELETE", "DO_NOTHING"),
		body:      p.String("TemplateBody"), url: p.String("TemplateURL"),
		capabilities: p.Strings("Capabilities"), tags: map[string]string{},
	}
	for _, g := range p.Groups("Parameters") {
		in.parameters = append(in.parameters, given{key: g.Need("ParameterKey"), value: g.String("ParameterValue")})
	}
	for _, g := range p.Groups("Tags") {
		in.tags[g.Need("Key")] = g.String("Value")
	}
	if !stackNames.MatchString(in.stack) {
		p.Fail(constraint(in.stack, "stackName", "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"))
	}
	return in
}

type createStackAnswer struct {
	StackID string `xml:"StackId"`
}

// createStack makes a stack in one call. The same request again, by its token, is
// answered without being done again.
func (s *Service) createStack(_ context.Context, c *wire.Call, in createInput) (any, error) {
	s.mu.Lock()
	known, err := s.created(in)
	s.mu.Unlock()
	if known != nil || err != nil {
		return known, err
	}
	if err := s.takes(in.role); err != nil {
		return nil, err
	}
	t, err := s.template(in, nil)
	if err != nil {
		return nil, err
	}
	if err := capable(t, in.capabilities); err != nil {
		return nil, err
	}
	texts, err := t.fill(in.parameters, nil)
	if err != nil {
		return nil, err
	}
	id := s.world.ARN("cloudformation", "stack/"+in.stack+"/"+s.world.UUID("stack"))
	st := &stack{id: id, name: in.stack, rows: map[string]*row{}, signals: map[string]*signals{}, created: time.Now()}
	plan, err := s.draw(t, st, texts)
	if err != nil {
		return nil, err
	}
	plan.allowed = in.capabilities
	configure(plan, nil, in, c.Operation.Form)
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, err := s.created(in); known != nil || err != nil { // others came first
		return known, err
	}
	s.stacks = append(s.stacks, st)
	s.keep(st, in.token, "create "+in.stack)
	st.role, st.monitoring = plan.role, plan.watch
	r := s.newRun(st, plan, in.token)
	r.keep, r.vanish = in.onFailure == "DO_NOTHING", in.onFailure == "DELETE"
	st.noRollback = r.keep
	s.turn(st, createInProgress, "User Initiated", in.token)
	s.start(r.deploy)
	return createStackAnswer{st.id}, nil
}

// created is the answer to a request that was carried out before, or the error of one for
// a name that is taken.
func (s *Service) created(in createInput) (any, error) {
	st := s.find(in.stack)
	if st == nil {
		return nil, nil
	}
	if in.token != "" && s.tokens[st.id+" "+in.token] == "create "+in.stack {
		return createStackAnswer{st.id}, nil
	}
	return nil, wire.Errorf("AlreadyExistsException", "Stack [%s] already exists", in.stack)
}
