package bake

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

const (
	// youngObjects is the age below which objects without a build server may belong
	// to a run that is about to launch one: the time between the two is seconds.
	youngObjects = 15 * time.Minute

	// youngFailure is the age below which a failed image may still be looked at by
	// the run that made it.
	youngFailure = time.Hour
)

// leftovers is what bakes of an application have lying about, living or dead.
type leftovers struct {
	servers []Server
	objects map[string][]object // by attempt: the prefix below which they lie
	images  []image.Image       // failed ones
	inUse   int
}

// count is the number of things that dead runs left.
func (l *leftovers) count() int {
	n := len(l.servers) + len(l.images)
	for _, objects := range l.objects {
		n += len(objects)
	}
	return n
}

// sweep removes the leftovers of dead runs and counts what is left of them after
// that. What may belong to a run that is alive is counted and not touched. Then it says
// which images nobody needs any more, and removes those when it was told to.
func sweep(ctx context.Context, rt *pipe.Runtime, s *Settings) (pipe.Result, error) {
	b, err := open(ctx, rt, s)
	if err != nil {
		return nil, err
	}
	old, err := b.oldImages(ctx) // first: when the ledger cannot be read, nothing is touched
	if err != nil {
		return nil, err
	}
	found, err := b.leftovers(ctx)
	if err != nil {
		return nil, exit.Unablef("%w", err)
	}
	result := &Swept{InUse: found.inUse, Servers: len(found.servers), Images: len(found.images)}
	if err := b.removeLeftovers(ctx, found, result); err != nil {
		return nil, exit.Unablef("%w", err).Hint("what was removed stays removed; sweep again")
	}
	after, err := b.leftovers(ctx)
	if err != nil {
		return nil, exit.Unablef("%w", err)
	}
	if result.Left = after.count(); result.Left > 0 {
		return result, exit.Unablef("%d leftovers of dead runs are still there", result.Left).Hint("sweep again in a minute; AWS may be slow to forget them")
	}
	rt.Console.Success("Nothing of dead runs is left")
	return result, b.sweepImages(ctx, old, result)
}

func (b *baker) removeLeftovers(ctx context.Context, found *leftovers, result *Swept) error {
	for _, s := range found.servers {
		b.rt.Console.Info("Terminating build server %s of %s, out of time since %s", s.ID, s.Run, s.Expires.Format(time.RFC3339))
	}
	if err := b.end(ctx, found.servers); err != nil {
		return err
	}
	for prefix, objects := range found.objects {
		b.rt.Console.Info("Removing %d objects below %s", len(objects), prefix)
		if err := b.aws.remove(ctx, objects); err != nil {
			return err
		}
		result.Objects += len(objects)
	}
	for _, img := range found.images {
		b.rt.Console.Info("Removing failed image %s (%s)", img.ID, img.Name)
		if err := b.deregister(ctx, img.ID); err != nil {
			return err
		}
	}
	return nil
}

// leftovers looks for everything temporary and tells the dead from the living.
func (b *baker) leftovers(ctx context.Context) (*leftovers, error) {
	l := &leftovers{objects: map[string][]object{}}
	alive, err := b.sortServers(ctx, l)
	if err != nil {
		return nil, err
	}
	if err := b.sortObjects(ctx, l, alive); err != nil {
		return nil, err
	}
	images, err := image.Named(ctx, b.aws.ec2, b.s.Application+"-*")
	if err != nil {
		return nil, err
	}
	for _, img := range images {
		// The pattern also matches other applications whose names start the same.
		if img.State != image.Failed || img.Tags[image.TagApplication] != b.s.Application {
			continue
		}
		if time.Since(img.Created) < youngFailure {
			l.inUse++
			continue
		}
		l.images = append(l.images, img)
	}
	return l, nil
}

// sortServers puts servers whose time is over among the leftovers, and returns the
// bakes that have a living one. A server that does not say when it expires is nobody's
// we know, and is left alone.
func (b *baker) sortServers(ctx context.Context, l *leftovers) (alive map[string]bool, err error) {
	alive = map[string]bool{}
	servers, err := b.servers(ctx,
		types.Filter{Name: aws.String("tag:" + image.TagApplication), Values: []string{b.s.Application}},
		types.Filter{Name: aws.String("tag-key"), Values: []string{image.TagBake}})
	if err != nil {
		return nil, err
	}
	for _, s := range servers {
		switch {
		case s.off():
		case !s.Expires.IsZero() && time.Now().After(s.Expires):
			l.servers = append(l.servers, s)
		default:
			l.inUse++
			alive[s.Bake] = true
		}
	}
	return alive, nil
}

// sortObjects puts objects of attempts without a living server among the leftovers.
func (b *baker) sortObjects(ctx context.Context, l *leftovers, alive map[string]bool) error {
	objects, err := b.aws.list(ctx, bakesPrefix(b.s.Application))
	if err != nil {
		return err
	}
	groups := map[string][]object{}
	for _, o := range objects {
		prefix := o.key[:strings.LastIndexByte(o.key, '/')+1]
		groups[prefix] = append(groups[prefix], o)
	}
	for prefix, group := range groups {
		key, _, _ := strings.Cut(strings.TrimPrefix(prefix, bakesPrefix(b.s.Application)), "/")
		if alive[key] || youngest(group) < youngObjects {
			l.inUse++
			continue
		}
		l.objects[prefix] = group
	}
	return nil
}

// youngest is the age of the newest object.
func youngest(objects []object) time.Duration {
	age := time.Since(objects[0].modified)
	for _, o := range objects[1:] {
		age = min(age, time.Since(o.modified))
	}
	return age
}
