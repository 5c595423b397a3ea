package testenv

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"bitbucket.org/fearless/pipes/shared/console"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

// list shows the test environments that there are.
func (r *run) list(ctx context.Context) (pipe.Result, error) {
	found, err := r.environments(ctx)
	if err != nil {
		return nil, err
	}
	result := &Result{Application: r.s.Application, Outcome: OutcomeListed}
	for i := range found {
		if found[i].Armed, err = r.armed(ctx, found[i].Stack.Name); err != nil {
			return nil, err
		}
		result.Environments = append(result.Environments, r.row(found[i]))
	}
	if len(found) == 0 {
		r.rt.Console.Success("There are no test environments of %s", r.s.Application)
		return result, nil
	}
	for line := range strings.Lines(r.table(found)) {
		r.rt.Console.Plain("%s", strings.TrimRight(line, " \n"))
	}
	r.rt.Console.Success("%d test environments of %s", len(found), r.s.Application)
	return result, nil
}

// table has a line for each.
func (r *run) table(found []Environment) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "COMMIT\tBRANCH\tAGE\tUNTIL\tURL")
	for _, e := range found {
		url := e.URL
		if url == "" || e.doomed(time.Now()) != "" {
			url = string(e.Stack.Status)
		}
		fmt.Fprintf(w, "%.12s\t%s\t%s\t%s\t%s\n", e.Commit, orNone(e.Branch), console.Duration(time.Since(e.Stack.Changed).Round(time.Minute)),
			e.ends().In(r.s.zone()).Format("Mon 2 Jan 15:04"), url)
	}
	_ = w.Flush() // into memory
	return b.String()
}

func orNone(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// row is an environment in a result.
func (r *run) row(e Environment) Row {
	return Row{
		Commit: e.Commit, Branch: e.Branch, Owner: e.Owner, URL: e.URL, Stack: e.Stack.Name, Status: string(e.Stack.Status),
		Created: e.Stack.Changed.UTC(), Expires: e.ends().UTC(),
	}
}
