package figures

import (
	"bufio"
	"cmp"
	"fmt"
	"html"
	"io"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/ledger"
)

// Page is what the page is about.
type Page struct {
	Application string
	Environment string
	Releases    []ledger.Release // the newest first
	Held        []ledger.Record
	From, To    time.Time
}

// mostRows bounds the table of releases; the plots and figures take all of them.
const mostRows, mostFailures = 200, 50

// style gives the page one set of colours for light and one for dark surroundings. The
// parts of a release and the outcomes can be told apart without seeing red and green.
const style = `
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#5c6570;--line:#d5dae0;--card:#f5f7f9;
--live:#2a7ab9;--unproven:#8cbfe6;--rolled:#e08a1e;--failed:#c0392b;--other:#8b949e;
--bake:#7e57c2;--boot:#2a7ab9;--health:#1f9e89;--soak:#b7c93d;--cleanup:#8b949e}
@media(prefers-color-scheme:dark){:root{--bg:#14181d;--fg:#e4e8ec;--dim:#9aa5b1;--line:#363e48;--card:#1d232a;
--live:#4fa3e3;--unproven:#2c5f87;--rolled:#f0a848;--failed:#ef6a5b;--other:#6b7682;
--bake:#a98ae0;--boot:#4fa3e3;--health:#35c9af;--soak:#c9d94f;--cleanup:#6b7682}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1080px;padding:24px 16px;background:var(--bg);color:var(--fg);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}h1{font-size:26px;margin:0}h2{font-size:18px;margin:32px 0 8px}
p{margin:4px 0 12px;color:var(--dim)}.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(230px,1fr));gap:12px;margin-top:20px}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:14px}.card b{display:block;font-size:26px;line-height:1.3}
.card small{color:var(--dim);display:block}svg{display:block;width:100%;min-width:640px;height:auto}svg text{fill:var(--dim);font-size:12px}
.grid{stroke:var(--line)}.key{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:13px;color:var(--dim)}
.key i{display:inline-block;width:12px;height:12px;border-radius:2px;margin-right:6px;vertical-align:-1px}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px}th,td{text-align:left;padding:5px 10px 5px 0;
border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}th{color:var(--dim);font-weight:600}td.why{white-space:normal;min-width:260px}
td.n,th.n{text-align:right;padding-right:20px;font-variant-numeric:tabular-nums}code{font-size:13px}a{color:var(--live)}
`

// Write writes the page: one file that needs nothing from elsewhere and runs no program.
func (p Page) Write(w io.Writer) error {
	b := bufio.NewWriter(w)
	title := html.EscapeString("Releases of " + p.Application + " to " + p.Environment)
	fmt.Fprintf(b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title>\n", title)
	fmt.Fprintf(b, "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<style>%s</style></head><body>\n", style)
	fmt.Fprintf(b, "<h1>%s</h1>\n<p>%s to %s, UTC. %d releases.</p>\n", title, p.From.Format("2 January 2006"), p.To.Format("2 January 2006, 15:04"), len(p.Releases))
	p.cards(b)
	spans := Spans(p.Releases, p.From, p.To)
	p.outcomes(b, spans)
	p.durations(b, spans)
	p.failures(b)
	p.holds(b)
	p.table(b)
	fmt.Fprint(b, "</body></html>\n")
	return b.Flush()
}

func (p Page) cards(w io.Writer) {
	f := Of(p.Releases, p.From, p.To)
	fmt.Fprint(w, "<div class=\"cards\">")
	for i, text := range f.Texts() {
		fmt.Fprintf(w, "<div class=\"card\">%s<b>%s</b><small>%s</small><small>%s</small></div>\n",
			Definitions[i].Name, html.EscapeString(text.Figure), html.EscapeString(text.Of), Definitions[i].Text)
	}
	fmt.Fprint(w, "</div>\n")
}

// Text is a figure for people, and of how much it was made.
type Text struct{ Figure, Of string }

// Texts are the four figures in the order of Definitions.
func (f Figures) Texts() []Text {
	texts := []Text{
		{fmt.Sprintf("%.1f a week", f.PerWeek), fmt.Sprintf("%d deploys", f.Deploys)},
		{Brief(f.Lead), fmt.Sprintf("median of %d deploys", f.LeadOf)},
		{"unknown", "no deploy ended"},
		{Brief(f.Restore), fmt.Sprintf("median of %d rollbacks", f.Restored)},
	}
	if f.LeadOf == 0 {
		texts[1] = Text{"unknown", "of no deploy it is known when its commit was made"}
	}
	if f.Ended > 0 {
		texts[2] = Text{fmt.Sprintf("%.1f %%", 100*float64(f.Failures)/float64(f.Ended)), fmt.Sprintf("%d of %d deploys", f.Failures, f.Ended)}
	}
	if f.Restored == 0 {
		texts[3] = Text{"nothing to restore", "no release was undone by a rollback"}
	}
	return texts
}

// Brief is a time with as many digits as people care for.
func Brief(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.1f days", d.Hours()/24)
	case d >= time.Hour:
		return fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf("%dm %02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%.1fs", d.Seconds())
}

func (p Page) failures(w io.Writer) {
	fmt.Fprint(w, "<h2>Failures</h2>\n")
	n := 0
	for _, r := range p.Releases {
		if r.Open() || alive(r) || r.Outcome() == ledger.Gone || r.Outcome() == ledger.Cancelled {
			continue
		}
		if n++; n == 1 {
			fmt.Fprint(w, "<div class=\"scroll\"><table><tr><th>Ended</th><th>Commit</th><th>Outcome</th><th>First cause</th></tr>\n")
		}
		if n <= mostFailures {
			fmt.Fprintf(w, "<tr><td>%s</td><td><code>%.12s</code></td><td>%s</td><td class=\"why\">%s</td></tr>\n",
				r.At.Format("2006-01-02 15:04"), html.EscapeString(r.Start.Commit), r.Outcome(), html.EscapeString(r.End.Failure))
		}
	}
	switch {
	case n == 0:
		fmt.Fprint(w, "<p>No release failed.</p>\n")
	case n > mostFailures:
		fmt.Fprintf(w, "</table></div>\n<p>The last %d of %d.</p>\n", mostFailures, n)
	default:
		fmt.Fprint(w, "</table></div>\n")
	}
}

func (p Page) holds(w io.Writer) {
	if len(p.Held) == 0 {
		return
	}
	fmt.Fprint(w, "<h2>Held commits</h2>\n<div class=\"scroll\"><table><tr><th>Since</th><th>Commit</th><th>Reason</th></tr>\n")
	for _, h := range p.Held {
		fmt.Fprintf(w, "<tr><td>%s</td><td><code>%.12s</code></td><td class=\"why\">%s</td></tr>\n",
			h.Time.Format("2006-01-02 15:04"), html.EscapeString(h.Commit), html.EscapeString(cmp.Or(h.Reason, "no reason was given")))
	}
	fmt.Fprint(w, "</table></div>\n")
}

func (p Page) table(w io.Writer) {
	fmt.Fprint(w, "<h2>Releases</h2>\n<div class=\"scroll\"><table><tr><th>Began</th><th>Commit</th><th>Why</th><th>Outcome</th><th class=\"n\">Took</th><th class=\"n\">Servers</th><th>Pipeline</th></tr>\n")
	for i, r := range p.Releases {
		if i == mostRows {
			break
		}
		servers := 0
		for _, n := range r.Start.Roles {
			servers += n
		}
		link := ""
		if by := r.Start.By; strings.HasPrefix(by.Pipeline, "https://") {
			link = fmt.Sprintf("<a href=\"%s\">%d</a>", html.EscapeString(by.Pipeline), by.Build)
		}
		fmt.Fprintf(w, "<tr><td>%s</td><td><code>%.12s</code></td><td>%s</td><td>%s</td><td class=\"n\">%s</td><td class=\"n\">%d</td><td>%s</td></tr>\n",
			r.Start.Time.Format("2006-01-02 15:04"), html.EscapeString(r.Start.Commit), html.EscapeString(r.Start.Why), Became(r), Took(r), servers, link)
	}
	fmt.Fprint(w, "</table></div>\n")
	if n := len(p.Releases); n > mostRows {
		fmt.Fprintf(w, "<p>The last %d of %d.</p>\n", mostRows, n)
	}
}

// Became is the outcome of a release for people.
func Became(r ledger.Release) string { return cmp.Or(string(r.Outcome()), "not known yet") }

// Took is how long a release took; blank when that is not known.
func Took(r ledger.Release) string {
	if took, known := r.End.Durations.Total.Get(); known && !r.Open() {
		return Brief(took)
	}
	return ""
}
