package cloudformation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// settle makes the new state the stack's, and removes what it does not need.
// Nothing can fail any more: what cannot be removed stays behind.
func (r *run) settle() {
	maps.DeleteFunc(r.now, func(name string, _ *live) bool { return r.to.items[name] == nil })
	r.publish()
	r.executed("EXECUTE_COMPLETE")
	if r.from == nil {
		r.turn(createComplete, "")
		r.finish()
		return
	}
	r.turn(updateCleanup, "")
	if err := r.tick(); err != nil { // the state can be seen, also when there is nothing to do
		return
	}
	var victims []*live
	for name, before := range r.from.resources {
		if e := r.effects[name]; e != nil && e.replaced || r.to.items[name] == nil {
			victims = append(victims, before)
		}
	}
	if _, err := r.remove(victims, goOn, r.retainedAfterUpdate); errors.Is(err, errClosed) {
		return
	}
	r.turn(updateComplete, "")
	r.finish()
}

// retainedAfterUpdate: the new template decides about what was replaced, the
// old one about what it had and the new one has not.
func (r *run) retainedAfterUpdate(l *live) bool {
	if i := r.to.items[l.item.logical]; i != nil {
		return i.replaced == "Retain"
	}
	return strings.HasPrefix(l.item.deletion, "Retain")
}

// finish ends the operation.
func (r *run) finish() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for name := range r.st.rows {
		if r.now[name] == nil && r.st.status != rollbackComplete && r.st.status != rollbackFailed {
			delete(r.st.rows, name)
		}
	}
	r.st.current = nil
}

// rollbackCreate removes what a failed create has made.
func (r *run) rollbackCreate(reason string) {
	r.turn(rollbackInProgress, reason+"Rollback requested by user.")
	failed, err := r.remove(slices.Collect(maps.Values(r.now)), skipUsers, func(l *live) bool { return l.item.deletion == "Retain" })
	if errors.Is(err, errClosed) {
		return
	}
	r.outputs = nil
	r.publish()
	if failed == nil {
		r.turn(rollbackComplete, "")
	} else {
		r.turn(rollbackFailed, undeleted(failed))
	}
	r.finish()
}

func undeleted(names []string) string {
	return fmt.Sprintf("The following resource(s) failed to delete: [%s]. ", strings.Join(names, ", "))
}

// rollbackUpdate makes everything what it was, and then removes what is new.
// Resources to skip stay as they are.
func (r *run) rollbackUpdate(skip []string) {
	err := r.restoreAll(skip)
	if errors.Is(err, errClosed) {
		return
	}
	r.to, r.outputs = r.from.plan, nil
	if err != nil {
		r.turn(updateRollbackFailed, r.unrestored())
		return // the operation stays the stack's, to be continued
	}
	r.turn(updateRollbackCleanup, "")
	if err := r.tick(); err != nil {
		return
	}
	var victims []*live
	for _, e := range r.effects {
		if e.after != nil && (e.before == nil || e.replaced) {
			victims = append(victims, e.after)
		}
	}
	if _, err := r.remove(victims, goOn, r.retainedAfterRollback); errors.Is(err, errClosed) {
		return
	}
	maps.DeleteFunc(r.now, func(name string, _ *live) bool { return r.from.resources[name] == nil })
	r.publish()
	r.turn(updateRollbackComplete, "")
	r.finish()
}

// retainedAfterRollback: only what a template newly has can be kept, not a
// second resource that was to replace one.
func (r *run) retainedAfterRollback(l *live) bool {
	return l.item.deletion == "Retain" && r.effects[l.item.logical].before == nil
}

// restoreAll undoes replacements and changes in the order of the old template.
func (r *run) restoreAll(skip []string) error {
	r.failures = nil
	var jobs []*job
	for _, name := range r.from.plan.order {
		before := r.from.resources[name]
		if before == nil {
			continue
		}
		e := r.effects[name]
		if e == nil {
			r.now[name] = before // under its old definition
			continue
		}
		if e.restored {
			continue
		}
		jobs = append(jobs, &job{name: name, after: before.item.after, work: func(p pause) error {
			return r.restore(e, slices.Contains(skip, name), p)
		}})
	}
	return r.perform(jobs, stopOthers, func() error { return nil })
}

func (r *run) restore(e *effect, skip bool, p pause) error {
	before := e.before
	back := *before
	if !e.replaced && !skip {
		r.say(before.item, before.physical, updateInProgress, "")
		back.attributes = e.after.attributes
		if err := r.change(e.after.properties, &back, p); err != nil {
			return r.failed(before.item, before.physical, "update", err)
		}
	}
	e.restored = true
	r.now[before.item.logical] = &back
	r.say(before.item, before.physical, updateComplete, "")
	return nil
}

// unrestored says what the rollback could not undo.
func (r *run) unrestored() string {
	var names []string
	for _, f := range r.failures {
		names = append(names, f.logical)
	}
	return fmt.Sprintf("The following resource(s) failed to update: [%s]. ", strings.Join(names, ", "))
}
