package localcloud_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
	"bitbucket.org/fearless/pipes/shared/localcloud/journal"
)

// withToken is a launch that works, with a client token.
func (b *bench) withToken(token string) *ec2.RunInstancesInput {
	in := b.input(idle)
	in.ClientToken = &token
	return in
}

func (b *bench) run(in *ec2.RunInstancesInput) string {
	b.Helper()
	out, err := b.ec2.RunInstances(b.Context(), in)
	if err != nil {
		b.Fatal(err)
	}
	return *out.Instances[0].InstanceId
}

func TestClientTokenLaunchesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.CloudLike())
		first := b.run(b.withToken("one"))
		if again := b.run(b.withToken("one")); again != first {
			t.Errorf("the same token launched %s and %s", first, again)
		}
		if other := b.run(b.withToken("two")); other == first {
			t.Errorf("another token gave the same instance %s", first)
		}

		changed := b.withToken("one")
		changed.InstanceType = "t3.small"
		_, err := b.ec2.RunInstances(t.Context(), changed)
		wantCode(t, err, "IdempotentParameterMismatch")

		if _, err := b.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{first}}); err != nil {
			t.Fatal(err)
		}
		if again := b.run(b.withToken("one")); again != first {
			t.Errorf("while it is shutting down the token gave %s, want %s", again, first)
		}
		b.await(first, "terminated", 2*time.Minute)
		_, err = b.ec2.RunInstances(t.Context(), b.withToken("one"))
		wantCode(t, err, "IdempotentInstanceTerminated")

		pause(23 * time.Hour)
		_, err = b.ec2.RunInstances(t.Context(), b.withToken("one"))
		wantCode(t, err, "IdempotentInstanceTerminated")
		pause(2 * time.Hour)
		if again := b.run(b.withToken("one")); again == first {
			t.Error("a token that was forgotten gave the old instance")
		}
	})
}

func TestRacingLaunchesWithOneToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.CloudLike())
		var racers sync.WaitGroup
		got := make([]string, 20)
		for n := range got {
			racers.Go(func() {
				out, err := b.ec2.RunInstances(t.Context(), b.withToken("race"))
				if err != nil {
					t.Error(err)
					return
				}
				got[n] = *out.Instances[0].InstanceId
			})
		}
		racers.Wait()
		for _, id := range got {
			if id != got[0] {
				t.Fatalf("twenty racers got %v", got)
			}
		}
		if n := len(b.cloud.Instances()); n != 1 {
			t.Errorf("twenty racers launched %d instances", n)
		}
	})
}

func TestFailedLaunchLeavesTheTokenFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.CloudLike())
		b.cloud.RefuseLaunch("InsufficientInstanceCapacity", "We currently do not have sufficient t3.micro capacity.", 1)
		_, err := b.ec2.RunInstances(t.Context(), b.withToken("one"), func(o *ec2.Options) { o.RetryMaxAttempts = 1 })
		wantCode(t, err, "InsufficientInstanceCapacity", "t3.micro")
		b.run(b.withToken("one"))
		if n := len(b.cloud.Instances()); n != 1 {
			t.Errorf("%d instances, want 1", n)
		}
	})
}

// A reply that got lost is the reason why there are client tokens: the SDK
// retries by itself, with the token it made up.
func TestLostReplyLaunchesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.CloudLike())
		b.faults.Plan = fault.On("ec2:RunInstances", 1, fault.Lost)
		id := b.launch(idle)
		if got := b.cloud.Instances(); len(got) != 1 || got[0].ID != id {
			t.Errorf("the retry got %s, launched are %v", id, got)
		}
		if n := b.cloud.Journal().Count(journal.Of("ec2:RunInstances")); n != 2 {
			t.Errorf("%d calls arrived, want 2", n)
		}
	})
}

func TestSameSeedSameIDs(t *testing.T) {
	launched := func(seed uint64) (found []string) {
		synctest.Test(t, func(t *testing.T) {
			b := setupWith(t, localcloud.Options{Seed: seed})
			found = []string{b.launch(idle), b.launch(idle)}
		})
		return found
	}
	first := launched(7)
	if diff := cmp.Diff(first, launched(7)); diff != "" {
		t.Errorf("the same seed gives other ids (-want +got):\n%s", diff)
	}
	if other := launched(8); other[0] == first[0] || first[0] == first[1] {
		t.Errorf("seed 7 gives %v, seed 8 %v", first, other)
	}
}
