package bitbucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"bitbucket.org/fearless/pipes/shared/finding"
)

// Bitbucket's limits of a report.
const (
	// MostAnnotations is how many findings a report can show.
	MostAnnotations = 1000
	// batch is how many of them one request can carry.
	batch = 100
	// mostData is how many data fields a report can have.
	mostData = 10
)

// CutOff is how many of so many findings a report cannot show.
func CutOff(findings int) int { return max(0, findings-MostAnnotations) }

// Report is what a check says about a commit.
type Report struct {
	// ID tells the reports of a commit apart: the pipe's name, and something more
	// when it runs several times in one pipeline.
	ID       string
	Title    string
	Details  string // a few sentences
	Reporter string // the tool
	Link     string // default: the pipeline's run
	Security bool   // it is about vulnerabilities; else about defects

	Passed   bool
	Findings []finding.Finding // any number; the worst are shown
	// FailOn is from when on a finding counts against the change.
	FailOn finding.Severity
	Data   []Datum // up to 10, shown in a row
}

// Datum is one figure of a report.
type Datum struct {
	Title string `json:"title"`
	Type  string `json:"type"`
	Value any    `json:"value"`
}

// Number is a datum that Bitbucket abbreviates: 14.3k.
func Number(title string, n int) Datum { return Datum{title, "NUMBER", n} }

// Text is a datum of a few words.
func Text(title, text string) Datum { return Datum{title, "TEXT", text} }

// Duration is a datum in milliseconds.
func Duration(title string, d time.Duration) Datum {
	return Datum{title, "DURATION", d.Milliseconds()}
}

// Begin says that the check is running. It deletes what an earlier attempt has
// reported, since annotations that are not sent again would stay.
func (c *Client) Begin(ctx context.Context, r Report) error {
	r.Details = "The check is running."
	r.Data = nil
	id := identifier(r.ID)
	err := c.do(ctx, c.anyRoute(), call{
		what: "delete the earlier report", permission: writeRepository, method: http.MethodDelete, path: c.reportPath(id), absent: true,
	})
	if err == nil {
		err = c.put(ctx, r, "PENDING", "")
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.begun[id] = true
	c.mu.Unlock()
	return nil
}

// Report says what the check has found: the annotations first, then the
// result, so that nobody sees a result without its findings. When findings
// cannot be sent the result still is, and it says so. Begin is called where it
// was not.
func (c *Client) Report(ctx context.Context, r Report) error {
	id := identifier(r.ID)
	c.mu.Lock()
	begun := c.begun[id]
	delete(c.begun, id)
	c.mu.Unlock()
	if !begun {
		if err := c.Begin(ctx, r); err != nil {
			return err
		}
	}
	shown := c.annotations(r)
	note := ""
	if left := CutOff(len(r.Findings)); left > 0 {
		note = fmt.Sprintf("Bitbucket shows %d findings of a report: %d of %d are in the log only.", MostAnnotations, left, len(r.Findings))
	}
	sent := 0
	var failed error
	for failed == nil && sent < len(shown) {
		some := shown[sent:min(sent+batch, len(shown))]
		failed = c.do(ctx, c.anyRoute(), call{
			what: "annotate the commit", permission: writeRepository, method: http.MethodPost, path: c.reportPath(id) + "/annotations", body: some,
		})
		if failed == nil {
			sent += len(some)
		}
	}
	if failed != nil {
		note = fmt.Sprintf("Not all of the %d findings could be sent here; all are in the log.", len(r.Findings))
	}
	result := "FAILED"
	if r.Passed {
		result = "PASSED"
	}
	err := c.put(ctx, r, result, note)
	if failed != nil && err != nil {
		return errors.Join(failed, err)
	}
	if failed != nil {
		return failed
	}
	return err
}

// reportBody is a report as the API takes it.
type reportBody struct {
	Title    string  `json:"title"`
	Details  string  `json:"details"`
	Type     string  `json:"report_type"`
	Reporter string  `json:"reporter,omitempty"`
	Link     string  `json:"link,omitempty"`
	Result   string  `json:"result"`
	Data     []Datum `json:"data,omitempty"`
}

// put writes the report itself, without its annotations. The note stays whole,
// however long the details are.
func (c *Client) put(ctx context.Context, r Report, result, note string) error {
	body := reportBody{
		Title: c.line(r.Title, longestTitle), Type: "BUG", Reporter: c.line(r.Reporter, longestTitle), Link: c.link(r.Link), Result: result,
		Details: c.details(r.Details, note),
	}
	if body.Title == "" {
		body.Title = identifier(r.ID)
	}
	if body.Details == "" {
		body.Details = body.Title // both are needed
	}
	if r.Security {
		body.Type = "SECURITY"
	}
	if body.Link == "" {
		body.Link = c.link(c.Page())
	}
	for _, d := range r.Data[:min(len(r.Data), mostData)] {
		d.Title = c.line(d.Title, longestTitle)
		if text, ok := d.Value.(string); ok {
			d.Value = c.line(text, longestTitle)
		}
		body.Data = append(body.Data, d)
	}
	return c.do(ctx, c.anyRoute(), call{
		what: "report to Bitbucket", permission: writeRepository, method: http.MethodPut, path: c.reportPath(identifier(r.ID)), body: body,
	})
}

func (c *Client) details(text, note string) string {
	if note == "" {
		return cut(c.clean(text), longestDetails)
	}
	if text = cut(c.clean(text), longestDetails-len(note)-1); text != "" {
		text += "\n"
	}
	return text + note
}

// writeRepository is the permission that reports and statuses take.
const writeRepository = "repositories: write"

func (c *Client) commitPath() string { return c.repository + "/commit/" + c.commit }

func (c *Client) reportPath(id string) string { return c.commitPath() + "/reports/" + id }
