package bake

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"bitbucket.org/fearless/pipes/shared/image"
)

const (
	// readers is how many objects of the index are read at the same time.
	readers = 16

	// largestRecord bounds what is read of an object of the index, in bytes.
	largestRecord = 64 << 10
)

// indexed are the objects of the index, by the image that they name: one for each commit
// that an image answers for, and one for its inputs.
func (b *baker) indexed(ctx context.Context) (map[string][]object, error) {
	objects, err := b.aws.list(ctx, image.IndexPrefix(b.s.Application))
	if err != nil {
		return nil, err
	}
	images, errs := make([]string, len(objects)), make([]error, len(objects))
	turns := make(chan struct{}, readers)
	var all sync.WaitGroup
	for n, o := range objects {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			images[n], errs[n] = b.imageOf(ctx, o.key)
		})
	}
	all.Wait()
	by := map[string][]object{}
	for n, o := range objects {
		if errs[n] != nil {
			return nil, errs[n]
		}
		by[images[n]] = append(by[images[n]], o)
	}
	return by, nil
}

// imageOf is the image that an object of the index names; blank when it is gone.
func (b *baker) imageOf(ctx context.Context, key string) (string, error) {
	content, there, err := b.aws.read(ctx, key, 0, largestRecord)
	if err != nil || !there {
		return "", err
	}
	var r image.Record
	if err := json.Unmarshal(content, &r); err != nil {
		return "", fmt.Errorf("the image index s3://%s/%s is damaged: %w", b.aws.bucket, key, err)
	}
	return r.Image, nil
}
