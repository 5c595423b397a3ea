package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"bitbucket.org/fearless/pipes/boot/cloud"
	"bitbucket.org/fearless/pipes/boot/power"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// world is the process and the machine around it.
type world struct {
	args      []string
	environ   []string
	root      string // MACHINE_ROOT
	uid       int
	container bool
	out       io.Writer
}

// boot does what the command line says. Refused means that the server cannot
// be what it should be, Invalid that boot was not called as the unit and the
// user data do it.
func (w world) boot(ctx context.Context) exit.Code {
	if w.root == "" {
		w.root = "/"
	}
	w.root = filepath.Clean(w.root)
	switch {
	case !filepath.IsAbs(w.root):
		return w.usage("MACHINE_ROOT must be an absolute path")
	case len(w.args) == 2 && w.args[0] == "provision":
		return w.provision(ctx, w.args[1])
	case len(w.args) == 1 && w.args[0] == "run":
		return w.run(ctx)
	}
	return w.usage("expected \"boot provision <bake.json>\" or \"boot run\"")
}

func (w world) usage(problem string) exit.Code {
	fmt.Fprintf(w.out, "boot: %s\n", problem)
	return exit.Invalid
}

// clients looks for AWS where the environment says.
func (w world) clients() cloud.World { return cloud.World{Environ: w.environ} }

// powerOff switches the machine off; there is nobody to return an error to.
func (w world) powerOff(ctx context.Context) {
	if err := power.Off(ctx, w.root, w.out); err != nil {
		fmt.Fprintf(w.out, "boot: %s\n", err)
	}
}

// transport is plain HTTP for presigned URLs and health checks.
func transport(proxy bool) http.RoundTripper {
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     30 * time.Second,
	}
	if proxy {
		t.Proxy = http.ProxyFromEnvironment
	}
	return t
}

// inContainer reports whether this is a container: the usual marks of Docker,
// Podman, Kubernetes and systemd-nspawn.
func inContainer(env func(string) string) bool {
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv", "/run/systemd/container"} {
		if _, err := os.Stat(mark); err == nil {
			return true
		}
	}
	return env("container") != "" || env("KUBERNETES_SERVICE_HOST") != ""
}
