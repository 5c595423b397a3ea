package bitbucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// writePullRequests is the permission that comments take.
const writePullRequests = "pull requests: write"

// mostPages is how many pages of 100 comments are looked through.
const mostPages = 50

// comment is a comment as the API gives it.
type comment struct {
	ID      int  `json:"id"`
	Deleted bool `json:"deleted"`
	Content struct {
		Raw string `json:"raw"`
	} `json:"content"`
	Inline *struct{} `json:"inline"`
}

// Comment writes a comment on a pull request, or updates the one it wrote
// before, so that a pull request has one of each marker however often it is
// pushed to. The marker is a word such as "lint-gate"; it stands in the
// comment's last line as the label of a link to nothing, which Markdown does
// not show. It needs a token: the pipeline's own rights do not cover pull
// requests.
func (c *Client) Comment(ctx context.Context, pullRequest int, marker, markdown string) error {
	if pullRequest <= 0 {
		return exit.Unablef("there is no pull request to comment on").Hint("BITBUCKET_PR_ID is set in pipelines of pull requests only")
	}
	routes, err := c.tokenRoute()
	if err != nil {
		return err
	}
	last := "\n\n" + markerLine(marker)
	raw := c.markdown(markdown, longestComment-len(last)) + last
	// A comment that may or may not have been written is looked for again, so that
	// there are not two of them.
	for attempt := 1; ; attempt++ {
		earlier, err := c.find(ctx, routes, pullRequest, markerLine(marker))
		if err != nil {
			return err
		}
		if err = c.write(ctx, routes, pullRequest, earlier, raw); err == nil {
			return nil
		}
		var no *refusal
		if attempt == attempts || earlier != nil || (errors.As(err, &no) && no.status < 500) || !sleep(ctx, firstPause) {
			return err
		}
	}
}

// markdown is a clean text of at most so many bytes. A block of code that is cut
// off is closed, or it would swallow what follows.
func (c *Client) markdown(text string, most int) string {
	text = c.clean(text)
	if len(text) <= most {
		return text
	}
	const fence = "```"
	text = cut(text, most-len("\n"+fence))
	if strings.Count("\n"+text, "\n"+fence)%2 == 1 {
		text += "\n" + fence
	}
	return text
}

func markerLine(marker string) string { return "[//]: # (" + identifier(marker) + ")" }

// find looks for the newest comment that carries the marker; nil is none.
func (c *Client) find(ctx context.Context, routes []*route, pullRequest int, marker string) (*comment, error) {
	var newest *comment
	next := c.commentsPath(pullRequest) + "?pagelen=100"
	for range mostPages {
		var page struct {
			Values []comment `json:"values"`
			Next   string    `json:"next"`
		}
		err := c.do(ctx, routes, call{
			what: fmt.Sprintf("read the comments on pull request %d", pullRequest), permission: writePullRequests,
			method: http.MethodGet, path: next, into: &page,
		})
		if err != nil {
			return nil, err
		}
		for _, one := range page.Values {
			if !one.Deleted && one.Inline == nil && strings.HasSuffix(strings.TrimSpace(one.Content.Raw), marker) {
				newest = &one
			}
		}
		// The token goes where we decide, not where an answer says.
		if !strings.HasPrefix(page.Next, encryptedAPI+"/") {
			return newest, nil
		}
		next = page.Next
	}
	return newest, nil
}

// write creates the comment, or updates the earlier one unless it says the
// same.
func (c *Client) write(ctx context.Context, routes []*route, pullRequest int, earlier *comment, raw string) error {
	request := call{
		what: fmt.Sprintf("comment on pull request %d", pullRequest), permission: writePullRequests,
		method: http.MethodPost, path: c.commentsPath(pullRequest), unsafe: true,
		body: map[string]any{"content": map[string]string{"raw": raw}},
	}
	if earlier != nil {
		if strings.TrimSpace(earlier.Content.Raw) == raw {
			return nil
		}
		request.method, request.path, request.unsafe = http.MethodPut, fmt.Sprintf("%s/%d", request.path, earlier.ID), false
	}
	return c.do(ctx, routes, request)
}

func (c *Client) commentsPath(pullRequest int) string {
	return fmt.Sprintf("%s/pullrequests/%d/comments", c.repository, pullRequest)
}
