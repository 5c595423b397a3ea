package bitbucket

import (
	"context"
	"time"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Log is where a Reporter says what it could not do: a console.
type Log interface {
	Info(format string, args ...any)
	Warn(format string, args ...any)
}

// firstWords is how long a check may be kept waiting until Bitbucket knows that
// it runs.
const firstWords = 20 * time.Second

// lastWords is how long a result may take to be told, also when the run it
// belongs to has been stopped: a report that stays pending is worse than none.
const lastWords = time.Minute

// Reporter tells Bitbucket without ever changing what a pipe decides: what
// cannot be told is said in the log. The zero value of its client tells
// nobody.
type Reporter struct {
	client *Client
	log    Log
}

// NewReporter opens a client for a Reporter. Where there is none to be had it
// says so, once, and the Reporter does nothing.
func NewReporter(s Settings, o Options, log Log) *Reporter {
	client, err := Open(s, o)
	if err != nil {
		log.Info("nothing is reported to Bitbucket: %v", err)
	}
	return &Reporter{client, log}
}

// Begin is Client.Begin.
func (r *Reporter) Begin(ctx context.Context, report Report) {
	if r.client == nil || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, firstWords)
	defer cancel()
	r.say(r.client.Begin(ctx, report))
}

// Report is Client.Report, also when ctx has ended. It says aloud what the
// report cannot show.
func (r *Reporter) Report(ctx context.Context, report Report) {
	if r.client == nil {
		return
	}
	if left := CutOff(len(report.Findings)); left > 0 {
		r.log.Warn("Bitbucket shows %d annotations of a report: %d of the %d findings are not among them, the worst are", MostAnnotations, left, len(report.Findings))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	r.say(r.client.Report(ctx, report))
}

// Status is Client.Status, also when ctx has ended.
func (r *Reporter) Status(ctx context.Context, status Status) {
	if r.client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	r.say(r.client.Status(ctx, status))
}

// Comment is Client.Comment on the pull request of the pipeline. Outside of
// one, and without a token, there is nothing to be done and little to be said.
func (r *Reporter) Comment(ctx context.Context, marker, markdown string) {
	switch {
	case r.client == nil || r.client.settings.PullRequest == 0:
	case r.client.token == nil:
		r.log.Info("no comment on pull request %d: that takes BITBUCKET_ACCESS_TOKEN, a token with the permission %s", r.client.settings.PullRequest, writePullRequests)
	default:
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		r.say(r.client.Comment(ctx, r.client.settings.PullRequest, marker, markdown))
	}
}

func (r *Reporter) say(err error) {
	if err == nil {
		return
	}
	text := "this changes nothing about the verdict, but Bitbucket does not show it: " + err.Error()
	for _, hint := range exit.HintsOf(err) {
		text += "\n" + hint
	}
	r.log.Warn("%s", text)
}
