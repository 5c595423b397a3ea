// Package pipelines_test holds bitbucket-pipelines.yml to its one promise: what runs there is .ci/run, and all of it.
package pipelines_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

type step struct {
	Name     string
	Script   []string
	Caches   []string
	Services []string
}

// item is an entry of a pipeline, as far as ours go: steps next to each other.
type item struct {
	Parallel []struct{ Step step }
}

type configuration struct {
	Image   string
	Options struct {
		MaxTime int `yaml:"max-time"`
		Size    string
	}
	Definitions struct {
		Caches map[string]struct {
			Key struct{ Files []string }
		}
	}
	Pipelines struct {
		PullRequests map[string][]item `yaml:"pull-requests"`
		Branches     map[string][]item
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestStepsAreThoseOfTheScript(t *testing.T) {
	t.Parallel()
	var c configuration
	if err := yaml.Unmarshal([]byte(read(t, "bitbucket-pipelines.yml")), &c); err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`\nall=\((.+)\)\n`).FindStringSubmatch(read(t, ".ci/run"))
	if all == nil {
		t.Fatal(".ci/run does not say which stages there are")
	}
	want := strings.Fields(all[1])
	slices.Sort(want)

	for name, pipeline := range map[string][]item{"pull requests": c.Pipelines.PullRequests["**"], "main": c.Pipelines.Branches["main"]} {
		if len(pipeline) != 1 {
			t.Errorf("%s: %d items, want one group of steps", name, len(pipeline))
			continue
		}
		var got []string
		for _, entry := range pipeline[0].Parallel {
			s := entry.Step
			if len(s.Script) != 1 || !strings.HasPrefix(s.Script[0], ".ci/run ") {
				t.Errorf("%s, step %q runs %q: only .ci/run and its stages, so that the same runs on a laptop", name, s.Name, s.Script)
				continue
			}
			got = append(got, strings.Fields(s.Script[0])[1:]...)
			for _, cache := range s.Caches {
				if _, defined := c.Definitions.Caches[cache]; !defined && cache != "docker" {
					t.Errorf("%s, step %q: there is no cache %s", name, s.Name, cache)
				}
			}
			if slices.Contains(s.Script, ".ci/run image") != slices.Contains(s.Services, "docker") {
				t.Errorf("%s, step %q: the image stage needs the docker service, no other does", name, s.Name)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: stages (-.ci/run +bitbucket-pipelines.yml):\n%s", name, diff)
		}
	}
	for _, cache := range c.Definitions.Caches {
		for _, file := range cache.Key.Files {
			read(t, file)
		}
	}
	if c.Options.MaxTime == 0 || c.Options.MaxTime > 30 || c.Options.Size != "2x" {
		t.Errorf("max-time %d, size %q", c.Options.MaxTime, c.Options.Size)
	}
	// One Go for tests and images.
	if !strings.Contains(read(t, "Dockerfile"), "\nARG GO_IMAGE="+c.Image+"\n") {
		t.Errorf("the Dockerfile does not build in %s", c.Image)
	}
}
