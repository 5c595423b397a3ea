// Package stage puts up everything a pipeline needs on one computer: the programs, a
// cloud with real processes as its servers, and git clones to work in. The demo, the
// benchmark and the tests in real time play on it.
package stage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud"
	"bitbucket.org/fearless/pipes/shared/localcloud/machine/process"
)

// Stage is one cloud with the programs that work on it.
type Stage struct {
	Cloud *localcloud.Cloud
	URL   string // AWS_ENDPOINT_URL
	Bin   string // folder of the programs
	Dir   string // everything temporary

	driver *process.Driver
	server *http.Server
}

// Options say what a stage is made of.
type Options struct {
	// Bin is a folder with programs made by Build.
	Bin string
	// GuestCache is a folder in which servers keep Go's build cache, so that the
	// second bake of an application written in Go does not compile the standard
	// library again. Empty: each server has its own.
	GuestCache string
	// MaxMachines bounds how many servers there are at a time; 0: as many as the
	// local cloud has by default.
	MaxMachines int
}

// Architecture is this computer's, in EC2's words.
func Architecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

// Open puts the stage up; Close takes it down with all that runs on it.
func Open(ctx context.Context, o Options) (s *Stage, err error) {
	s = &Stage{Bin: o.Bin}
	defer func() {
		if err != nil {
			_ = s.Close()
			s = nil
		}
	}()
	if s.Dir, err = os.MkdirTemp("", "fearless-stage-"); err != nil {
		return s, err
	}
	var guest []string
	if o.GuestCache != "" {
		guest = append(guest, "GOCACHE="+o.GuestCache)
	}
	tools, err := lendTools(o.Bin, s.Dir)
	if err != nil {
		return s, err
	}
	path := os.Getenv("PATH") + ":" + tools //nolint:forbidigo // servers find this computer's compilers on it
	if s.driver, err = process.New(process.Options{Path: path, GuestEnv: guest, MaxMachines: o.MaxMachines}); err != nil {
		return s, fmt.Errorf("servers cannot be run here: %w", err)
	}
	if s.Cloud, err = localcloud.New(localcloud.Options{Timing: localcloud.RealTime(), Machines: s.driver}); err != nil {
		return s, err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return s, err
	}
	s.URL = "http://" + listener.Addr().String()
	s.Cloud.SetEndpoint(s.URL)
	s.server = &http.Server{Handler: s.Cloud, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

// Close ends the cloud, its servers and their disks.
func (s *Stage) Close() error {
	var errs []error
	if s.server != nil {
		errs = append(errs, s.server.Close())
	}
	if s.Cloud != nil {
		errs = append(errs, s.Cloud.Close())
	} else if s.driver != nil {
		errs = append(errs, s.driver.Close())
	}
	if s.Dir != "" {
		errs = append(errs, os.RemoveAll(s.Dir))
	}
	return errors.Join(errs...)
}

// Environ is the environment of a pipe on this stage: the cloud's address, keys that
// mean nothing elsewhere, and what the caller adds. Nothing of this process's own
// environment is handed on.
func (s *Stage) Environ(variables map[string]string) []string {
	environ := []string{
		"PATH=" + os.Getenv("PATH"), //nolint:forbidigo // a test bench hands on where its programs are
		"HOME=" + s.Dir,
		"AWS_ENDPOINT_URL=" + s.URL,
		"AWS_ACCESS_KEY_ID=AKIALOCALCLOUD000000",
		"AWS_SECRET_ACCESS_KEY=local-cloud-secret",
		"AWS_DEFAULT_REGION=us-east-1",
		"AWS_EC2_METADATA_DISABLED=true",
		"ARCHITECTURE=" + Architecture(),
	}
	for name, value := range variables {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// Disk is the folder that is a server's disk.
func (s *Stage) Disk(instance string) string { return s.driver.Disk(instance) }

// Program is the path of a program.
func (s *Stage) Program(name string) string { return filepath.Join(s.Bin, name) }
