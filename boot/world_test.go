package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// provision removes host keys and switches off; it must not do so to the
// computer of somebody who types it in.
func TestProvisionRefusesTheWrongMachine(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, test := range map[string]struct {
		w    world
		want string
	}{
		"not root on a server":       {world{args: []string{"provision", contract.BakeFile}, uid: 1000}, "provision needs root"},
		"another file":               {world{args: []string{"provision", "/tmp/bake.json"}, uid: 0}, "it is for build servers"},
		"root outside a container":   {world{args: []string{"provision", filepath.Join(root, contract.BakeFile)}, root: root}, "only inside a container"},
		"file of another machine":    {world{args: []string{"provision", contract.BakeFile}, root: root, container: true}, "it is for build servers"},
		"relative MACHINE_ROOT":      {world{args: []string{"run"}, root: "machine"}, "absolute"},
		"provision without its file": {world{args: []string{"provision"}, root: root, container: true}, "expected"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			test.w.out = &out
			if code := test.w.boot(t.Context()); code != exit.Invalid || !strings.Contains(out.String(), test.want) {
				t.Errorf("code %d, said %q", code, out.String())
			}
		})
	}
}

func TestInContainer(t *testing.T) {
	t.Parallel()
	none := func(string) string { return "" }
	if _, err := os.Stat("/.dockerenv"); err != nil && inContainer(none) {
		if _, err := os.Stat("/run/.containerenv"); err != nil {
			if _, err := os.Stat("/run/systemd/container"); err != nil {
				t.Error("a container without any mark of one")
			}
		}
	}
	if !inContainer(func(name string) string { return map[string]string{"container": "podman"}[name] }) {
		t.Error("the variable container was not seen")
	}
}
