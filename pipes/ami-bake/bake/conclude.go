package bake

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
)

// conclude ends a bake whose image is there: checks it, removes what the bake needed
// (whoever made it), and only then lets the index answer for the inputs.
func (b *baker) conclude(ctx context.Context, img image.Image) (*Result, error) {
	if err := b.verify(img); err != nil {
		return nil, err
	}
	key := strings.TrimPrefix(img.Name, b.s.Application+"-")
	if err := b.retire(ctx, key); err != nil {
		return nil, exit.Unablef("image %s is there, but what the bake needed cannot be removed: %w", img.ID, err).
			Hint("run the pipe again, or with ACTION: sweep")
	}
	b.attempt.forget()
	record := b.record(img)
	if err := b.index.WriteInputs(ctx, record); err != nil {
		return nil, exit.Unablef("%w", err)
	}
	return b.answer(ctx, img, img.Tags[image.TagRun] == b.run)
}

// verify holds an image against what was asked for before anything is built on it.
func (b *baker) verify(img image.Image) error {
	switch {
	case img.Owner != b.session.Account:
		return exit.Unablef("image %s belongs to account %s, not to %s", img.ID, img.Owner, b.session.Account)
	case img.Architecture != b.s.Architecture:
		return exit.Unablef("image %s is for %s, not for %s", img.ID, img.Architecture, b.s.Architecture)
	case img.RootSnapshot == "":
		return exit.Unablef("image %s has no snapshot of its root disk %s", img.ID, img.RootDevice)
	}
	return nil
}

// answer makes the image answer for this run's commit.
func (b *baker) answer(ctx context.Context, img image.Image, baked bool) (*Result, error) {
	record := b.record(img)
	if err := b.index.WriteCommit(ctx, record); err != nil {
		return nil, exit.Unablef("%w", err)
	}
	result := &Result{Record: record, Baked: baked, Seconds: time.Since(b.rt.Started).Seconds()}
	verb := "Image %s (%s) answers for commit %s"
	if baked {
		verb = "Image %s (%s) is baked for commit %s"
	}
	b.rt.Console.Success(verb, img.ID, img.Name, b.material.Commit.Short())
	if !baked {
		from := "this commit"
		if record.BakedFrom != record.Commit {
			from = fmt.Sprintf("commit %.12s, whose inputs are the same", record.BakedFrom)
		}
		b.rt.Console.Info("It was baked from %s, %s ago", from, console.Duration(time.Since(img.Created)))
	}
	return result, nil
}

func (b *baker) record(img image.Image) image.Record {
	return image.Record{
		Application: b.s.Application, Commit: b.material.Commit.Hash, BakedFrom: img.Tags[image.TagCommit],
		Image: img.ID, Name: img.Name, Owner: img.Owner, RootSnapshot: img.RootSnapshot,
		Inputs: b.inputs, BaseImage: b.base, Architecture: img.Architecture,
		Contract: contractOf(img), Processes: b.material.Processes, Created: img.Created,
		Pipeline: b.s.PipelineURL(),
	}
}

func contractOf(img image.Image) int {
	var version int
	_, _ = fmt.Sscanf(img.Tags[image.TagContract], "%d", &version)
	return version
}
