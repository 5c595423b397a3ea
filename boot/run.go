package main

import (
	"context"
	"fmt"
	"os/user"
	"strconv"
	"syscall"

	"bitbucket.org/fearless/pipes/boot/agent"
	"bitbucket.org/fearless/pipes/boot/fleet"
	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// run plays the role of this server until it is told to stop.
func (w world) run(ctx context.Context) exit.Code {
	clients := w.clients()
	metadata := clients.Metadata()
	server := agent.Server{
		Root: w.root, Environ: w.environ, Out: w.out, Metadata: metadata,
		Cloud: func(region string) agent.Cloud {
			config := clients.Config(region, metadata)
			return agent.Cloud{
				Parameters: clients.Parameters(config), Objects: clients.Objects(config), Stacks: clients.Stacks(config),
				Groups: clients.Groups(config), Balancer: clients.Balancer(config), Instances: fleet.Open(config, clients.Endpoint("EC2")),
			}
		},
		Start:    agent.System(nil),
		HTTP:     transport(false), // health checks go to the server itself
		PowerOff: func() { w.powerOff(ctx) },
	}
	if w.root == "/" && w.uid == 0 {
		account, credential, err := lookUp(contract.User)
		if err != nil {
			fmt.Fprintf(w.out, "boot: cannot start: %s\n", err)
			return exit.Refused
		}
		server.User, server.Home = account.Username, account.HomeDir
		server.Start = agent.System(credential)
	}
	if agent.Run(ctx, server) != nil {
		return exit.Refused
	}
	return exit.Passed
}

// lookUp is the user with all groups it is in.
func lookUp(name string) (*user.User, *syscall.Credential, error) {
	account, err := user.Lookup(name)
	if err != nil {
		return nil, nil, fmt.Errorf("no user for the processes: %w", err)
	}
	groups, err := account.GroupIds()
	if err != nil {
		return nil, nil, fmt.Errorf("groups of the user %s: %w", name, err)
	}
	ids := make([]uint32, 0, len(groups)+2)
	for _, text := range append([]string{account.Uid, account.Gid}, groups...) {
		id, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, nil, fmt.Errorf("user %s: %w", name, err)
		}
		ids = append(ids, uint32(id))
	}
	return account, &syscall.Credential{Uid: ids[0], Gid: ids[1], Groups: ids[2:]}, nil
}
