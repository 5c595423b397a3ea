package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"bitbucket.org/fearless/pipes/boot/parameters"
	"bitbucket.org/fearless/pipes/boot/provision"
	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// provision turns this machine into an image. It ends with the machine being
// switched off, so everything that could make it the wrong machine is asked
// before.
func (w world) provision(ctx context.Context, file string) exit.Code {
	if want := filepath.Join(w.root, contract.BakeFile); filepath.Clean(file) != want {
		return w.usage(fmt.Sprintf("provision cleans this machine and switches it off; it is for build servers, where its file is %s", want))
	}
	if w.root == "/" && w.uid != 0 {
		return w.usage("provision needs root")
	}
	if w.root != "/" && w.uid == 0 && !w.container {
		return w.usage("provision scripts are written for servers of their own; as root they are run under MACHINE_ROOT only inside a container")
	}
	// Without instructions there is nobody to report to, and the server is of
	// no use: its console output says why.
	data, err := os.ReadFile(file)
	var cfg contract.Provisioning
	if err == nil {
		cfg, err = contract.ParseProvisioning(data)
	}
	if err == nil && cfg.Contract > contract.Version {
		err = fmt.Errorf("the instructions follow contract %d, this boot knows %d", cfg.Contract, contract.Version)
	}
	if err != nil {
		fmt.Fprintf(w.out, "boot: %s\n", err)
		w.powerOff(ctx)
		return exit.Refused
	}
	if !provision.Run(ctx, cfg, w.machine(ctx, cfg)).OK() {
		return exit.Refused
	}
	return exit.Passed
}

func (w world) machine(ctx context.Context, cfg contract.Provisioning) provision.Machine {
	m := provision.Machine{
		Root: w.root, Environ: w.environ, HTTP: transport(true), Out: w.out, Script: provision.Exec,
		PowerOff: func() { w.powerOff(ctx) },
		Parameters: func(ctx context.Context, path string) (map[string]string, error) {
			clients := w.clients()
			found, err := parameters.Fetch(ctx, clients.Parameters(clients.Config(cfg.Region, clients.Metadata())), path)
			values := make(map[string]string, len(found))
			for _, p := range found {
				values[p.Name] = p.Value
			}
			return values, err
		},
	}
	if w.root == "/" {
		m.AddUser = func(ctx context.Context, out io.Writer) error {
			return provision.AddUser(ctx, "/etc/passwd", out)
		}
	}
	return m
}
