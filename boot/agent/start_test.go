package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/contract"
)

// What keeps a server from playing its role is in its log, with what to do,
// and in the bucket as soon as it is known where that is.
func TestCannotStart(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change   func(t *testing.T, h *host)
		want     string
		reported bool
	}{
		"no user data":       {func(_ *testing.T, h *host) { h.raw = "none" }, "this server has no user data", false},
		"no JSON":            {func(_ *testing.T, h *host) { h.raw = "#!/bin/sh" }, "user data: not valid JSON", false},
		"missing":            {func(_ *testing.T, h *host) { h.raw = `{"contract":1}` }, "missing application, environment, role, region; it must be the JSON that deploy-env", false},
		"logs":               {func(_ *testing.T, h *host) { h.userData.Logs = "bucket" }, "expected s3://bucket/prefix", false},
		"newer contract":     {func(_ *testing.T, h *host) { h.userData.Contract = 2 }, "the user data follows contract 2, this image knows 1: bake a new image", true},
		"other application":  {func(_ *testing.T, h *host) { h.userData.Application = "blog" }, "the image is of the application shop, the server should run blog", true},
		"process twice":      {func(_ *testing.T, h *host) { h.userData.Processes = []string{"web", "web"} }, "names the process type web twice", true},
		"unknown role":       {func(_ *testing.T, h *host) { h.userData.Role = "content" }, "the role content runs the process type content, which the Procfile of commit 0123abcd does not have (it has web, worker)", true},
		"unknown process":    {func(_ *testing.T, h *host) { h.userData.Processes = []string{"web", "clock"} }, "runs the process type clock", true},
		"forbidden settings": {func(_ *testing.T, h *host) { h.userData.SettingsPaths = []string{"/other"} }, "AccessDeniedException: not authorized to read /other", true},
		"bad port base":      {func(_ *testing.T, h *host) { h.Environ = append(h.Environ, "PORT_BASE=80") }, `PORT_BASE is "80"`, true},
		"no image file": {func(t *testing.T, h *host) {
			if err := os.Remove(filepath.Join(h.Root, contract.ImageFile)); err != nil {
				t.Fatal(err)
			}
		}, "this is no image made by ami-bake", true},
		"broken Procfile": {func(t *testing.T, h *host) { h.file(t, "opt/app/Procfile", "Web: x") }, "Procfile:1:", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, "web: bin/web\nworker: bin/worker\n", func(t *testing.T, h *host, p *troupe) {
				test.change(t, h)
				stop := h.play(t)
				pass(1)
				if !strings.Contains(h.said(), "boot: cannot start: ") || !strings.Contains(h.said(), test.want) {
					t.Errorf("log:\n%s", h.said())
				}
				if test.reported {
					state := h.state(t)
					if state.Ready || !strings.Contains(state.Reason, test.want) {
						t.Errorf("%+v", state)
					}
					if !strings.Contains(h.object(h.userData.Role+"/i-0abc.log"), test.want) {
						t.Error("the log was not uploaded")
					}
				}
				if len(p.started("exec bin/web")) > 0 {
					t.Error("web was started")
				}
				if err := stop(); err == nil {
					t.Error("no error")
				}
			})
		})
	}
}
