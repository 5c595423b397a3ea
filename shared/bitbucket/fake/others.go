package fake

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// Status is a build status of the commit.
type Status struct {
	Key         string `json:"key"`
	State       string `json:"state"`
	Name        string `json:"name"`
	Description string `json:"description"`
	URL         string `json:"url"`
	Branch      string `json:"refname"`
}

// Statuses are the build statuses by key.
func (s *Server) Statuses() map[string]Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.statuses)
}

func (s *Server) status(r *http.Request, c Call) reply {
	if r.Method != http.MethodPost {
		return refused(http.StatusMethodNotAllowed, s.complain("%s: no such method", c))
	}
	var body Status
	if err := decoded(r, &body); err != nil {
		return s.bad(c, err.Error())
	}
	var p problems
	p.text("key", body.Key, 40, true)
	p.text("name", body.Name, 450, false)
	p.text("description", body.Description, 450, false)
	p.oneOf("state", body.State, true, "INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED")
	p.link("url", body.URL, true)
	if len(p) > 0 {
		return s.bad(c, p...)
	}
	s.statuses[body.Key] = body
	return reply{http.StatusCreated, body}
}

// Comment is a comment on a pull request.
type Comment struct {
	PullRequest int
	ID          int
	Raw         string
	Inline      bool
	Deleted     bool
	Foreign     bool // somebody else's: our token cannot change it
	Edits       int
}

// Comments are all comments in the order they were made.
func (s *Server) Comments() []Comment {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Comment
	for _, c := range s.comments {
		all = append(all, *c)
	}
	return all
}

// Say adds a comment that is not the client's.
func (s *Server) Say(c Comment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.ID = len(s.comments) + 1
	s.comments = append(s.comments, &c)
}

// json is the comment as the API gives it.
func (c *Comment) json() map[string]any {
	all := map[string]any{"id": c.ID, "deleted": c.Deleted, "content": map[string]any{"raw": c.Raw, "markup": "markdown", "html": "<p></p>"}}
	if c.Inline {
		all["inline"] = map[string]any{"path": "a.go", "to": 1}
	}
	return all
}

func (s *Server) comment(r *http.Request, c Call, pullRequest string, rest []string) reply {
	number, err := strconv.Atoi(pullRequest)
	if err != nil {
		return s.bad(c, "no such pull request")
	}
	if r.Method == http.MethodGet && len(rest) == 0 {
		return s.listComments(r, number)
	}
	var body struct {
		Content struct {
			Raw string `json:"raw"`
		} `json:"content"`
	}
	if err := decoded(r, &body); err != nil {
		return s.bad(c, err.Error())
	}
	var p problems
	p.text("content.raw", body.Content.Raw, 32768, true)
	if len(p) > 0 {
		return s.bad(c, p...)
	}
	switch {
	case r.Method == http.MethodPost && len(rest) == 0:
		added := &Comment{PullRequest: number, ID: len(s.comments) + 1, Raw: body.Content.Raw}
		s.comments = append(s.comments, added)
		return reply{http.StatusCreated, added.json()}
	case r.Method == http.MethodPut && len(rest) == 1:
		return s.editComment(rest[0], number, body.Content.Raw)
	}
	return refused(http.StatusMethodNotAllowed, s.complain("%s: no such method", c))
}

func (s *Server) editComment(id string, pullRequest int, raw string) reply {
	for _, one := range s.comments {
		switch {
		case fmt.Sprint(one.ID) != id || one.PullRequest != pullRequest:
		case one.Foreign:
			return refused(http.StatusForbidden, "You cannot edit the comment of another user")
		default:
			one.Raw = raw
			one.Edits++
			return reply{http.StatusOK, one.json()}
		}
	}
	return refused(http.StatusNotFound, "Comment not found")
}

// longestPage is how many comments come at once, whatever is asked for.
const longestPage = 3

// listComments gives one page. Its next page has an address of its own making,
// which clients have to follow as it is.
func (s *Server) listComments(r *http.Request, pullRequest int) reply {
	at, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Query().Get("ctx"), "after-")) // 0 on the first page
	values := []any{}
	next := ""
	for i, one := range s.comments {
		if i < at || one.PullRequest != pullRequest {
			continue
		}
		if len(values) == longestPage {
			next = fmt.Sprintf("https://api.bitbucket.org%s%s/pullrequests/%d/comments?ctx=after-%d", prefix, s.options.Repository, pullRequest, i)
			break
		}
		values = append(values, one.json())
	}
	page := map[string]any{"pagelen": longestPage, "values": values, "page": 1}
	if next != "" {
		page["next"] = next
	}
	return reply{http.StatusOK, page}
}
