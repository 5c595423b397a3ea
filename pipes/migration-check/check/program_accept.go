package check

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/pipes/migration-check/trace"
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
		if one.IsSQL() {
			comments.Read(one.File, one.Text, time.Now().UTC())
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

// own puts findings into the tool's own words, and takes out files that are none of the
// clone's.
func (c *check) own() {
	for i := range c.findings {
		f := &c.findings[i]
		if strings.HasPrefix(f.File, "(") {
			f.Message, f.File, f.Line = strings.Trim(f.File, "()")+": "+f.Message, "", 0
		}
		if r := rule.Find(f.Rule); f.Tool == rule.Tool && strings.HasPrefix(f.Detail, r.Why+"\n"+r.Instead) {
			words := tool.WordsFor(c.tool.Name(), f.Rule)
			if strings.HasPrefix(f.Rule, "D0") && strings.Contains(f.Message, "CONCURRENTLY cannot run inside a transaction") {
				words.Instead = tool.WordsFor(c.tool.Name(), "M205").Instead // which says how it can
			}
			more := strings.TrimPrefix(f.Detail, r.Why+"\n"+r.Instead) // such as why it is a warning only
			f.Detail = cmp.Or(words.Why, r.Why) + "\n" + cmp.Or(words.Instead, r.Instead) + more
		}
	}
	c.findings = slices.DeleteFunc(unique(c.findings), c.usual)
}

// written is a CASCADE in SQL, and not that of on_delete=models.CASCADE.
var written = regexp.MustCompile(`(?i)(?:^|[^.\w])cascade\b`)

// usual tells a CASCADE that the tool writes wherever it drops something, and which took
// nothing else along.
func (c *check) usual(f finding.Finding) bool {
	if f.Rule != "M213" || !c.program.tool.Traits().Cascades {
		return false
	}
	for _, m := range c.program.listing.Migrations {
		if m.File == f.File && written.MatchString(m.Text) {
			return false
		}
	}
	for _, m := range c.migrated {
		if m.File == f.File && slices.ContainsFunc(m.Trace.Steps, func(s trace.Step) bool {
			return s.Statement.Line == f.Line && s.Statement.Has("cascade") && takesMore(s)
		}) {
			return false
		}
	}
	return true
}

// takesMore tells whether a statement dropped what belongs to other tables than its own.
func takesMore(s trace.Step) bool {
	own := map[string]bool{}
	for _, change := range s.Changes {
		if o := change.Object(); o.Kind == "table" && s.Statement.Is("drop") {
			own[o.Name] = true
			own[o.Name+"_id_seq"] = true
		} else if o.Kind == "column" && s.Statement.Is("alter") {
			own[o.Parent] = true
		}
	}
	return slices.ContainsFunc(s.Changes, func(change schema.Change) bool {
		o := change.Object()
		return change.Op == schema.Dropped && !own[o.Name] && !own[o.Parent]
	})
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
