package lab

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/elb"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
)

// guest is a server: it boots, becomes well or not, and says so to CloudFormation.
func (l *Lab) guest(ctx context.Context, b machine.Boot) {
	u, err := contract.ParseUserData(b.UserData)
	if err != nil { // a server to make an image of
		if l.Builds != nil {
			l.Builds(ctx, b)
			return
		}
		<-ctx.Done()
		return
	}
	l.drained.Do(l.drain)
	if !Sleep(ctx, l.Boot) {
		return
	}
	api := reach(b.Transport)
	if why := l.ails(u); why != "" {
		leave(ctx, api, u, b, contract.State{Reason: why}, u.Role+" | panic: no database\n")
		signal(ctx, api, u, b, cfntypes.ResourceSignalStatusFailure)
		<-ctx.Done()
		return
	}
	l.mu.Lock()
	l.up[b.Instance] = u.Role
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.up, b.Instance)
		l.mu.Unlock()
	}()
	if !Sleep(ctx, l.Boot) || !l.answered(ctx, u, b) {
		return
	}
	if l.Leaves != nil {
		state, log := l.Leaves(u)
		leave(ctx, api, u, b, state, log)
	}
	signal(ctx, api, u, b, cfntypes.ResourceSignalStatusSuccess)
	if !u.Release {
		<-ctx.Done()
	}
}

func (l *Lab) ails(u contract.UserData) string {
	if l.Sick == nil {
		return ""
	}
	return l.Sick(u)
}

// answered waits until the balancer calls the server healthy.
func (l *Lab) answered(ctx context.Context, u contract.UserData, b machine.Boot) bool {
	for _, group := range u.TargetGroups {
		for !slices.ContainsFunc(l.Cloud.Targets(group), func(t elb.Target) bool { return t.Instance == b.Instance && t.State == "healthy" }) {
			if !Sleep(ctx, time.Second) {
				return false
			}
		}
	}
	return true
}

// leave puts state and log into the bucket.
func leave(ctx context.Context, api Clients, u contract.UserData, b machine.Boot, state contract.State, log string) {
	place, err := contract.ParsePlace(u.Logs)
	if err != nil {
		fmt.Fprintln(b.Console, err)
		return
	}
	text, _ := state.Marshal() // texts always have a JSON form
	for key, content := range map[string]string{place.Log(u.Role, b.Instance): log, place.State(u.Role, b.Instance): string(text)} {
		if _, err := api.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: &place.Bucket, Key: &key, Body: strings.NewReader(content)}); err != nil {
			fmt.Fprintln(b.Console, err)
		}
	}
}

func signal(ctx context.Context, api Clients, u contract.UserData, b machine.Boot, status cfntypes.ResourceSignalStatus) {
	if !u.Signal {
		return
	}
	_, err := api.CFN.SignalResource(ctx, &cloudformation.SignalResourceInput{
		StackName: &u.Stack, LogicalResourceId: &u.Resource, UniqueId: &b.Instance, Status: status,
	})
	if err != nil {
		fmt.Fprintln(b.Console, err)
	}
}

// health answers the balancer's checks for the servers.
func (l *Lab) health(_ context.Context, c localcloud.Check) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, up := l.up[c.Instance]; up {
		return http.StatusOK, nil
	}
	return 0, fmt.Errorf("connection refused")
}

// drain answers the lifecycle hooks of servers that leave, as their boot agents do when
// the processes have ended. Without an answer each end takes five minutes. It begins with
// the first server that has a role: accounts without one let weeks pass.
func (l *Lab) drain() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(l.T.Context()))
	done := make(chan struct{})
	l.T.Cleanup(func() { cancel(); <-done })
	api := l.Reach().ASG
	go func() {
		defer close(done)
		for Sleep(ctx, 10*time.Second) {
			for _, server := range l.Cloud.Instances() {
				if l.Cloud.LifecycleState(server.ID) != "Terminating:Wait" {
					continue
				}
				_, _ = api.CompleteLifecycleAction(ctx, &autoscaling.CompleteLifecycleActionInput{ // an error says that it has ended by itself
					AutoScalingGroupName: aws.String(server.Tags["aws:autoscaling:groupName"]), LifecycleHookName: aws.String("drain"),
					InstanceId: &server.ID, LifecycleActionResult: aws.String("CONTINUE"),
				})
			}
		}
	}()
}
