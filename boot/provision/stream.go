package provision

import (
	"context"
	"fmt"
	"time"
)

// streamEvery is how often a log that grew is uploaded: often enough to be
// read live, seldom enough to cost nothing (a PUT is about $0.000005).
const streamEvery = 2 * time.Second

// putBound ends one upload of the log; the next carries its text as well.
const putBound = 30 * time.Second

// streaming is the upload of a growing log.
type streaming struct {
	cancel context.CancelFunc
	ended  chan struct{}
}

// stream uploads the log whenever it grew, until stop is called.
func stream(ctx context.Context, log *transcript, put func(context.Context, []byte) error) *streaming {
	ctx, cancel := context.WithCancel(ctx)
	s := &streaming{cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		ticker := time.NewTicker(streamEvery)
		defer ticker.Stop()
		uploaded, problem := 0, ""
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			text, version := log.growing()
			if version == uploaded {
				continue
			}
			bounded, cancel := context.WithTimeout(ctx, putBound)
			err := put(bounded, text)
			cancel()
			if err == nil {
				uploaded, problem = version, ""
			} else if err.Error() != problem && ctx.Err() == nil {
				problem = err.Error()
				fmt.Fprintf(log.out, "boot: cannot upload the log now: %s\n", err)
			}
		}
	}()
	return s
}

// stop returns when no upload is under way any more, so that none can
// overtake the last one.
func (s *streaming) stop() {
	s.cancel()
	<-s.ended
}
