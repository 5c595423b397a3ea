package cloudformation

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// remove deletes resources, those that need others first, and names those
// that could not be deleted. What is retained is left alone.
func (r *run) remove(victims []*live, failure onFailure, retained func(*live) bool) (failed []string, err error) {
	slices.SortFunc(victims, func(a, b *live) int { return strings.Compare(a.item.logical, b.item.logical) })
	var jobs []*job
	for _, l := range victims {
		j := &job{name: l.item.logical, work: func(p pause) error { return r.erase(l, retained(l), p) }}
		for _, other := range victims {
			if slices.Contains(other.item.after, l.item.logical) {
				j.after = append(j.after, other.item.logical)
			}
		}
		jobs = append(jobs, j)
	}
	err = r.perform(jobs, failure, func() error { return nil })
	for _, j := range jobs {
		if j.err != nil {
			failed = append(failed, j.name)
		}
	}
	return failed, err
}

// erase deletes one physical resource.
func (r *run) erase(l *live, retained bool, p pause) error {
	say := r.say
	if now := r.now[l.item.logical]; now == nil || now.physical != l.physical {
		say = r.note
		if now == nil {
			say = r.say
		}
	}
	if retained {
		say(l.item, l.physical, deleteSkipped, "")
		r.forget(l)
		return nil
	}
	say(l.item, l.physical, deleteInProgress, "")
	t := r.s.types[l.item.typeName]
	err := r.s.refused("delete", l.item.logical)
	if err == nil {
		err = t.Delete(l.physical)
	}
	if err == nil {
		err = stable(t, l.physical, p)
	}
	switch {
	case errors.Is(err, errStopped):
		return err
	case err != nil:
		say(l.item, l.physical, deleteFailed, message(err))
		return err
	}
	say(l.item, l.physical, deleteComplete, "")
	r.forget(l)
	return nil
}

// forget takes a resource out of what the stack consists of.
func (r *run) forget(l *live) {
	if now := r.now[l.item.logical]; now != nil && now.physical == l.physical {
		delete(r.now, l.item.logical)
	}
}

// strays are what an operation that was not undone has left besides the
// stack's own resources.
func (r *run) strays() []*live {
	var left []*live
	for name, e := range r.effects {
		for _, l := range []*live{e.before, e.after} {
			if now := r.now[name]; l != nil && (now == nil || now.physical != l.physical) {
				left = append(left, l)
			}
		}
	}
	return left
}

// delete removes the whole stack, which is in DELETE_IN_PROGRESS. Names in retain are left alone, and with
// force also what cannot be deleted.
func (r *run) delete(retain []string, force bool) {
	victims := slices.AppendSeq(slices.Clone(r.leftovers), maps.Values(r.now))
	failure := skipUsers
	if force {
		failure = goOn
	}
	failed, err := r.remove(victims, failure, func(l *live) bool {
		return strings.HasPrefix(l.item.deletion, "Retain") || slices.Contains(retain, l.item.logical)
	})
	if errors.Is(err, errClosed) {
		return
	}
	if failed != nil && !force {
		r.publish()
		r.turn(deleteFailed, undeleted(failed))
		r.finish()
		return
	}
	r.turn(deleteComplete, "")
	r.gone()
}

// gone ends a deleted stack: its exports and change sets go with it.
func (r *run) gone() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.st.last = r.st.shown()
	r.st.deleted, r.st.current, r.st.live, r.st.sets = time.Now(), nil, nil, nil
	for name, e := range r.s.exports {
		if e.stack == r.st {
			delete(r.s.exports, name)
		}
	}
}

// RefuseDelete lets the next deletes of resources with a logical id fail, as they do when
// the service role may not delete them.
func (s *Service) RefuseDelete(logical, reason string, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals["delete "+logical] = &refusal{reason, times}
}

// RefuseUpdate does the same for changes in place, those of a rollback too.
func (s *Service) RefuseUpdate(logical, reason string, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals["update "+logical] = &refusal{reason, times}
}

// refusal is ordered with RefuseDelete or RefuseUpdate.
type refusal struct {
	reason string
	times  int
}

func (s *Service) refused(verb, logical string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	refused := s.refusals[verb+" "+logical]
	if refused == nil || refused.times == 0 {
		return nil
	}
	refused.times--
	return errors.New(refused.reason)
}
