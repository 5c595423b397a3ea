package bake_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bitbucket.org/fearless/pipes/boot/provision"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
)

// story runs a test in simulated time.
func story(t *testing.T, timing localcloud.Timing, play func(*testing.T, *place)) {
	t.Helper()
	t.Parallel()
	sample(t) // outside of the bubble
	synctest.Test(t, func(t *testing.T) { play(t, newPlace(t, timing)) })
}

func TestBake(t *testing.T) {
	story(t, localcloud.CloudLike(), func(t *testing.T, l *place) {
		l.run(nil).Expect(t, exit.Passed, "step 1", "step 4", "is baked for commit", "ami-bake passed after")
		l.checkOneImage("after a bake")
		img := l.Cloud.Images()[0]
		for tag, want := range map[string]string{
			"fearless:application": "shop", "fearless:commit": sample(t).first, "fearless:contract": "1",
			"fearless:processes": "web worker release",
		} {
			if img.Tags[tag] != want {
				t.Errorf("tag %s is %q, want %q", tag, img.Tags[tag], want)
			}
		}
		var result struct {
			Result struct {
				Image string `json:"image"`
				Baked bool   `json:"baked"`
			} `json:"result"`
		}
		content, err := os.ReadFile(filepath.Join(l.Clone, ".fearless", "ami-bake.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(content, &result); err != nil || result.Result.Image != img.ID || !result.Result.Baked {
			t.Errorf("%v: %s", err, content)
		}
	})
}

func TestSameInputsAreNotBakedTwice(t *testing.T) {
	story(t, localcloud.CloudLike(), func(t *testing.T, l *place) {
		l.run(nil).Expect(t, exit.Passed)
		for _, commit := range []string{sample(t).first, sample(t).again, sample(t).again[:12]} {
			o := l.run(nil, "COMMIT="+commit).Expect(t, exit.Passed, "answers for commit")
			if len(o.Calls) > 5 {
				t.Errorf("%d calls for a known image, at most 5 are allowed: %v", len(o.Calls), o.Calls)
			}
		}
		if n := len(l.Cloud.Instances()); n != 1 {
			t.Errorf("%d build servers", n)
		}
		l.run(nil, "COMMIT="+sample(t).changed).Expect(t, exit.Passed, "is baked for commit")
		if n := len(l.available()); n != 2 {
			t.Errorf("%d images after a change, want 2", n)
		}
		l.checkNothingElse("at the end")
	})
}

func TestOldImageIsBakedAfresh(t *testing.T) {
	story(t, quick, func(t *testing.T, l *place) {
		l.run(nil).Expect(t, exit.Passed)
		time.Sleep(6 * 24 * time.Hour) //nolint:forbidigo // simulated
		l.run(nil).Expect(t, exit.Passed, "answers for commit")
		time.Sleep(2 * 24 * time.Hour) //nolint:forbidigo // simulated
		l.run(nil).Expect(t, exit.Passed, "older than 7d", "is baked for commit")
		l.run(nil).Expect(t, exit.Passed, "answers for commit")
		l.run(nil, "BASE_MAX_AGE=0d").Expect(t, exit.Passed, "is baked for commit")
		if n := len(l.available()); n != 3 {
			t.Errorf("%d images, want 3", n)
		}
		l.checkNothingElse("at the end")
	})
}

func TestTwoRunsShareOneBake(t *testing.T) {
	story(t, localcloud.CloudLike(), func(t *testing.T, l *place) {
		var both sync.WaitGroup
		outcomes := make([]lab.Outcome, 2)
		for i := range outcomes {
			clone := l.copyClone()
			both.Go(func() { outcomes[i] = l.run(nil, "BITBUCKET_CLONE_DIR="+clone) })
		}
		both.Wait()
		followed := 0
		for _, o := range outcomes {
			o.Expect(t, exit.Passed, "step 4")
			followed += strings.Count(o.Log, "Another run is baking the same inputs")
		}
		if n := len(l.Cloud.Instances()); n != 1 || followed != 1 {
			t.Errorf("%d build servers, %d followers", n, followed)
		}
		l.checkOneImage("after both")
	})
}

// A run that comes at any moment of another one's bake shares its server and image,
// also when so much happens between two of its calls that they do not fit together.
func TestSecondRunAtAnyMoment(t *testing.T) {
	for after := 500 * time.Millisecond; after < 45*time.Second; after += 1300 * time.Millisecond {
		t.Run(after.String(), func(t *testing.T) {
			story(t, quick, func(t *testing.T, l *place) {
				var first lab.Outcome
				var both sync.WaitGroup
				both.Go(func() { first = l.run(nil) })
				time.Sleep(after) //nolint:forbidigo // simulated
				slow := func(fault.Call) fault.Fault { return fault.Stall(1700 * time.Millisecond) }
				second := l.run(slow, "BITBUCKET_CLONE_DIR="+l.copyClone())
				both.Wait()
				first.Expect(t, exit.Passed)
				second.Expect(t, exit.Passed)
				if n := len(l.Cloud.Instances()); n != 1 {
					t.Errorf("%d build servers; the second run:\n%s", n, second.Log)
				}
				l.checkOneImage("after both")
			})
		})
	}
}

func TestProvisioningFails(t *testing.T) {
	story(t, quick, func(t *testing.T, l *place) {
		l.script = func(_ context.Context, call provision.ScriptCall) (int, error) {
			fmt.Fprintln(call.Out, "E: Unable to locate package libfoo")
			return 100, nil
		}
		l.run(nil).Expect(t, exit.Refused, "E: Unable to locate package libfoo", "deploy/provision.sh ended with exit code 100", "ami-bake refused after")
		l.checkNothingElse("after a failure")
		if n := len(l.Cloud.Images()); n != 0 {
			t.Errorf("%d images", n)
		}
		// The same inputs can be tried again: EC2 remembers the first server's token.
		l.run(nil).Expect(t, exit.Refused, "libfoo")
		l.checkNothingElse("after the second failure")
	})
}

func TestScriptTakesTooLong(t *testing.T) {
	story(t, quick, func(t *testing.T, l *place) {
		l.script = func(ctx context.Context, _ provision.ScriptCall) (int, error) {
			<-ctx.Done()
			return -1, ctx.Err()
		}
		l.run(nil, "TIMEOUT=20m").Expect(t, exit.Unable, "the deadline was reached")
		l.checkNothingElse("after the deadline")
	})
}

func TestServerDiesSilently(t *testing.T) {
	story(t, quick, func(t *testing.T, l *place) {
		l.silent = true
		l.run(nil).Expect(t, exit.Unable, "stopped without a result", "the disk is on fire")
		l.checkNothingElse("after the loss")
	})
}

func TestTimeIsUp(t *testing.T) {
	story(t, localcloud.Timing{Pending: time.Hour, Terminating: time.Second}, func(t *testing.T, l *place) {
		l.run(nil, "TIMEOUT=10m").Expect(t, exit.Unable, "ami-bake timed out after 10m")
		l.checkNothingElse("after the timeout")
	})
}

func TestInterrupted(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, 5 * time.Second, 9 * time.Second, 16 * time.Second, 20 * time.Second, 25 * time.Second, 30 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			story(t, quick, func(t *testing.T, l *place) {
				interrupt := make(chan struct{}, 1)
				timer := time.AfterFunc(after, func() { interrupt <- struct{}{} })
				defer timer.Stop()
				o := l.runUntil(interrupt, nil)
				if o.Code != exit.Passed {
					o.Expect(t, exit.Interrupted, "ami-bake interrupted after")
				}
				l.checkNothingElse("after SIGTERM")
				l.run(nil).Expect(t, exit.Passed)
				l.checkOneImage("after the second run")
			})
		})
	}
}

func TestFailedImageIsReplaced(t *testing.T) {
	story(t, quick, func(t *testing.T, l *place) {
		l.Cloud.FailNextImage("Client.InternalError")
		l.run(nil).Expect(t, exit.Passed, "failed (Client.InternalError)", "is baked for commit")
		l.checkOneImage("after a failed image")
	})
}

func TestLaunchRefused(t *testing.T) {
	story(t, quick, func(t *testing.T, l *place) {
		l.Cloud.RefuseLaunch("InsufficientInstanceCapacity", "We currently do not have sufficient t3.medium capacity", 20)
		l.run(nil).Expect(t, exit.Unable, "sufficient t3.medium capacity", "set INSTANCE_TYPE to another type")
		l.checkNothingElse("after the refusal")
	})
}

func TestParametersStaySecret(t *testing.T) {
	story(t, quick, func(t *testing.T, l *place) {
		const secret = "s3cret-of-the-registry"
		l.Cloud.PutParameter("/shop/bake/registry-token", secret, true)
		l.script = func(_ context.Context, call provision.ScriptCall) (int, error) {
			for _, variable := range call.Environ {
				if variable == "REGISTRY_TOKEN="+secret {
					fmt.Fprintln(call.Out, "token:", secret)
					return 0, nil
				}
			}
			return 1, nil
		}
		o := l.run(nil, "BAKE_PARAMETERS=/shop/bake").Expect(t, exit.Passed, "token: ***")
		if strings.Contains(o.Log, secret) {
			t.Errorf("the secret is in the log:\n%s", o.Log)
		}
		for _, i := range l.Cloud.Instances() {
			if i.Profile != "fearless-bake-server" || strings.Contains(string(i.UserData), secret) {
				t.Errorf("profile %q; the secret in the user data: %v", i.Profile, strings.Contains(string(i.UserData), secret))
			}
		}
		l.run(nil, "BAKE_PARAMETERS=/shop/bake").Expect(t, exit.Passed, "answers for commit")
		l.Cloud.PutParameter("/shop/bake/registry-token", secret, true) // a new version
		l.run(nil, "BAKE_PARAMETERS=/shop/bake").Expect(t, exit.Passed, "is baked for commit")
		l.run(nil, "BAKE_PARAMETERS=/shop/other").Expect(t, exit.Invalid, "there are no parameters below /shop/other")
	})
}

func TestAccountAndBase(t *testing.T) {
	story(t, quick, func(t *testing.T, l *place) {
		l.run(nil, "AWS_ACCOUNT_ID=999999999999").Expect(t, exit.Invalid, "999999999999")
		l.run(nil, "BASE_IMAGE=ssm:/nowhere").Expect(t, exit.Invalid, "/nowhere holds no image id")
		l.run(nil, "BASE_IMAGE=ami-00000000").Expect(t, exit.Invalid, "there is no image ami-00000000")
		l.checkNothingElse("after refusals")
		o := l.run(nil, "APPLICATION=Shop", "COMMIT= ", "INSTANCE_TYPE=t4g.large", "SUBNET_ID=subnet-1", "TIMEOUT=soon", "PROVISON=x")
		o.Expect(t, exit.Invalid, "APPLICATION", "COMMIT", "INSTANCE_TYPE", "SUBNET_ID", "TIMEOUT", "PROVISON", "did you mean PROVISION")
		if len(o.Calls) > 0 {
			t.Errorf("AWS was called: %v", o.Calls)
		}
	})
}
