package recall_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/pipes/rollback/recall"
	"bitbucket.org/fearless/pipes/shared/bitbucket/fake"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// calls tells whether a request is a call of an action. It puts the body back.
func calls(r *http.Request, action string) bool {
	if r.Body == nil {
		return false
	}
	content, _ := io.ReadAll(r.Body) // the SDK's bodies are in memory
	r.Body = io.NopCloser(bytes.NewReader(content))
	return strings.Contains(string(content)+"&", "Action="+action+"&")
}

// The release in progress comes through in the moment before it would have been stopped.
func TestTooLateToCancel(t *testing.T) {
	story(t, "12", func(t *testing.T, p *place) {
		end := p.begin('3', p.soaking)
		late := false
		p.Wire = func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				if !late && calls(r, "CancelUpdateStack") {
					late = true
					p.When("the soak is over", func() bool { return !p.booting() })
				}
				return next.RoundTrip(r)
			})
		}
		p.rollback("previous", nil).Expect(t, exit.Passed, "Cancelling the update", "Somebody else changes production at this moment: looking again", "of commit 222222222222 again")
		p.Wire = nil
		end().Expect(t, exit.Passed)
		if !late {
			t.Error("nothing was cancelled")
		}
		p.checkRunning('2')
		p.checkTale("1111 live", "2222 live", "3333 live", "2222 live, rollback", "3333 held")
	})
}

// The step is stopped: CloudFormation goes on, and the same step run again sees to the end.
func TestStoppedAndRunAgain(t *testing.T) {
	story(t, "123", func(t *testing.T, p *place) {
		interrupt := make(chan struct{}, 1)
		timer := time.AfterFunc(8*time.Second, func() { interrupt <- struct{}{} })
		defer timer.Stop()
		same := []string{"COMMIT=previous", "BITBUCKET_BUILD_NUMBER=42", "BITBUCKET_REPO_FULL_NAME=acme/shop"}
		main := pipe.Pipe[recall.Settings]{Name: recall.Name, Run: recall.Run}.Main
		p.Run(main, interrupt, nil, same...).Expect(t, exit.Interrupted, "the update goes on in CloudFormation", "run the pipe again")
		p.Run(main, nil, nil, same...).Expect(t, exit.Passed, "the rollback to it began at", "following it", "of commit 222222222222 again")
		p.Run(main, nil, nil, same...).Expect(t, exit.Passed, "runs commit 222222222222 already")
		p.checkRunning('2')
		p.checkTale("1111 live", "2222 live", "3333 live", "2222 live, rollback", "3333 held")
	})
}

// The commit that runs again says so, below itself in Bitbucket.
func TestStatusOfTheCommit(t *testing.T) {
	story(t, "12", func(t *testing.T, p *place) {
		p.Bitbucket = fake.New(fake.Options{Commit: commit('1'), StatusByProxy: true})
		p.rollback("previous", nil, "REASON=slow", "BITBUCKET_PIPELINE_UUID={1}", "BITBUCKET_BUILD_NUMBER=9", "BITBUCKET_REPO_FULL_NAME=acme/shop",
			"BITBUCKET_WORKSPACE=acme", "BITBUCKET_REPO_SLUG=shop", "BITBUCKET_COMMIT="+commit('2')).Expect(t, exit.Passed)
		status := p.Bitbucket.Statuses()["rollback.shop.production"]
		if status.State != "SUCCESSFUL" || status.Description != "runs this commit again: slow" || !strings.HasSuffix(status.URL, "/pipelines/results/9") {
			t.Errorf("%+v, %v", status, p.Bitbucket.Complaints())
		}
	})
}
