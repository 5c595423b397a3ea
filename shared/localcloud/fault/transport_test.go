package fault_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// service answers every call and remembers what arrived.
type service struct {
	mu   sync.Mutex
	seen []string
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, string(body))
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("fine"))}, nil
}

func request(t *testing.T, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://ec2.us-east-1.amazonaws.com/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

const describe = "Action=DescribeImages&Version=2016-11-15"

func send(t *testing.T, transport http.RoundTripper) error {
	t.Helper()
	response, err := transport.RoundTrip(request(t, describe))
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(string(body))
	}
	return err
}

func TestRequestsArriveWhole(t *testing.T) {
	next := &service{}
	transport := &fault.Transport{Next: next}
	r := request(t, describe)
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	if len(next.seen) != 1 || next.seen[0] != describe {
		t.Errorf("arrived: %q", next.seen)
	}
	if log := transport.Log(); len(log) != 1 || !log[0].Is("ec2:DescribeImages") || log[0].N != 1 {
		t.Errorf("log: %+v", log)
	}
}

func TestPlans(t *testing.T) {
	for name, test := range map[string]struct {
		plan fault.Plan
		want string // a letter each call: . fine, x failed
	}{
		"none":          {nil, "....."},
		"at":            {fault.At(2, fault.Dropped), ".x..."},
		"burst":         {fault.Burst(2, 3, fault.Throttle), ".xxx."},
		"on":            {fault.On("ec2:DescribeImages", 2, fault.Lost), "xx..."},
		"on another":    {fault.On("ec2:RunInstances", 2, fault.Lost), "....."},
		"killed before": {fault.At(4, fault.KilledBefore), "...xx"},
		"killed after":  {fault.At(3, fault.KilledAfter), "..xxx"},
	} {
		t.Run(name, func(t *testing.T) {
			transport := &fault.Transport{Next: &service{}, Plan: test.plan}
			got := ""
			for range 5 {
				if send(t, transport) != nil {
					got += "x"
				} else {
					got += "."
				}
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// The death of a program ends the calls of all its goroutines.
func TestKilledWhileOthersCall(t *testing.T) {
	next := &service{}
	transport := &fault.Transport{Next: next, Plan: fault.At(10, fault.KilledBefore)}
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			if err := send(t, transport); err != nil && !errors.Is(err, fault.ErrKilled) {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if len(next.seen) != 9 || transport.Calls() != 10 {
		t.Errorf("%d calls arrived and %d were attempted, want 9 and 10", len(next.seen), transport.Calls())
	}
}
