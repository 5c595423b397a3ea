package cloudformation

import (
	"errors"
	"maps"
	"slices"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

const replacing = "Requested update requires the creation of a new physical resource; hence creating one."

// apply makes one resource what the template says.
func (r *run) apply(i *item, p pause) error {
	var before *live
	if r.from != nil {
		before = r.from.resources[i.logical]
	}
	if before == nil {
		return r.create(i, p)
	}
	if !r.touched(before, i) {
		r.carry(before, i)
		return nil
	}
	properties, err := r.resolve(i)
	if err != nil {
		r.say(i, before.physical, updateInProgress, "")
		return r.failed(i, before.physical, "update", err)
	}
	t := r.s.types[i.typeName]
	changed := changedProperties(before.properties, properties)
	retagged := taggable(t) && !maps.Equal(before.tags, r.to.tags)
	switch {
	case len(changed) == 0 && (!retagged || t.Update == nil):
		r.carry(before, i)
		return nil
	case replaces(t, i, changed):
		return r.replace(before, i, properties, p)
	default:
		return r.update(before, i, properties, p)
	}
}

// touched tells whether an update has to look at a resource at all: its
// definition or the stack's tags changed, or something it refers to did.
func (r *run) touched(before *live, i *item) bool {
	if !equal(before.item.properties, i.properties) || !maps.Equal(before.tags, r.to.tags) {
		return true
	}
	return slices.ContainsFunc(i.refers, func(ref reference) bool { return r.effects[ref.logical] != nil })
}

// carry keeps a resource under its new definition.
func (r *run) carry(before *live, i *item) {
	kept := *before
	kept.item, kept.tags = i, r.to.tags
	r.now[i.logical] = &kept
}

// replaces tells whether a change needs a new physical resource.
func replaces(t resource.Type, i *item, changed []string) bool {
	if t.Update == nil {
		return true
	}
	return slices.ContainsFunc(changed, func(name string) bool {
		return slices.Contains(t.Immutable, name) || i.update.replace && slices.Contains(policyTriggers, name)
	})
}

// policyTriggers are the properties of a group whose change makes its update
// policy act.
var policyTriggers = []string{"LaunchTemplate", "VPCZoneIdentifier"}

func changedProperties(before, after map[string]any) []string {
	var changed []string
	for name, value := range after {
		if old, ok := before[name]; !ok || !equal(old, value) {
			changed = append(changed, name)
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return changed
}

func (r *run) create(i *item, p pause) error {
	r.say(i, "", createInProgress, "")
	properties, err := r.resolve(i)
	if err != nil {
		return r.failed(i, "", "create", err)
	}
	e := &effect{}
	l, err := r.make(i, properties, createInProgress, e, p)
	if err != nil {
		return r.failed(i, physicalOf(e.after), "create", err)
	}
	r.say(i, l.physical, createComplete, "")
	return nil
}

// replace makes a second resource; the first is removed when all has gone
// well.
func (r *run) replace(before *live, i *item, properties resource.Properties, p pause) error {
	r.say(i, before.physical, updateInProgress, replacing)
	e := &effect{before: before, replaced: true}
	r.effects[i.logical] = e
	l, err := r.make(i, properties, updateInProgress, e, p)
	if err != nil {
		return r.failed(i, physicalOf(e.after), "update", err)
	}
	r.say(i, l.physical, updateComplete, "")
	return nil
}

// make creates a physical resource and waits for it and its signals. What was
// made is in the effect from the first moment on, so that it can be undone.
func (r *run) make(i *item, properties resource.Properties, status string, e *effect, p pause) (*live, error) {
	t := r.s.types[i.typeName]
	if i.creation != nil {
		r.listen(i)
		defer r.stopListening(i)
	}
	made, err := t.Create(r.request(i, properties, r.to.tags))
	if made.Physical == "" && err == nil {
		err = errors.New("the resource was made without a physical id")
	}
	if made.Physical != "" {
		e.after = &live{item: i, physical: made.Physical, properties: properties, attributes: made.Attributes, tags: r.to.tags}
		r.now[i.logical], r.effects[i.logical] = e.after, e
	}
	if err != nil {
		return nil, err
	}
	r.say(i, made.Physical, status, "Resource creation Initiated")
	if err := stable(t, made.Physical, p); err != nil {
		return nil, err
	}
	if i.creation != nil {
		if err := r.awaitCreation(i, p); err != nil {
			return nil, err
		}
	}
	return e.after, nil
}

// update changes a resource in place.
func (r *run) update(before *live, i *item, properties resource.Properties, p pause) error {
	r.say(i, before.physical, updateInProgress, "")
	e := &effect{before: before, after: &live{item: i, physical: before.physical, properties: properties, attributes: before.attributes, tags: r.to.tags}}
	r.effects[i.logical] = e
	if err := r.change(before.properties, e.after, p); err != nil {
		return r.failed(i, before.physical, "update", err)
	}
	r.now[i.logical] = e.after
	r.say(i, before.physical, updateComplete, "")
	return nil
}

// change makes a physical resource what l says, and rolls a group's servers
// if its policy says so.
func (r *run) change(old resource.Properties, l *live, p pause) error {
	if err := r.s.refused("update", l.item.logical); err != nil {
		return err
	}
	t := r.s.types[l.item.typeName]
	made, err := t.Update(r.request(l.item, l.properties, l.tags), old, l.physical)
	if err != nil {
		return err
	}
	if made.Attributes != nil {
		l.attributes = made.Attributes
	}
	if err := stable(t, l.physical, p); err != nil {
		return err
	}
	if l.item.update.rolling == nil || l.item.update.replace || r.s.around.Groups == nil {
		return nil
	}
	return r.roll(old, l, p)
}

// stable waits until a resource is what it was asked to be.
func stable(t resource.Type, physical string, p pause) error {
	for t.Stable != nil {
		done, err := t.Stable(physical)
		if done || err != nil {
			return err
		}
		if err := p(); err != nil {
			return err
		}
	}
	return nil
}

// failed records that a resource could not be made or changed.
func (r *run) failed(i *item, physical, verb string, err error) error {
	status, reason := createFailed, message(err)
	if verb == "update" {
		status = updateFailed
	}
	if errors.Is(err, errStopped) {
		reason = creationCancelled
		if verb == "update" {
			reason = updateCancelled
		}
	}
	r.failures = append(r.failures, failure{verb, i.logical})
	r.say(i, physical, status, reason)
	return err
}

func physicalOf(l *live) string {
	if l == nil {
		return ""
	}
	return l.physical
}
