package cloudformation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

// run is one operation of a stack from its request to its end, in a goroutine
// of its own.
type run struct {
	s     *Service
	st    *stack
	from  *deployment // what there was; nil when the stack is created
	to    *blueprint
	token string
	keep  bool // no rollback
	set   *changeSet
	wake  chan struct{}

	vanish bool // a create that fails leaves no stack behind

	// What others ask for; guarded by the service's lock.
	cancelled   bool
	cancelToken string
	abandoned   bool       // deleted while it was created
	shown       *blueprint // whose parameters the stack shows meanwhile

	now      map[string]*live   // what logical ids mean at the moment
	effects  map[string]*effect // what was done about them
	failures []failure
	outputs  []outputValue

	leftovers []*live // of an earlier operation, for a delete
}

// effect is what an operation did about one logical id.
type effect struct {
	before   *live // nil: created
	after    *live // nil: a replacement that could not be made
	replaced bool
	restored bool // by the rollback
}

type failure struct{ verb, logical string }

// newRun prepares an operation. The lock is held.
func (s *Service) newRun(st *stack, to *blueprint, token string) *run {
	r := &run{
		s: s, st: st, from: st.live, to: to, token: token, wake: make(chan struct{}, 1), shown: to,
		now: map[string]*live{}, effects: map[string]*effect{},
	}
	if st.live != nil {
		maps.Copy(r.now, st.live.resources)
	}
	st.current = r
	return r
}

// tick lets time pass.
func (r *run) tick() error {
	timer := time.NewTimer(r.s.poll())
	defer timer.Stop()
	select {
	case <-r.s.closing:
		return errClosed
	case <-r.wake:
	case <-timer.C:
	}
	return nil
}

// deploy creates or updates the stack, and undoes it when that fails.
func (r *run) deploy() {
	err := r.forward()
	if err == nil {
		r.settle()
		return
	}
	if errors.Is(err, errClosed) {
		return
	}
	r.executed("EXECUTE_FAILED")
	r.s.mu.Lock()
	abandoned := r.abandoned
	if r.cancelToken != "" {
		r.token = r.cancelToken
	}
	r.s.mu.Unlock()
	switch {
	case abandoned:
		r.turn(deleteInProgress, "User Initiated")
		r.delete(nil, false)
	case r.keep:
		r.publish()
		r.turn(r.pick(createFailed, updateFailed), r.reason(err))
	case r.vanish:
		r.turn(deleteInProgress, r.reason(err)+"Delete requested by user.")
		r.delete(nil, false)
	case r.from == nil:
		r.rollbackCreate(r.reason(err))
	default:
		r.turnBack(r.reason(err))
		r.rollbackUpdate(nil)
	}
}

// forward makes everything as the template says and watches it for the
// monitoring time.
func (r *run) forward() error {
	if err := r.interrupted(); err != nil {
		return err
	}
	var jobs []*job
	for _, name := range r.to.order {
		i := r.to.items[name]
		jobs = append(jobs, &job{name: name, after: i.after, work: func(p pause) error { return r.apply(i, p) }})
	}
	if err := r.perform(jobs, stopOthers, r.interrupted); err != nil {
		return err
	}
	if err := r.workOutOutputs(); err != nil {
		return err
	}
	return r.monitor()
}

// monitor waits with the old resources still there.
func (r *run) monitor() error {
	end := time.Now().Add(time.Duration(r.to.watch.minutes) * time.Minute)
	for {
		if err := r.interrupted(); err != nil {
			return err
		}
		if !time.Now().Before(end) {
			return nil
		}
		if err := r.tick(); err != nil {
			return err
		}
	}
}

// interrupted is the reason to end a create or update that is going well.
func (r *run) interrupted() error {
	select {
	case <-r.s.closing:
		return errClosed
	default:
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.abandoned || r.cancelled {
		return errors.New(stackCancelled)
	}
	for _, t := range r.to.watch.alarms {
		switch state, exists := r.s.alarms[t.arn]; {
		case !exists:
			return fmt.Errorf("Rollback trigger %s does not exist.", t.arn) //nolint:staticcheck // as AWS writes
		case state == "ALARM":
			return fmt.Errorf("Rollback trigger %s went to ALARM.", t.arn) //nolint:staticcheck // as AWS writes
		}
	}
	return nil
}

// reason says why the operation is undone: which resources failed, else what
// interrupted it.
func (r *run) reason(err error) string {
	var parts []string
	for _, verb := range []string{"create", "update"} {
		var names []string
		for _, f := range r.failures {
			if f.verb == verb && !slices.Contains(names, f.logical) {
				names = append(names, f.logical)
			}
		}
		if names != nil {
			parts = append(parts, fmt.Sprintf("The following resource(s) failed to %s: [%s]. ", verb, strings.Join(names, ", ")))
		}
	}
	text := strings.Join(parts, "")
	if interrupted := r.interrupted(); interrupted != nil && !errors.Is(interrupted, errClosed) {
		text = interrupted.Error()
	}
	if text == "" {
		text = err.Error()
	}
	return text
}

// pick is the state for a create, or the one for an update.
func (r *run) pick(create, update string) string {
	if r.from == nil {
		return create
	}
	return update
}

// say records what happened to a resource, as event and as its row.
func (r *run) say(i *item, physical, status, reason string) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	w := row{logical: i.logical, physical: physical, typeName: i.typeName, status: status, reason: reason, at: time.Now()}
	r.st.rows[i.logical] = &w
	r.s.record(r.st, w, r.token)
}

// note records what happened to a physical resource that its logical id does
// not mean any more.
func (r *run) note(i *item, physical, status, reason string) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.record(r.st, row{logical: i.logical, physical: physical, typeName: i.typeName, status: status, reason: reason}, r.token)
}

// turn changes the stack's state.
func (r *run) turn(status, reason string) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.turn(r.st, status, reason, r.token)
}

// turnBack starts a rollback: the stack is described as it was again.
func (r *run) turnBack(reason string) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.shown = r.from.plan
	r.st.monitoring, r.st.role = r.from.plan.watch, r.from.plan.role
	r.s.turn(r.st, updateRollbackInProgress, reason, r.token)
}

// executed says how the execution of the change set ended.
func (r *run) executed(status string) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.set != nil {
		r.set.execution = status
	}
}

// publish makes what is there now the stack's.
func (r *run) publish() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	d := &deployment{plan: r.to, resources: r.now, outputs: r.outputs}
	if r.st.live != nil && r.outputs == nil {
		d.outputs = r.st.live.outputs
	}
	r.st.live = d
	r.s.putExports(r.st, d.outputs)
}

// request is a resource as its service is told of it.
func (r *run) request(i *item, properties resource.Properties, tags map[string]string) resource.Request {
	all := maps.Clone(tags)
	if all == nil {
		all = map[string]string{}
	}
	all["aws:cloudformation:stack-name"] = r.st.name
	all["aws:cloudformation:stack-id"] = r.st.id
	all["aws:cloudformation:logical-id"] = i.logical
	return resource.Request{Stack: r.st.name, StackID: r.st.id, LogicalID: i.logical, Properties: properties, Tags: all}
}

// resolve works out a resource's properties; what it refers to exists.
func (r *run) resolve(i *item) (resource.Properties, error) {
	scope := r.s.scope(r.to, r.lookup)
	scope.dynamic = r.s.resolveDynamic
	value, err := scope.eval(i.properties)
	if err != nil {
		return nil, errors.New(message(err))
	}
	properties := resource.Properties(value.(map[string]any))
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if !slices.Contains(r.s.types[i.typeName].Properties, name) {
			return nil, fmt.Errorf("Encountered unsupported property %s", name) //nolint:staticcheck // AWS's text
		}
	}
	return properties, nil
}

// lookup is the value of a Ref or Fn::GetAtt.
func (r *run) lookup(ref reference) (any, error) {
	l := r.now[ref.logical]
	if l == nil {
		return nil, fmt.Errorf("Unresolved resource dependencies [%s]", ref.logical) //nolint:staticcheck // AWS's text
	}
	if ref.attribute == "" {
		return l.physical, nil
	}
	value, ok := l.attributes[ref.attribute]
	if !ok {
		return nil, fmt.Errorf("Unable to retrieve %s attribute for %s resource", ref.attribute, l.item.typeName) //nolint:staticcheck // AWS's text
	}
	return value, nil
}
