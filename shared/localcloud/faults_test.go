package localcloud_test

import (
	"context"
	"errors"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/fault"
	"bitbucket.org/fearless/pipes/shared/localcloud/journal"
)

// ask makes one call of every protocol.
func (b *bench) ask(protocol string) error {
	var err error
	switch protocol {
	case "ec2":
		_, err = b.ec2.DescribeInstances(b.Context(), &ec2.DescribeInstancesInput{})
	case "sts":
		_, err = b.sts.GetCallerIdentity(b.Context(), &sts.GetCallerIdentityInput{})
	case "ssm":
		_, err = b.ssm.GetParameter(b.Context(), &ssm.GetParameterInput{Name: aws.String(localcloud.SubnetParameter)})
	case "s3":
		_, err = b.s3.ListObjectsV2(b.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(b.cloud.Bucket())})
	}
	return err
}

var actions = map[string]string{"ec2": "DescribeInstances", "sts": "GetCallerIdentity", "ssm": "GetParameter", "s3": "ListObjectsV2"}

func TestFaultsInEveryProtocol(t *testing.T) {
	throttled := map[string]string{"ec2": "RequestLimitExceeded", "sts": "Throttling", "ssm": "ThrottlingException", "s3": "SlowDown"}
	for service, action := range actions {
		t.Run(service, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, localcloud.Timing{})
				arrived := func() int { return b.cloud.Journal().Count(journal.Of(service + ":" + action)) }

				b.faults.Plan = fault.At(1, fault.Error(http.StatusForbidden, "Stopped"))
				wantCode(t, b.ask(service), "Stopped")

				// The default client survives two throttled calls, not three.
				b.faults.Plan = fault.Burst(2, 2, fault.Throttle)
				if err := b.ask(service); err != nil {
					t.Errorf("two throttled calls: %v", err)
				}
				b.faults.Plan = fault.Burst(5, 3, fault.Throttle)
				wantCode(t, b.ask(service), throttled[service])
				if arrived() != 1 {
					t.Errorf("%d calls arrived, want 1", arrived())
				}

				before := b.faults.Calls()
				b.faults.Plan = fault.Burst(before+1, 3, fault.Dropped)
				if err := b.ask(service); !errors.Is(err, syscall.ECONNRESET) || arrived() != 1 {
					t.Errorf("dropped calls: %v, %d arrived", err, arrived())
				}
				b.faults.Plan = fault.Burst(before+4, 3, fault.Lost)
				if err := b.ask(service); !errors.Is(err, syscall.ECONNRESET) || arrived() != 4 {
					t.Errorf("lost replies: %v, %d arrived", err, arrived())
				}
				if last := b.faults.Log()[b.faults.Calls()-1]; !last.Is(service + ":" + action) {
					t.Errorf("the last call is %+v", last)
				}
			})
		})
	}
}

func TestStallHonoursTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		b.faults.Plan = func(fault.Call) fault.Fault { return fault.Stall(time.Minute) }
		start := time.Now()
		if err := b.ask("sts"); err != nil || time.Since(start) != time.Minute {
			t.Errorf("a stalled call: %v after %s", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start = time.Now()
		_, err := b.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("an impatient call: %v after %s", err, time.Since(start))
		}
		if n := b.cloud.Journal().Count(); n != 1 {
			t.Errorf("%d calls arrived, want 1", n)
		}
	})
}

func TestKilled(t *testing.T) {
	for name, test := range map[string]struct {
		fault   fault.Fault
		arrived int
	}{"before": {fault.KilledBefore, 1}, "after": {fault.KilledAfter, 2}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, localcloud.Timing{})
				b.faults.Plan = fault.At(2, test.fault)
				if err := b.ask("ec2"); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					if err := b.ask("ec2"); !errors.Is(err, fault.ErrKilled) {
						t.Errorf("a call after death: %v", err)
					}
				}
				if got := b.cloud.Journal().Count(); got != test.arrived || b.faults.Calls() != 2 || !b.faults.Killed() {
					t.Errorf("%d calls arrived, want %d; %d attempted, want 2", got, test.arrived, b.faults.Calls())
				}
			})
		})
	}
}

func TestTransportHonoursTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := b.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if !errors.Is(err, context.Canceled) || b.cloud.Journal().Count() != 0 {
			t.Errorf("a cancelled call: %v, %d arrived", err, b.cloud.Journal().Count())
		}
	})
}

func TestJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, localcloud.Timing{})
		start := time.Now()
		for _, service := range []string{"ec2", "sts", "ssm", "s3"} {
			if err := b.ask(service); err != nil {
				t.Fatal(err)
			}
		}
		_, err := b.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(b.cloud.Bucket()), Key: aws.String("none")})
		wantCode(t, err, "NoSuchKey")
		_, err = b.ssm.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/none")})
		wantCode(t, err, "ParameterNotFound")

		j := b.cloud.Journal()
		first := j.Entries()[0]
		if first.N != 1 || first.Service != "ec2" || first.Action != "DescribeInstances" || first.AccessKey != "AKIATEST" ||
			first.Run != "run-1" || first.Status != 200 || first.Code != "" || !first.Time.Equal(start) {
			t.Errorf("the first entry is %+v", first)
		}
		failed := j.Entries(journal.Failed, journal.Run("run-1"))
		if len(failed) != 2 || failed[0].Code != "NoSuchKey" || failed[1].Code != "ParameterNotFound" {
			t.Errorf("failed calls:\n%v", failed)
		}
		if n := j.Count(journal.Succeeded, journal.Since(1)); n != 3 {
			t.Errorf("%d calls succeeded after the first, want 3", n)
		}
	})
}
