package rollout_test

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
)

// drain answers the lifecycle hooks of servers that leave, as their boot agents do when
// the processes have ended. Without an answer each end takes five minutes.
func (l *lab) drain() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	l.t.Cleanup(func() { cancel(); <-done })
	api := l.scaling()
	go func() {
		defer close(done)
		for sleep(ctx, 10*time.Second) {
			out, err := api.DescribeAutoScalingInstances(ctx, &autoscaling.DescribeAutoScalingInstancesInput{})
			if err != nil {
				return
			}
			for _, i := range out.AutoScalingInstances {
				if aws.ToString(i.LifecycleState) != "Terminating:Wait" {
					continue
				}
				_, _ = api.CompleteLifecycleAction(ctx, &autoscaling.CompleteLifecycleActionInput{ // an error says that it has ended by itself
					AutoScalingGroupName: i.AutoScalingGroupName, LifecycleHookName: aws.String("drain"),
					InstanceId: i.InstanceId, LifecycleActionResult: aws.String("CONTINUE"),
				})
			}
		}
	}()
}
