package agent

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/shared/contract"
)

// Uploads: the log at most every 5 s (a PUT is about $0.000005, so a server
// that logs all day costs less than 9 cents), the state as soon as it changes.
const (
	reportEvery = 5 * time.Second
	reportBound = 30 * time.Second
	lastBound   = 20 * time.Second // an upload that others wait for
)

// reports say in the bucket how the server is.
type reports struct {
	objects        Objects
	place          *contract.Place // nil: only the log says it
	role, instance string
	log            *journal
	changed        chan struct{}

	mu      sync.Mutex
	state   contract.State
	version int

	sending            chan struct{} // full while somebody uploads; guards what follows
	sentLog, sentState int
	problem            string
}

func newReports(objects Objects, place *contract.Place, log *journal) *reports {
	return &reports{objects: objects, place: place, log: log, changed: make(chan struct{}, 1), sending: make(chan struct{}, 1)}
}

// set records the state; a change is logged and uploaded.
func (r *reports) set(ready bool, reason string, processes []contract.ProcessState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := contract.State{Contract: contract.Version, Ready: ready, Since: r.state.Since, Reason: reason, Processes: processes, Knows: contract.Known()}
	first := r.version == 0
	if first || next.Ready != r.state.Ready {
		next.Since = time.Now().UTC()
	}
	if !first && reflect.DeepEqual(next, r.state) {
		return
	}
	if first || next.Ready != r.state.Ready || next.Reason != r.state.Reason {
		if ready {
			r.log.say("ready")
		} else {
			r.log.say("not ready: %s", reason)
		}
	}
	r.state = next
	r.version++
	select {
	case r.changed <- struct{}{}:
	default: // an upload is due already
	}
}

// start uploads in the background. The returned function ends that with one
// last upload; it works when the context is over, too.
func (r *reports) start(ctx context.Context) (finish func()) {
	if r.place == nil {
		return func() {}
	}
	ctx = context.WithoutCancel(ctx)
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(reportEvery)
		defer ticker.Stop()
		for {
			select {
			case <-running.Done():
				return
			case <-ticker.C:
			case <-r.changed:
			}
			r.upload(running)
		}
	}()
	return func() {
		stop()
		<-ended
		r.flush(ctx)
	}
}

// flush uploads now what changed, and returns when it is there or cannot be.
func (r *reports) flush(ctx context.Context) {
	if r.place == nil {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, lastBound)
	defer cancel()
	r.upload(bounded)
}

// upload sends what changed: first the log, so that whoever reads the reason
// finds the lines that led to it.
func (r *reports) upload(ctx context.Context) {
	select {
	case r.sending <- struct{}{}:
		defer func() { <-r.sending }()
	case <-ctx.Done():
		return
	}
	text, version := r.log.recent()
	if version != r.sentLog && r.put(ctx, r.place.Log(r.role, r.instance), "text/plain; charset=utf-8", text) {
		r.sentLog = version
	}
	r.mu.Lock()
	state, version := r.state, r.version
	r.mu.Unlock()
	if version == r.sentState {
		return
	}
	body, err := state.Marshal()
	if err == nil && r.put(ctx, r.place.State(r.role, r.instance), "application/json", string(body)) {
		r.sentState = version
	}
}

func (r *reports) put(ctx context.Context, key, kind, body string) bool {
	bounded, cancel := context.WithTimeout(ctx, reportBound)
	defer cancel()
	_, err := r.objects.PutObject(bounded, &s3.PutObjectInput{
		Bucket: aws.String(r.place.Bucket), Key: aws.String(key), ContentType: aws.String(kind), Body: strings.NewReader(body),
	})
	if err == nil {
		r.problem = ""
		return true
	}
	// Said once; the line itself would else be the next thing to upload.
	if r.problem == "" && ctx.Err() == nil {
		r.problem = err.Error()
		r.log.say("cannot upload to %s: %s", r.place, err)
	}
	return false
}
