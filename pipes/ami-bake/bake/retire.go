package bake

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"bitbucket.org/fearless/pipes/shared/image"
)

// ending is how long a server may take to end before its objects are removed anyway.
// Until it has ended it may write its log once more.
const ending = 90 * time.Second

// retire removes whatever a whole bake needed: build servers and objects of all its
// attempts, whoever made them.
func (b *baker) retire(ctx context.Context, key string) error {
	servers, err := b.servers(ctx, types.Filter{Name: aws.String("tag:" + image.TagBake), Values: []string{key}})
	if err != nil {
		return err
	}
	if own := b.attempt.server; own != "" && !slices.ContainsFunc(servers, func(s Server) bool { return s.ID == own }) {
		servers = append(servers, Server{ID: own, State: "stopped"}) // launched and not shown yet
	}
	if err := b.end(ctx, servers); err != nil {
		return err
	}
	return b.removeObjects(ctx, bakesPrefix(b.s.Application)+key+"/")
}

// retireAttempt does the same for the current attempt.
func (b *baker) retireAttempt(ctx context.Context) error {
	servers, err := b.servers(ctx, types.Filter{Name: aws.String("client-token"), Values: []string{b.token()}})
	if err != nil {
		return err
	}
	if err := b.end(ctx, servers); err != nil {
		return err
	}
	return b.removeObjects(ctx, b.prefix())
}

// terminateOwn undoes a launch. When the launch was never answered, the server is
// looked for by its token, a few times, since EC2 may not show it at once; one that
// another run launched is left alone.
func (b *baker) terminateOwn(ctx context.Context) error {
	a := &b.attempt
	if !a.asked || a.taken || a.spent {
		return nil
	}
	if a.server != "" {
		return b.end(ctx, []Server{{ID: a.server, State: "running"}})
	}
	for range 5 {
		found, err := b.servers(ctx, types.Filter{Name: aws.String("client-token"), Values: []string{b.token()}})
		if err != nil {
			return err
		}
		if len(found) > 0 {
			if found[0].Run != b.run {
				return nil
			}
			return b.end(ctx, found)
		}
		if err := pause(ctx, 3*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// end terminates servers and waits until they are.
func (b *baker) end(ctx context.Context, servers []Server) error {
	return endServers(ctx, b.aws, servers)
}

func endServers(ctx context.Context, c *cloud, servers []Server) error {
	var waiting []string
	for _, s := range servers {
		if s.State != "terminated" {
			waiting = append(waiting, s.ID)
		}
	}
	started := time.Now()
	for len(waiting) > 0 && time.Since(started) < ending {
		for _, id := range waiting {
			if err := terminate(ctx, c, id); err != nil {
				return err
			}
		}
		if err := pause(ctx, 2*time.Second); err != nil {
			return err
		}
		shown, err := describeServers(ctx, c, types.Filter{Name: aws.String("instance-id"), Values: waiting})
		if err != nil {
			return err
		}
		waiting = notEnded(waiting, shown, time.Since(started))
	}
	return nil
}

// notEnded are the servers to ask for again: those that are shown and not terminated,
// and those not shown at all, as long as they may only be too new to be shown.
func notEnded(ids []string, shown []Server, waited time.Duration) []string {
	const tooNew = 20 * time.Second
	var left []string
	for _, id := range ids {
		i := slices.IndexFunc(shown, func(s Server) bool { return s.ID == id })
		if i < 0 && waited < tooNew || i >= 0 && shown[i].State != "terminated" {
			left = append(left, id)
		}
	}
	return left
}

// terminate asks EC2 to end a server. It may be asked again and again; that a server
// is not known can mean that it is too new.
func terminate(ctx context.Context, c *cloud, id string) error {
	_, err := c.ec2.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}})
	if err != nil && errorCode(err) != "InvalidInstanceID.NotFound" {
		return fmt.Errorf("build server %s cannot be terminated: %w", id, err)
	}
	return nil
}

// removeObjects deletes all objects below a prefix.
func (b *baker) removeObjects(ctx context.Context, prefix string) error {
	for {
		objects, err := b.aws.list(ctx, prefix)
		if err != nil || len(objects) == 0 {
			return err
		}
		if err := b.aws.remove(ctx, objects); err != nil {
			return err
		}
	}
}
