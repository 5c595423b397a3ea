package bake

import (
	"context"
	"slices"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
)

// leastKept is what an environment runs, and what it can go back to.
const leastKept = 2

// old is what a sweep has found out about images.
type old struct {
	all       []image.Image // of the application, the newest first
	why       reasons       // to keep some of them
	images    []image.Image // the others
	index     map[string][]object
	snapshots []snapshot // of the others
	orphans   []snapshot // whose image is gone
}

// oldImages finds the images of the application that nothing needs. It changes nothing.
//
// The index, which takes longest, is read first, so that what keeps an image is as fresh as
// can be. Should a deploy begin with an image in the seconds after that, then its servers
// are not launched, and CloudFormation goes back.
func (b *baker) oldImages(ctx context.Context) (*old, error) {
	o := &old{}
	var err error
	if o.all, err = image.Named(ctx, b.aws.ec2, b.s.Application+"-*"); err != nil {
		return nil, exit.Unablef("%w", err)
	}
	// The pattern also matches other applications whose names start the same.
	o.all = slices.DeleteFunc(o.all, func(i image.Image) bool {
		return i.Tags[image.TagApplication] != b.s.Application || i.State == image.Failed
	})
	if o.index, err = b.indexed(ctx); err != nil {
		return nil, exit.Unablef("%w", err)
	}
	snapshots, err := b.snapshots(ctx)
	if err != nil {
		return nil, exit.Unablef("%w", err)
	}
	if o.why, err = b.needed(ctx, o.all); err != nil {
		return nil, exit.Unablef("%w", err).Hint("nothing was removed: which images are needed has to be certain")
	}
	o.images = slices.DeleteFunc(slices.Clone(o.all), func(i image.Image) bool { return o.why[i.ID] != "" })
	o.snapshots, o.orphans = going(snapshots, o.all, o.images)
	return o, nil
}

// sweepImages tells which images nobody needs, and removes them when that was confirmed.
func (b *baker) sweepImages(ctx context.Context, o *old, result *Swept) error {
	log := b.rt.Console
	result.Old, result.Kept = len(o.images), len(o.all)
	log.Heading("Images of %s: %d, of which nothing needs %d", b.s.Application, len(o.all), len(o.images))
	for _, i := range o.all {
		why := o.why[i.ID]
		if why == "" {
			why = "nothing needs it"
		}
		log.Plain("  %s  %s  commit %-12.12s  %s: %s", i.Created.UTC().Format(time.DateOnly), i.ID, i.Tags[image.TagCommit], i.Name, why)
	}
	if len(o.orphans) > 0 {
		log.Plain("  and %d snapshots of images that are gone", len(o.orphans))
	}
	var size string
	result.Bytes, size = weigh(slices.Concat(o.snapshots, o.orphans))
	switch {
	case len(o.images)+len(o.orphans) == 0:
		log.Success("All %d images are needed", len(o.all))
		return nil
	case !b.s.Confirm:
		log.Warn("Nothing of that was removed: CONFIRM: 'true' removes %d images with %d snapshots, %s", len(o.images), len(o.snapshots)+len(o.orphans), size)
		return nil
	}
	if err := b.removeImages(ctx, o, result); err != nil {
		return exit.Unablef("%w", err).Hint("what was removed stays removed; sweep again")
	}
	log.Success("Removed %d images, %d snapshots and %d objects of the index: %s", result.Removed, result.Snapshots, result.Index, size)
	return b.countLeft(ctx, result)
}

// removeImages removes the index of each image first, so that no deploy finds what is about
// to go. A run that is killed in between leaves an image that the next one finds by its name.
func (b *baker) removeImages(ctx context.Context, o *old, result *Swept) error {
	progress := b.rt.Console.Progress("Sweep")
	for n, i := range o.images {
		progress.Update("%d of %d images", n, len(o.images))
		for objects := range slices.Chunk(o.index[i.ID], mostRemoved) {
			if err := b.aws.remove(ctx, objects); err != nil {
				return err
			}
			result.Index += len(objects)
		}
		if err := b.deregister(ctx, i.ID); err != nil {
			return err
		}
		result.Removed++
		result.Snapshots += len(i.Snapshots)
	}
	for _, s := range o.orphans {
		removed, err := b.removeSnapshot(ctx, s.id)
		if err != nil {
			return err
		}
		if removed {
			result.Snapshots++
		}
	}
	return nil
}

// countLeft looks at what is left.
func (b *baker) countLeft(ctx context.Context, result *Swept) error {
	o, err := b.oldImages(ctx)
	if err != nil {
		return err
	}
	result.Kept = len(o.all)
	b.rt.Console.Info("Left are %d images; nothing needs %d of them", len(o.all), len(o.images))
	if left := len(o.images) + len(o.orphans); left > 0 {
		return exit.Unablef("%d old images or snapshots are still there", left).Hint("sweep again in a minute; AWS may be slow to forget them")
	}
	return nil
}
