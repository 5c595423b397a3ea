package bitbucket

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
)

// State is the state of a build status.
type State string

// The states.
const (
	InProgress State = "INPROGRESS"
	Successful State = "SUCCESSFUL"
	Failed     State = "FAILED"
	Stopped    State = "STOPPED"
)

// Status is a line below a commit that leads somewhere: to an environment, or
// to a report.
type Status struct {
	Key         string // tells the statuses of a commit apart; the same key is overwritten
	State       State
	Name        string
	Description string
	URL         string // default: the pipeline's run
}

// Status writes a build status. That the pipeline's own rights cover it is not
// documented: they are tried before the token.
func (c *Client) Status(ctx context.Context, s Status) error {
	body := map[string]string{
		"key": shortKey(c.line(s.Key, longestTitle), longestKey), "state": string(s.State),
		"name": c.line(s.Name, longestTitle), "description": c.line(s.Description, longestTitle), "url": c.link(s.URL),
	}
	if body["url"] == "" {
		body["url"] = c.link(c.Page())
	}
	if body["url"] == "" {
		body["url"] = "https://bitbucket.org/" + c.repository[len("/repositories/"):] + "/commits/" + c.commit
	}
	// The source branch shows the status in the pull request.
	if c.settings.PullRequest != 0 && c.settings.Branch != "" {
		body["refname"] = c.settings.Branch
	}
	return c.do(ctx, c.anyRoute(), call{
		what: "set the build status", permission: writeRepository, method: http.MethodPost, path: c.commitPath() + "/statuses/build", body: body,
	})
}

// shortKey shortens a name without making two of them the same.
func shortKey(key string, most int) string {
	if len(key) <= most {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	const digits = 12
	at := most - digits - 1
	for at > 0 && key[at]&0xc0 == 0x80 { // within a character
		at--
	}
	return key[:at] + "-" + hex.EncodeToString(sum[:])[:digits]
}
