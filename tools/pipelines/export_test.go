package pipelines_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// exported are the pipelines for other repositories, by name.
func exported(t *testing.T) map[string]any {
	t.Helper()
	var file struct {
		Export      bool
		Definitions struct{ Pipelines map[string]any }
	}
	if err := yaml.Unmarshal([]byte(read(t, "bitbucket-pipelines.yml")), &file); err != nil {
		t.Fatal(err)
	}
	if !file.Export || len(file.Definitions.Pipelines) == 0 {
		t.Fatal("bitbucket-pipelines.yml exports nothing")
	}
	return file.Definitions.Pipelines
}

// steps finds the steps below a node, in their order where they stand in a list.
func steps(node any) []map[string]any {
	var found []map[string]any
	switch n := node.(type) {
	case map[string]any:
		if s, ok := n["step"].(map[string]any); ok {
			return []map[string]any{s}
		}
		for _, key := range slices.Sorted(maps.Keys(n)) {
			found = append(found, steps(n[key])...)
		}
	case []any:
		for _, item := range n {
			found = append(found, steps(item)...)
		}
	}
	return found
}

// TestExportedStepsStandAlone: what an import brings besides the pipeline itself is not documented, so a step that is
// exported names nothing that is defined elsewhere, and runs pipes only, which need neither an image nor a cache.
func TestExportedStepsStandAlone(t *testing.T) {
	t.Parallel()
	allowed := []string{"name", "script", "oidc", "clone", "deployment", "trigger", "condition"}
	for name, pipeline := range exported(t) {
		all := steps(pipeline)
		if len(all) == 0 {
			t.Errorf("%s has no step", name)
		}
		for _, s := range all {
			for key := range s {
				if !slices.Contains(allowed, key) {
					t.Errorf("%s, step %q has %s", name, s["name"], key)
				}
			}
			script, _ := s["script"].([]any)
			if len(script) != len(calls(s)) || len(script) == 0 {
				t.Errorf("%s, step %q runs something that is no pipe: %v", name, s["name"], script)
			}
		}
	}
}

// TestExportedPipelinesAreThoseOfTheSample: there is one way to write each. Whoever imports a pipeline gets what whoever
// copies the sample has, but for its cache and for what needs an application: its tests, and migrations.
func TestExportedPipelinesAreThoseOfTheSample(t *testing.T) {
	t.Parallel()
	var sample struct {
		Pipelines struct {
			PullRequests map[string]any `yaml:"pull-requests"`
			Branches     map[string]any
			Custom       map[string]any
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "examples/web/bitbucket-pipelines.yml")), &sample); err != nil {
		t.Fatal(err)
	}
	here := map[string][]map[string]any{
		"gates": without(steps(sample.Pipelines.PullRequests["**"]), "Tests"),
		"main":  without(steps(sample.Pipelines.Branches["main"]), "Tests"),
	}
	for name, pipeline := range sample.Pipelines.Custom {
		here[name] = without(steps(pipeline), "Tests")
	}
	there := map[string][]map[string]any{}
	for name, pipeline := range exported(t) {
		there[name] = without(steps(pipeline), "Migrations")
	}
	if diff := cmp.Diff(here, there); diff != "" {
		t.Errorf("pipelines (-examples/web +exported):\n%s", diff)
	}
}

// without leaves one step out, and the caches of all.
func without(all []map[string]any, name string) []map[string]any {
	for _, s := range all {
		delete(s, "caches")
	}
	return slices.DeleteFunc(all, func(s map[string]any) bool { return s["name"] == name })
}

// TestImportsOfTheReadme: each pipeline is imported there by its name, at the version of the pipes.
func TestImportsOfTheReadme(t *testing.T) {
	t.Parallel()
	_, version, _ := strings.Cut(offers(t)["fearless/pipes"].Image, ":")
	var named []string
	for _, m := range regexp.MustCompile(`(?m)import: pipes:(.+):(.+)$`).FindAllStringSubmatch(read(t, "README.md"), -1) {
		if m[1] != version {
			t.Errorf("README.md imports %s at %s, want %s", m[2], m[1], version)
		}
		named = append(named, m[2])
	}
	slices.Sort(named)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(exported(t))), named); diff != "" {
		t.Errorf("pipelines (-exported +imported in README.md):\n%s", diff)
	}
}
