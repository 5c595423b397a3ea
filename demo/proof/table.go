package proof

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// Table shows what the clients of environments saw, phase by phase.
func Table(environments ...*Environment) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ENVIRONMENT\tPHASE\tTIMES\tREQUESTS\tFAILED\tSTRANGE\tP50\tP99\tVERSIONS")
	late, skipped := 0, 0
	for _, e := range environments {
		if e == nil { // it never came up
			continue
		}
		times, order := map[string]int{}, []string{}
		for _, p := range e.Counts() {
			if times[p.Phase]++; times[p.Phase] == 1 {
				order = append(order, p.Phase)
			}
			late, skipped = late+p.Late, skipped+p.Skipped
		}
		for _, phase := range order {
			c := e.Of(phase)
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", e.Name, phase, times[phase], c.Sent, c.Failed, c.Strange,
				c.Quantile(0.5).Round(100*time.Microsecond), c.Quantile(0.99).Round(100*time.Microsecond), c.Seen())
		}
	}
	_ = w.Flush()
	if late+skipped > 0 {
		fmt.Fprintf(&text, "This computer could not keep the rate: %d requests were sent late, %d were not sent.\n", late, skipped)
	}
	return text.String()
}
