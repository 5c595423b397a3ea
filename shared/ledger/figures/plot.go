package figures

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/ledger"
)

// Size of a plot, in its own units, with room for the scales.
const (
	width, height       = 1040.0, 260.0
	left, bottom, above = 52.0, 28.0, 10.0
)

// series is one colour of a plot.
type series struct {
	name, colour string
	value        func(Span) float64
}

// plot draws stacked bars, one for each span.
type plot struct {
	title, about string
	series       []series
	tell         func(float64) string // a value, for people
	steps        []float64            // of the scale: the first that needs few enough lines
}

func (p Page) outcomes(w io.Writer, spans []Span) {
	count := func(outcomes ...ledger.Outcome) func(Span) float64 {
		return func(s Span) float64 {
			n := 0
			for _, o := range outcomes {
				n += s.Counts[o]
			}
			return float64(n)
		}
	}
	plot{
		title: "Releases over time", about: "By what became of them, " + each(spans) + ".",
		series: []series{
			{"live", "live", count(ledger.Live)},
			{"live, unproven", "unproven", count(ledger.LiveUnproven)},
			{"rolled back", "rolled", count(ledger.RolledBack)},
			{"failed", "failed", count(ledger.Failed)},
			{"cancelled or destroyed", "other", count(ledger.Cancelled, ledger.Gone)},
		},
		tell:  func(v float64) string { return fmt.Sprintf("%.0f", v) },
		steps: []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000},
	}.draw(w, spans)
}

func (p Page) durations(w io.Writer, spans []Span) {
	d := plot{
		title: "Where the time goes", about: "Median of each part of the releases that came to life, " + each(spans) + ". Parts that nobody measured are not shown.",
		tell:  func(v float64) string { return Brief(time.Duration(v * float64(time.Second))) },
		steps: []float64{1, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400},
	}
	for i, part := range Parts {
		d.series = append(d.series, series{part.Name, part.Name, func(s Span) float64 { return s.Medians[i].Seconds() }})
	}
	d.draw(w, spans)
}

// each says how long a span is.
func each(spans []Span) string {
	if len(spans) == 0 {
		return "over no time"
	}
	last := spans[len(spans)-1]
	days := int(math.Round(last.To.Sub(last.From).Hours() / 24))
	switch days {
	case 1:
		return "each day"
	case 7:
		return "each week"
	}
	return fmt.Sprintf("for every %d days", days)
}

// scale is the distance of two lines and the top of the plot.
func (p plot) scale(spans []Span) (step, top float64) {
	highest := 0.0
	for _, s := range spans {
		sum := 0.0
		for _, one := range p.series {
			sum += one.value(s)
		}
		highest = max(highest, sum)
	}
	const lines = 6
	for _, step = range p.steps {
		if highest <= lines*step {
			break
		}
	}
	return step, max(step, math.Ceil(highest/step)*step)
}

// label is a value beside a line.
func (p plot) label(v float64) string {
	if v == 0 {
		return "0"
	}
	return strings.TrimSuffix(p.tell(v), " 00s")
}

func (p plot) draw(w io.Writer, spans []Span) {
	fmt.Fprintf(w, "<h2>%s</h2>\n<p>%s</p>\n<div class=\"key\">", p.title, p.about)
	for _, s := range p.series {
		fmt.Fprintf(w, "<span><i style=\"background:var(--%s)\"></i>%s</span>", s.colour, s.name)
	}
	fmt.Fprintf(w, "</div>\n<div class=\"scroll\"><svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n", width, height, html.EscapeString(p.title))
	step, top := p.scale(spans)
	tall := height - bottom - above
	for v := 0.0; v <= top+step/2; v += step {
		y := above + tall*(1-v/top)
		fmt.Fprintf(w, "<line class=\"grid\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
			left, width, y, y, left-6, y+4, p.label(v))
	}
	wide := (width - left) / float64(max(len(spans), 1))
	next := 0.0 // where there is room for a date
	for i, s := range spans {
		x, y := left+wide*float64(i), above+tall
		for _, one := range p.series {
			v := one.value(s)
			if v == 0 {
				continue
			}
			high := tall * v / top
			y -= high
			fmt.Fprintf(w, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"var(--%s)\"><title>%s: %s, %s</title></rect>\n",
				x+wide*0.1, y, wide*0.8, high, one.colour, s.From.Format("2 Jan 2006"), one.name, p.tell(v))
		}
		if x >= next && x < width-60 {
			next = x + 90
			fmt.Fprintf(w, "<text x=\"%.1f\" y=\"%.1f\">%s</text>\n", x, height-8, s.From.Format("2 Jan 06"))
		}
	}
	fmt.Fprint(w, "</svg></div>\n")
}
