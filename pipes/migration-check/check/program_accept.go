package check

import (
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// acceptances reads the comments of new migrations that are programs. Each belongs to the
// operation that it is at or before.
func (c *check) acceptances(comments *rule.Acceptances) {
	for _, m := range c.new {
		one, ok := c.program.listing.Find(m.Version.String())
		if !ok || one.External {
			continue
		}
		spans, remarks := tool.Scan(one.Text)
		for _, o := range one.Operations {
			if o.First > 0 {
				spans = append(spans, tool.Span{First: o.First, Last: o.Last})
			}
		}
		for _, r := range remarks {
			first, last, head := tool.Nearest(spans, r.Line)
			comments.Add(one.File, r.Text, rule.Range{Line: r.Line, First: first, Last: last, Head: head}, time.Now().UTC())
		}
	}
}

// own puts the tool's own remedies into findings, and takes out files that are none of
// the clone's.
func (c *check) own() {
	remedies := tool.Remedies(c.tool.Name())
	for i := range c.findings {
		f := &c.findings[i]
		if strings.HasPrefix(f.File, "(") {
			f.Message, f.File, f.Line = strings.Trim(f.File, "()")+": "+f.Message, "", 0
		}
		if remedy, ok := remedies[f.Rule]; ok && f.Tool == rule.Tool {
			f.Detail = rule.Find(f.Rule).Why + "\n" + remedy
		}
	}
	c.findings = unique(c.findings)
}

// unique takes out findings that say the same of the same line: an operation may be
// several statements.
func unique(all []finding.Finding) []finding.Finding {
	var kept []finding.Finding
	for _, f := range all {
		if !slices.ContainsFunc(kept, func(k finding.Finding) bool {
			return k.Rule == f.Rule && k.File == f.File && k.Line == f.Line && k.Message == f.Message
		}) {
			kept = append(kept, f)
		}
	}
	return kept
}
