package cloudformation

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

// signalPolicy is a CreationPolicy: how many signals within what time.
type signalPolicy struct {
	count   int
	timeout time.Duration
	percent int // of count must be SUCCESS
}

// updatePolicy says how a group takes on a new launch template. Without
// either it keeps its servers.
type updatePolicy struct {
	replace bool // AutoScalingReplacingUpdate
	rolling *rollingPolicy
}

// rollingPolicy is an AutoScalingRollingUpdate.
type rollingPolicy struct {
	batch     int
	inService int // MinInstancesInService
	active    int // MinActiveInstancesPercent
	percent   int // MinSuccessfulInstancesPercent
	pause     duration
	signals   bool
	suspend   []string
}

// duration is a time in ISO 8601, as events repeat it.
type duration struct {
	time.Duration
	text string
}

var isoDuration = regexp.MustCompile(`^PT(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)S)?$`)

func parseDuration(text string, longest time.Duration) (duration, error) {
	m := isoDuration.FindStringSubmatch(text)
	if m == nil || text == "PT" {
		return duration{}, invalid("Template format error: %q is not a duration such as PT15M", text)
	}
	var d time.Duration
	for n, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		count, _ := strconv.Atoi("0" + m[n+1])
		d += time.Duration(count) * unit
	}
	if d > longest {
		return duration{}, invalid("Template format error: the duration %s is longer than %s", text, longest)
	}
	return duration{d, text}, nil
}

func policyReader(value any) (*resource.Reader, error) {
	object, ok := value.(map[string]any)
	if !ok {
		return nil, malformed("a policy must be an object")
	}
	return resource.Properties(object).Reader(), nil
}

// parseCreation reads a CreationPolicy; nil when there is none. Signals are
// at most 12 hours away, 5 minutes by default.
func parseCreation(value any) (*signalPolicy, error) {
	if value == nil {
		return nil, nil //nolint:nilnil // no policy is what was asked for
	}
	r, err := policyReader(value)
	if err != nil {
		return nil, err
	}
	if !r.Has("ResourceSignal") {
		return nil, r.Done()
	}
	text := r.String("ResourceSignal.Timeout")
	if text == "" {
		text = "PT5M"
	}
	p := &signalPolicy{
		count:   r.Int("ResourceSignal.Count", 1),
		percent: r.Int("AutoScalingCreationPolicy.MinSuccessfulInstancesPercent", 100),
	}
	timeout, err := parseDuration(text, 12*time.Hour)
	if err != nil {
		return nil, err
	}
	p.timeout = timeout.Duration
	return p, wrapPolicy("CreationPolicy", r.Done())
}

func parseUpdate(value any) (updatePolicy, error) {
	if value == nil {
		return updatePolicy{}, nil
	}
	r, err := policyReader(value)
	if err != nil {
		return updatePolicy{}, err
	}
	p := updatePolicy{replace: r.Bool("AutoScalingReplacingUpdate.WillReplace", false)}
	if r.Has("AutoScalingRollingUpdate") {
		rolling := r.Map("AutoScalingRollingUpdate")
		p.rolling = &rollingPolicy{
			batch:     rolling.Int("MaxBatchSize", 1),
			inService: rolling.Int("MinInstancesInService", 0),
			active:    rolling.Int("MinActiveInstancesPercent", 100),
			percent:   rolling.Int("MinSuccessfulInstancesPercent", 100),
			signals:   rolling.Bool("WaitOnResourceSignals", false),
			suspend:   rolling.Strings("SuspendProcesses"),
		}
		text := rolling.String("PauseTime")
		if text == "" {
			text = "PT0S"
			if p.rolling.signals {
				text = "PT5M"
			}
		}
		if p.rolling.pause, err = parseDuration(text, time.Hour); err != nil {
			return updatePolicy{}, err
		}
		if p.rolling.batch < 1 || p.rolling.batch > 100 {
			return updatePolicy{}, malformed("MaxBatchSize must be from 1 to 100")
		}
	}
	return p, wrapPolicy("UpdatePolicy", r.Done())
}

func wrapPolicy(name string, err error) error {
	if err == nil {
		return nil
	}
	return malformed("%s", fmt.Sprintf("%s: %v", name, err))
}

// required is how many of count signals must be SUCCESS.
func required(count, percent int) int {
	return (count*percent + 99) / 100
}
