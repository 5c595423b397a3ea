package pipelines_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// offer is what a pipe.yml says.
type offer struct {
	Image     string
	Variables []variable
}

type variable struct{ Name string }

func (o offer) has(name string) bool {
	return slices.ContainsFunc(o.Variables, func(v variable) bool { return v.Name == name })
}

// offers are the pipes of this repository by the name that a pipeline calls them by,
// without the version.
func offers(t *testing.T) map[string]offer {
	t.Helper()
	files, err := filepath.Glob("../../pipes/*/pipe.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no pipes: %v", err)
	}
	all := map[string]offer{}
	for _, file := range append(files, "../../pipe.yml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var o offer
		if err := yaml.Unmarshal(text, &o); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		name, _, _ := strings.Cut(o.Image, ":")
		all[name] = o
	}
	return all
}

// call is a step's use of a pipe.
type call struct {
	Pipe      string
	Variables map[string]any
}

// calls finds the uses of pipes wherever they stand in a document.
func calls(node any) []call {
	var found []call
	switch n := node.(type) {
	case map[string]any:
		if name, ok := n["pipe"].(string); ok {
			variables, _ := n["variables"].(map[string]any)
			return []call{{Pipe: name, Variables: variables}}
		}
		for _, value := range n {
			found = append(found, calls(value)...)
		}
	case []any:
		for _, value := range n {
			found = append(found, calls(value)...)
		}
	}
	return found
}

var (
	block    = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")
	optional = regexp.MustCompile(`(?m)^(\s*)# ([A-Z][A-Z0-9_]+: .*|variables:)$`)
)

// TestCallsOfPipes: whatever pipelines people can copy from here call pipes that exist,
// with variables that these have. Lines that are commented out count, too.
func TestCallsOfPipes(t *testing.T) {
	t.Parallel()
	known := offers(t)
	for _, file := range []string{"examples/web/bitbucket-pipelines.yml", "bitbucket-pipelines.yml"} {
		check(t, file, read(t, file), known)
	}
	pages, err := filepath.Glob("../../pipes/*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../../README.md") {
		name := strings.TrimPrefix(page, "../../")
		for _, m := range block.FindAllStringSubmatch(read(t, name), -1) {
			if !strings.Contains(m[1], "pipe: ") {
				continue
			}
			check(t, name, m[1], known)
			check(t, name+", with what is commented out", optional.ReplaceAllString(m[1], "$1$2"), known)
		}
	}
	for name := range known { // nobody should have to guess how a pipe is called
		page := path.Join("pipes", strings.TrimPrefix(name, "fearless/"), "README.md")
		if page == "pipes/pipes/README.md" {
			page = "README.md"
		}
		if !strings.Contains(read(t, page), "pipe: "+name+":") {
			t.Errorf("%s does not show how %s is called", page, name)
		}
	}
}

func check(t *testing.T, where, text string, known map[string]offer) {
	t.Helper()
	var document any
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		t.Errorf("%s: %v\n%s", where, err, text)
		return
	}
	found := calls(document)
	if len(found) == 0 {
		t.Errorf("%s calls no pipe:\n%s", where, text)
	}
	for _, c := range found {
		name, version, _ := strings.Cut(c.Pipe, ":")
		o, ok := known[name]
		if !ok || version == "" || !strings.HasSuffix(o.Image, ":"+version) {
			t.Errorf("%s calls %s, which is not a pipe of this version", where, c.Pipe)
			continue
		}
		for given := range c.Variables {
			if !o.has(given) {
				t.Errorf("%s: %s has no variable %s", where, name, given)
			}
		}
	}
}
