package rollout

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"bitbucket.org/fearless/pipes/shared/clone"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
)

// past reads the ledger, and refuses a commit that it holds. A ledger that cannot be read
// refuses everything.
func (d *deployer) past(ctx context.Context, record *image.Record) ([]ledger.Record, error) {
	past, err := d.op.Ledger.Recent(ctx)
	if err != nil {
		return nil, exit.Unablef("%w", err).Hint("the release goes on when it can be read: nothing was changed")
	}
	return past, d.refuseHeld(ctx, ledger.Held(past), record)
}

// refuseHeld refuses a commit that is held, or contains one that is, unless a commit since
// takes the bad one back or says that it mends it.
func (d *deployer) refuseHeld(ctx context.Context, held []ledger.Record, record *image.Record) error {
	for _, hold := range held {
		past, err := d.pastOf(ctx, record.Commit, hold.Commit)
		if err != nil {
			return exit.Refusedf("commit %.12s is held in %s, and whether commit %.12s contains it cannot be found out: %w",
				hold.Commit, d.s.Environment, record.Commit, err).
				Hint("add this line to the step in bitbucket-pipelines.yml, so that it clones all of the history:  clone: {depth: full}")
		}
		sameImage := hold.Image.ID != "" && hold.Image.ID == record.Image
		if !past.Contains && !sameImage || mended(past.Messages, hold.Commit) {
			continue
		}
		how := "contains"
		switch {
		case record.Commit == hold.Commit:
			how = "is"
		case !past.Contains:
			how = "has the same image as"
		}
		return exit.Refusedf("commit %.12s %s commit %.12s, which is held in %s since %s by %s: %s",
			record.Commit, how, hold.Commit, d.s.Environment, hold.Time.Format("2006-01-02 15:04 MST"), hold.By.Who, cmp.Or(hold.Reason, "no reason was given")).
			Hint("take the bad commit back: git revert "+hold.Commit,
				"or, where another commit mends it, say so in a line of its message:  Fixes-Release: "+hold.Commit,
				"or lift the hold, with a reason: the rollback pipe, ACTION: lift-hold, COMMIT: "+hold.Commit)
	}
	return nil
}

// pastOf asks the clone, and the server where the clone is cut off.
func (d *deployer) pastOf(ctx context.Context, commit, held string) (clone.Past, error) {
	if commit == held {
		return clone.Past{Contains: true}, nil
	}
	c, err := clone.Open(d.rt.CloneDir())
	if err != nil {
		return clone.Past{}, err
	}
	past, err := c.Past(commit, held)
	if err == nil && !past.Cut {
		return past, nil
	}
	origin := d.s.GitHTTPOrigin
	if origin == "" {
		return clone.Past{}, cmp.Or(err, fmt.Errorf("the clone lacks some of its history, and BITBUCKET_GIT_HTTP_ORIGIN does not say where it is"))
	}
	d.rt.Console.Info("Fetching the history of commit %.12s, since commit %.12s is held", commit, held)
	transport := d.rt.World.Transport
	if transport == nil {
		transport = d.s.Bitbucket.GitTransport()
	}
	return clone.FetchPast(ctx, &http.Client{Transport: transport}, origin, commit, held)
}

// What messages say of another commit. git itself writes the first, with the full hash;
// the second is written by people, who may shorten it.
var (
	reverts = regexp.MustCompile(`(?m)\bThis reverts commit ([0-9a-f]{40})\b`)
	fixes   = regexp.MustCompile(`(?mi)^Fixes-Release:[ \t]*([0-9a-f]{7,40})[ \t]*$`)
)

// mended reports whether a commit since takes the bad one back, and was not itself taken
// back, or says that it fixes it.
func mended(messages map[string]string, bad string) bool {
	takenBack := map[string][]string{} // who reverts a commit
	for hash, text := range messages {
		for _, m := range reverts.FindAllStringSubmatch(text, -1) {
			takenBack[m[1]] = append(takenBack[m[1]], hash)
		}
	}
	// standing: the commit is not taken back by one that itself stands. A message cannot
	// name a commit that comes later, so this ends; the depth is for messages that lie.
	var standing func(hash string, depth int) bool
	standing = func(hash string, depth int) bool {
		for _, by := range takenBack[hash] {
			if depth < 100 && standing(by, depth+1) {
				return false
			}
		}
		return true
	}
	if !standing(bad, 0) {
		return true
	}
	for hash, text := range messages {
		for _, m := range fixes.FindAllStringSubmatch(text, -1) {
			if strings.HasPrefix(bad, strings.ToLower(m[1])) && standing(hash, 0) {
				return true
			}
		}
	}
	return false
}
