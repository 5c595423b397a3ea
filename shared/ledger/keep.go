package ledger

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Environments names all environments of the application that have a ledger, this one or
// not. What lies beside them is an error, since it may be the ledger of a newer version.
func (l *Ledger) Environments(ctx context.Context) ([]string, error) {
	all := "ledger/" + l.Application + "/"
	pages := s3.NewListObjectsV2Paginator(l.API, &s3.ListObjectsV2Input{Bucket: &l.Bucket, Prefix: &all, Delimiter: aws.String("/")})
	var names []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, exit.Unablef("the ledger s3://%s/%s cannot be read, and without it nothing is certain: %w", l.Bucket, all, err)
		}
		for _, object := range page.Contents {
			if key := aws.ToString(object.Key); key != all {
				return nil, exit.Unablef("s3://%s/%s does not belong into the ledger, and without knowing what it is nothing is certain", l.Bucket, key)
			}
		}
		for _, below := range page.CommonPrefixes {
			names = append(names, strings.TrimSuffix(strings.TrimPrefix(aws.ToString(below.Prefix), all), "/"))
		}
	}
	return names, nil
}

// Kept is an image that has to stay, and why.
type Kept struct {
	Image string // AMI id
	Why   string // for people
}

// Keep names the images that the environment needs to go on and to go back: those of the
// last releases that came through, so many of different commits and images that are not
// held; of all that were live since; and of those that began and have no end yet.
func (l *Ledger) Keep(ctx context.Context, releases int) ([]Kept, error) {
	said, err := l.Holds(ctx)
	if err != nil {
		return nil, err
	}
	k := keeper{environment: l.Environment, held: Held(said), ended: map[string]bool{}, seen: map[string]bool{}}
	for r, err := range l.Walk(ctx) {
		if err != nil {
			return nil, err
		}
		k.take(r)
		if k.good >= releases {
			break
		}
	}
	return k.kept, nil
}

// keeper reads records, the newest first.
type keeper struct {
	environment string
	held        []Record
	ended       map[string]bool // starts, by key
	seen        map[string]bool // commits and images of releases that one can go back to
	good        int             // how many of them
	kept        []Kept
}

func (k *keeper) take(r Record) {
	switch {
	case r.Kind == KindStart && !k.ended[r.Key()]:
		k.keep(r, "a release to "+k.environment+" began with it and has no end yet")
	case r.Kind == KindEnd:
		k.ended[r.Start] = true
		if alive(r.Outcome) {
			k.keep(r, "it was live in "+k.environment+" on "+r.Time.Format("2006-01-02"))
		}
		isHeld := slices.ContainsFunc(k.held, func(h Record) bool { return covers(h, r) })
		if r.Outcome == Live && !isHeld && !k.seen[r.Commit] && !k.seen[r.Image.ID] {
			k.good++
			k.seen[r.Commit], k.seen[r.Image.ID] = true, true
		}
	}
}

func (k *keeper) keep(r Record, why string) {
	known := slices.ContainsFunc(k.kept, func(known Kept) bool { return known.Image == r.Image.ID })
	if r.Image.ID != "" && !known {
		k.kept = append(k.kept, Kept{Image: r.Image.ID, Why: why})
	}
}

// covers reports whether a hold speaks of a release.
func covers(hold, r Record) bool {
	return hold.Commit == r.Commit || hold.Image.ID != "" && hold.Image.ID == r.Image.ID
}
