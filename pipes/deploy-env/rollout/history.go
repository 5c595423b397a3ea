package rollout

import (
	"context"
	"fmt"
	"io"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/ledger/figures"
	"bitbucket.org/fearless/pipes/shared/outputs"
)

// rows is how many releases the log shows; the page has more of them.
const rows = 20

// history tells of the releases of a period: a table and four figures in the log, and a
// page with plots.
func (d *deployer) history(ctx context.Context) (*Result, error) {
	to := time.Now().UTC()
	from := to.Add(-d.s.Period.Std())
	records, err := d.op.Ledger.All(ctx, from)
	if err != nil {
		return nil, err
	}
	page := figures.Page{
		Application: d.s.Application, Environment: d.s.Environment, From: from, To: to,
		Releases: ledger.Releases(records), Held: ledger.Held(records),
	}
	d.tell(page)
	place := outputs.Place{Dir: d.rt.CloneDir()}
	name, err := place.File(d.s.Environment+".history.html", 0o644, func(w io.Writer) error { return page.Write(w) })
	if err != nil {
		return nil, exit.Unablef("the page cannot be written: %w", err)
	}
	d.rt.Console.Success("The page is %s: keep it as an artifact of the step, and open it in any browser", name)
	return &Result{
		Application: d.s.Application, Environment: d.s.Environment, Outcome: OutcomeTold, Files: []string{name},
		Seconds: time.Since(d.rt.Started).Seconds(),
	}, nil
}

// tell puts the last releases and the figures into the log.
func (d *deployer) tell(page figures.Page) {
	log := d.rt.Console
	log.Heading("The last releases of %s, of %d since %s", d.s.Environment, len(page.Releases), page.From.Format(time.DateOnly))
	const line = "  %-16s  %-12s  %-8s  %-14s  %9s  %s"
	log.Plain(line, "began, UTC", "commit", "why", "outcome", "took", "by")
	for i, r := range page.Releases {
		if i == rows {
			break
		}
		by := r.Start.By.Who
		if r.Start.By.Build > 0 {
			by = fmt.Sprintf("pipeline %d", r.Start.By.Build)
		}
		log.Plain(line, r.Start.Time.Format("2006-01-02 15:04"), r.Start.Commit[:min(12, len(r.Start.Commit))], r.Start.Why,
			figures.Became(r), figures.Took(r), by)
	}
	for _, hold := range page.Held {
		log.Plain("  held since %s: commit %.12s: %s", hold.Time.Format("2006-01-02 15:04"), hold.Commit, hold.Reason)
	}
	log.Heading("Delivery")
	for i, text := range figures.Of(page.Releases, page.From, page.To).Texts() {
		log.Plain("  %-22s %s (%s)", figures.Definitions[i].Name, text.Figure, text.Of)
	}
}
