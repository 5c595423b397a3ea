package main

import (
	"bytes"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/pipe"
)

// start runs the program without any settings but PIPE; what begins to run says who it is.
func start(called string, environ ...string) (code int, log string) {
	var out bytes.Buffer
	code = run(called, pipe.World{Environ: environ, Out: &out})
	return code, out.String()
}

func TestChoosesThePipe(t *testing.T) {
	t.Parallel()
	for name := range pipes {
		for _, way := range []struct{ called, pipe string }{{"pipes", name}, {name, ""}, {name, "other"}, {"pipes", " " + name + "\n"}} {
			code, log := start(way.called, "PIPE="+way.pipe)
			if code != int(exit.Invalid) || !strings.Contains(log, "INFO: \x1b[0m"+name) || !strings.Contains(log, "AWS_DEFAULT_REGION: required") {
				t.Errorf("called %s with PIPE %q: %d\n%s", way.called, way.pipe, code, log)
			}
		}
	}
}

func TestSaysWhichPipesThereAre(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		environ []string
		want    string
	}{
		{nil, "PIPE is not set; it says which pipe runs: ami-bake, deploy-env, rollback"},
		{[]string{"PIPE=  "}, "PIPE is not set"},
		{[]string{"PIPE=deploy"}, `PIPE: "deploy" is none of the pipes here: ami-bake, deploy-env, rollback`},
		{[]string{"PIPE=deploy_env"}, "; did you mean deploy-env?"},
		{[]string{"PIPE=AMI-Bake"}, "; did you mean ami-bake?"},
	} {
		if code, log := start("pipes", c.environ...); code != int(exit.Invalid) || !strings.Contains(log, c.want) {
			t.Errorf("%q: %d\n%s", c.environ, code, log)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The collection's pipe.yml offers the variables of its pipes and no others, and every pipe
// of the collection is built as an image of its own as well.
func TestCollectionIsThatOfTheDocs(t *testing.T) {
	t.Parallel()
	offered := func(name string) map[string]bool {
		var file struct{ Variables []struct{ Name string } }
		if err := yaml.Unmarshal([]byte(read(t, name)), &file); err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, v := range file.Variables {
			names[v.Name] = true
		}
		return names
	}
	want := map[string]bool{"PIPE": true}
	for name := range pipes {
		maps.Copy(want, offered("pipes/"+name+"/pipe.yml"))
	}
	if diff := cmp.Diff(want, offered("pipe.yml")); diff != "" {
		t.Errorf("variables (-of the pipes here +in pipe.yml):\n%s", diff)
	}
	list := regexp.MustCompile(`(?m)^collection=\((.+)\)$`).FindStringSubmatch(read(t, "tools/image/build"))
	if list == nil {
		t.Fatal("tools/image/build does not say what the collection holds")
	}
	built := strings.Fields(list[1])
	slices.Sort(built)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(pipes)), built); diff != "" {
		t.Errorf("pipes (-here +in tools/image/build):\n%s", diff)
	}
	for _, name := range append(built, "pipes") {
		if !strings.Contains(read(t, "Dockerfile"), "\nFROM pipe AS "+name+"\n") {
			t.Errorf("the Dockerfile has no target %s", name)
		}
	}
}
