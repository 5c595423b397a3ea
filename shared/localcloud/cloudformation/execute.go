package cloudformation

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// done is an answer without fields; the SDK looks for its element.
type done struct{}

type executeInput struct {
	stack, name, token string
	rollback           string // DisableRollback as sent
}

func decodeExecute(p *wire.Params) executeInput {
	return executeInput{
		stack: p.String("StackName"), name: p.Need("ChangeSetName"), token: token(p, "ClientRequestToken"),
		rollback: p.OneOf("DisableRollback", "", "true", "false"),
	}
}

// executeChangeSet starts a create or update. All other change sets of the
// stack are gone from then on.
func (s *Service) executeChangeSet(_ context.Context, _ *wire.Call, in executeInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, c, err := s.changeSet(in.stack, in.name)
	if err != nil {
		return nil, err
	}
	if again, err := s.spend(st, in.token, "execute "+c.id); again || err != nil {
		return done{}, err
	}
	status, execution := c.status()
	if execution != "AVAILABLE" {
		return nil, wire.Errorf("InvalidChangeSetStatus", "ChangeSet [%s] cannot be executed in its current status of [%s]", c.id, status)
	}
	if st.status != reviewInProgress {
		if err := updatable(st); err != nil {
			return nil, err
		}
	}
	if in.rollback != "" && c.onFailure != "" {
		return nil, invalid("DisableRollback cannot be specified for a change set that was created with OnStackFailure")
	}
	s.keep(st, in.token, "execute "+c.id)
	c.execution = "EXECUTE_IN_PROGRESS"
	st.sets = []*changeSet{c}
	st.changeSet, st.role, st.monitoring = c.id, c.plan.role, c.plan.watch
	r := s.newRun(st, c.plan, in.token)
	r.set = c
	r.keep = in.rollback == "true" || c.onFailure == "DO_NOTHING"
	st.noRollback = r.keep
	if r.from == nil {
		s.turn(st, createInProgress, "User Initiated", in.token)
	} else {
		st.updated = time.Now()
		s.turn(st, updateInProgress, "User Initiated", in.token)
	}
	s.start(r.deploy)
	return done{}, nil
}

// spend looks at a request token: the same request again is answered without
// being done again, another request may not use it. The lock is held.
func (s *Service) spend(st *stack, token, request string) (again bool, err error) {
	done, used := s.tokens[st.id+" "+token]
	switch {
	case token == "" || !used:
		return false, nil
	case done == request:
		return true, nil
	}
	return false, wire.Errorf("TokenAlreadyExistsException", "A client request token already exists: %s", token)
}

// keep remembers a request token once its request has been accepted. The lock
// is held.
func (s *Service) keep(st *stack, token, request string) {
	if token != "" {
		s.tokens[st.id+" "+token] = request
	}
}

type deleteInput struct {
	stack, token, role string
	retain             []string
	force              bool
}

func decodeDelete(p *wire.Params) deleteInput {
	return deleteInput{
		stack: p.Need("StackName"), role: p.String("RoleARN"), token: token(p, "ClientRequestToken"), retain: p.Strings("RetainResources"),
		force: p.OneOf("DeletionMode", "STANDARD", "FORCE_DELETE_STACK") == "FORCE_DELETE_STACK",
	}
}

// deleteStack starts a delete. That a stack is not there, or is going already,
// is no error.
func (s *Service) deleteStack(_ context.Context, _ *wire.Call, in deleteInput) (any, error) {
	if err := s.takes(in.role); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(in.stack)
	if st == nil || st.status == deleteComplete || st.status == deleteInProgress {
		return done{}, nil
	}
	if again, err := s.spend(st, in.token, "delete"); again || err != nil {
		return done{}, err
	}
	switch {
	case st.protected:
		return nil, invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", st.name)
	case (in.retain != nil || in.force) && st.status != deleteFailed:
		return nil, invalid("Invalid operation on stack [%s]. Resources can be retained only when the stack is in DELETE_FAILED state.", st.id)
	case st.status == createInProgress:
		s.keep(st, in.token, "delete")
		st.current.abandoned, st.current.cancelToken = true, in.token
		st.nudge()
		return done{}, nil
	case st.busy():
		return nil, invalid("Stack [%s] cannot be deleted while in status %s", st.id, st.status)
	}
	s.keep(st, in.token, "delete")
	if users := s.usersOf(st); users != "" {
		s.turn(st, st.status, users, in.token)
		return done{}, nil
	}
	plan := cmp.Or(st.shown(), &blueprint{})
	var leftovers []*live
	last := st.current
	r := s.newRun(st, plan, in.token)
	if last != nil {
		leftovers, r.now = last.strays(), maps.Clone(last.now)
	}
	r.leftovers = leftovers
	s.turn(st, deleteInProgress, "User Initiated", in.token)
	s.start(func() { r.delete(in.retain, in.force) })
	return done{}, nil
}

// usersOf says which export of a stack is in use. The lock is held.
func (s *Service) usersOf(st *stack) string {
	for _, name := range slices.Sorted(maps.Keys(s.exports)) {
		users := slices.DeleteFunc(s.importers(name), func(other string) bool { return other == st.name })
		if s.exports[name].stack == st && len(users) > 0 {
			return "Export " + name + " cannot be deleted as it is in use by " + strings.Join(users, " and ")
		}
	}
	return ""
}

type cancelInput struct{ stack, token string }

func decodeCancel(p *wire.Params) cancelInput {
	return cancelInput{stack: p.Need("StackName"), token: token(p, "ClientRequestToken")}
}

// cancelUpdateStack rolls an update back, also while it is only watched.
func (s *Service) cancelUpdateStack(_ context.Context, _ *wire.Call, in cancelInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.need(in.stack)
	if err != nil {
		return nil, err
	}
	if again, err := s.spend(st, in.token, "cancel"); again || err != nil {
		return done{}, err
	}
	if st.status != updateInProgress || st.current == nil {
		return nil, invalid("CancelUpdateStack cannot be called from current stack status")
	}
	s.keep(st, in.token, "cancel")
	st.current.cancelled, st.current.cancelToken = true, in.token
	st.nudge()
	return done{}, nil
}

type continueInput struct {
	stack, token string
	skip         []string
}

func decodeContinue(p *wire.Params) continueInput {
	p.String("RoleARN")
	return continueInput{stack: p.Need("StackName"), token: token(p, "ClientRequestToken"), skip: p.Strings("ResourcesToSkip")}
}

// continueUpdateRollback goes on with a rollback that failed.
func (s *Service) continueUpdateRollback(_ context.Context, _ *wire.Call, in continueInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.need(in.stack)
	if err != nil {
		return nil, err
	}
	if again, err := s.spend(st, in.token, "continue"); again || err != nil {
		return done{}, err
	}
	if st.status != updateRollbackFailed || st.current == nil {
		return nil, invalid("Stack:%s is in %s state and can not continue update rollback.", st.id, st.status)
	}
	for _, name := range in.skip {
		if w := st.rows[name]; w == nil || w.status != updateFailed {
			return nil, invalid("Resource [%s] cannot be skipped: it is not in UPDATE_FAILED state.", name)
		}
	}
	s.keep(st, in.token, "continue")
	r := st.current
	r.token = in.token
	s.turn(st, updateRollbackInProgress, "User Initiated", in.token)
	s.start(func() { r.rollbackUpdate(in.skip) })
	return done{}, nil
}

type protectionInput struct {
	stack string
	on    bool
}

func decodeProtection(p *wire.Params) protectionInput {
	p.Need("EnableTerminationProtection")
	return protectionInput{stack: p.Need("StackName"), on: p.Bool("EnableTerminationProtection", false)}
}

func (s *Service) updateTerminationProtection(_ context.Context, _ *wire.Call, in protectionInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.need(in.stack)
	if err != nil {
		return nil, err
	}
	st.protected = in.on
	return struct {
		StackID string `xml:"StackId"`
	}{st.id}, nil
}
