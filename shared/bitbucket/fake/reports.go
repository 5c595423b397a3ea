package fake

import (
	"maps"
	"net/http"
	"slices"
)

// Limits of the API.
const (
	mostInBatch  = 100
	mostInReport = 1000
	mostData     = 10
)

// Report is a Code Insights report as the repository has it.
type Report struct {
	Title    string  `json:"title"`
	Details  string  `json:"details"`
	Type     string  `json:"report_type"`
	Reporter string  `json:"reporter"`
	Link     string  `json:"link"`
	Logo     string  `json:"logo_url"`
	Result   string  `json:"result"`
	Remote   bool    `json:"remote_link_enabled"`
	Data     []Datum `json:"data"`

	Annotations map[string]Annotation `json:"-"` // by external id
	Batches     []int                 `json:"-"` // sizes of the requests that brought them
}

// Datum is one figure of a report.
type Datum struct {
	Title string `json:"title"`
	Type  string `json:"type"`
	Value any    `json:"value"`
}

// Annotation is a finding of a report.
type Annotation struct {
	ID       string `json:"external_id"`
	Type     string `json:"annotation_type"`
	Summary  string `json:"summary"`
	Details  string `json:"details"`
	Path     string `json:"path"`
	Line     *int   `json:"line"`
	Severity string `json:"severity"`
	Result   string `json:"result"`
	Link     string `json:"link"`
}

// Report is the report with this id, and whether there is one.
func (s *Server) Report(id string) (Report, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.reports[id]
	if !ok {
		return Report{}, false
	}
	copied := *r
	copied.Annotations = maps.Clone(r.Annotations)
	copied.Batches = slices.Clone(r.Batches)
	return copied, true
}

// report is a call about a report as a whole.
func (s *Server) report(r *http.Request, c Call, id string) reply {
	switch r.Method {
	case http.MethodGet:
		if report, ok := s.reports[id]; ok {
			return reply{http.StatusOK, report}
		}
		return refused(http.StatusNotFound, "Report not found")
	case http.MethodDelete:
		if _, ok := s.reports[id]; !ok {
			return refused(http.StatusNotFound, "Report not found")
		}
		delete(s.reports, id)
		return reply{http.StatusNoContent, nil}
	case http.MethodPut:
		return s.putReport(r, c, id)
	}
	return refused(http.StatusMethodNotAllowed, s.complain("%s: no such method", c))
}

func (s *Server) putReport(r *http.Request, c Call, id string) reply {
	var body Report
	if err := decoded(r, &body); err != nil {
		return s.bad(c, err.Error())
	}
	p := body.problems(id)
	earlier := s.reports[id]
	switch {
	case earlier == nil && body.Result != "PENDING":
		p.add("the report begins as %s, not as PENDING", body.Result)
	case earlier != nil && body.Result == "PENDING" && len(earlier.Annotations) > 0:
		p.add("%d annotations of an earlier attempt would stay: delete the report first", len(earlier.Annotations))
	case earlier != nil && earlier.Result != "PENDING" && body.Result != "PENDING":
		// A retry after a lost answer sends the same once more.
		if earlier.Result != body.Result {
			p.add("the result changes from %s to %s without being pending", earlier.Result, body.Result)
		}
	}
	if len(p) > 0 {
		return s.bad(c, p...)
	}
	body.Annotations = map[string]Annotation{}
	if earlier != nil {
		body.Annotations, body.Batches = earlier.Annotations, earlier.Batches
	}
	s.reports[id] = &body
	return reply{http.StatusOK, body}
}

func (r Report) problems(id string) problems {
	var p problems
	p.name("the report's id", id)
	p.text("title", r.Title, 450, true)
	p.text("details", r.Details, 2000, true)
	p.text("reporter", r.Reporter, 450, false)
	p.oneOf("report_type", r.Type, true, "SECURITY", "COVERAGE", "TEST", "BUG")
	p.oneOf("result", r.Result, true, "PASSED", "FAILED", "PENDING")
	p.link("link", r.Link, false)
	p.link("logo_url", r.Logo, false)
	if len(r.Data) > mostData {
		p.add("%d data fields, at most %d are allowed", len(r.Data), mostData)
	}
	for _, d := range r.Data {
		p.text("title of a datum", d.Title, 450, true)
		p.oneOf("type of a datum", d.Type, false, "BOOLEAN", "DATE", "DURATION", "LINK", "NUMBER", "PERCENTAGE", "TEXT")
		d.problem(&p)
	}
	return p
}

// problem checks that the value is of the type.
func (d Datum) problem(p *problems) {
	var ok bool
	switch d.Type {
	case "BOOLEAN":
		_, ok = d.Value.(bool)
	case "DATE", "DURATION", "NUMBER":
		_, ok = d.Value.(float64)
	case "PERCENTAGE":
		n, number := d.Value.(float64)
		ok = number && n >= 0 && n <= 100
	case "TEXT":
		var text string
		text, ok = d.Value.(string)
		p.text("value of a datum", text, 450, false)
	case "LINK":
		_, ok = d.Value.(map[string]any)
	default:
		ok = d.Value != nil
	}
	if !ok {
		p.add("the datum %q of type %s has the value %v", d.Title, d.Type, d.Value)
	}
}

// annotate is a call about the annotations of a report.
func (s *Server) annotate(r *http.Request, c Call, id string) reply {
	report, ok := s.reports[id]
	if !ok {
		return refused(http.StatusNotFound, s.complain("%s: there is no such report", c))
	}
	if r.Method != http.MethodPost {
		return refused(http.StatusMethodNotAllowed, s.complain("%s: no such method", c))
	}
	var batch []Annotation
	if err := decoded(r, &batch); err != nil {
		return s.bad(c, err.Error())
	}
	var p problems
	if report.Result != "PENDING" {
		p.add("annotations come after the result %s", report.Result)
	}
	if len(batch) == 0 || len(batch) > mostInBatch {
		p.add("%d annotations in one request, 1 to %d are allowed", len(batch), mostInBatch)
	}
	all := maps.Clone(report.Annotations)
	seen := map[string]bool{}
	for _, a := range batch {
		if seen[a.ID] {
			p.add("external_id %s comes twice", a.ID)
		}
		seen[a.ID] = true
		all[a.ID] = a
		p = append(p, a.problems()...)
	}
	if len(all) > mostInReport {
		p.add("%d annotations in the report, at most %d are allowed", len(all), mostInReport)
	}
	if len(p) > 0 {
		return s.bad(c, p...)
	}
	report.Annotations = all
	report.Batches = append(report.Batches, len(batch))
	return reply{http.StatusOK, batch}
}

func (a Annotation) problems() problems {
	var p problems
	p.name("external_id", a.ID)
	p.text("external_id", a.ID, 450, true)
	p.text("summary", a.Summary, 450, true)
	p.text("details", a.Details, 2000, false)
	p.text("path", a.Path, 2000, false)
	p.file("path", a.Path)
	p.oneOf("annotation_type", a.Type, true, "VULNERABILITY", "CODE_SMELL", "BUG")
	p.oneOf("severity", a.Severity, false, "CRITICAL", "HIGH", "MEDIUM", "LOW")
	p.oneOf("result", a.Result, false, "PASSED", "FAILED", "SKIPPED", "IGNORED")
	p.link("link", a.Link, false)
	if a.Line != nil && (*a.Line < 1 || a.Path == "") {
		p.add("line %d of the file %q", *a.Line, a.Path)
	}
	return p
}
