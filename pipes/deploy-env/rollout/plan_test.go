package rollout

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/release"
	"bitbucket.org/fearless/pipes/shared/stack"
)

func TestInterrupting(t *testing.T) {
	t.Parallel()
	changes := []stack.Change{
		{Action: "Modify", LogicalID: "WebGroup", Replacement: "Conditional"},
		{Action: "Modify", LogicalID: "WebTemplate", Replacement: "False"},
		{Action: "Add", LogicalID: "Release"},
		{Action: "Remove", LogicalID: "WorkerGroup"},
		{Action: "Modify", LogicalID: "Vpc", Replacement: "True"},
	}
	if diff := cmp.Diff([]string{"Vpc", "WebGroup", "WorkerGroup"}, interrupting(changes, nil)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"WebGroup"}, interrupting(changes, []string{"Vpc", "WorkerGroup"})); diff != "" {
		t.Error(diff)
	}
}

// load reads an environment file of a test.
func load(t *testing.T, text string) *environment.File {
	t.Helper()
	file, err := environment.Load("environments/staging.yml", "shop", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

const staging = `
network:
  create: {cidr: 10.20.0.0/16}
roles:
  web: {instance: t3.small, min: 2, max: 4, http: {health: /health}}
  worker: {instance: t3.small, processes: [worker, mailer]}
`

func TestFit(t *testing.T) {
	t.Parallel()
	file := load(t, staging)
	record := image.Record{Image: "ami-1", Commit: "c0ffee", Architecture: "x86_64", Contract: 1, Processes: []string{"web", "worker", "mailer", "release"}}
	available := &image.Image{ID: "ami-1", State: image.Available}
	if err := fit(file, &record, available); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*image.Record, **image.Image){
		"it is not there any more": func(_ *image.Record, i **image.Image) { *i = nil },
		"it is for arm64":          func(r *image.Record, _ **image.Image) { r.Architecture = "arm64" },
		"speaks contract 9":        func(r *image.Record, _ **image.Image) { r.Contract = 9 },
		"role worker runs the process type mailer, which its Procfile does not have (it has web, worker)": func(r *image.Record, _ **image.Image) { r.Processes = []string{"web", "worker"} },
	} {
		changed, img := record, available
		change(&changed, &img)
		err := fit(file, &changed, img)
		if exit.CodeOf(err) != exit.Refused || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, exit code %d: %v", want, exit.CodeOf(err), err)
		}
	}
}

// A size that scaling has changed is no other target; an image is.
func TestTarget(t *testing.T) {
	t.Parallel()
	d := &deployer{s: &Settings{Application: "shop", Environment: "staging"}, file: load(t, staging), op: &release.Operator{}}
	target := func(v environment.Values) string {
		_, name, err := d.proposal("shop-staging", d.file.Servers(v))
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	one := target(environment.Values{Image: "ami-1", Capacity: map[string]int{"web": 2}})
	if other := target(environment.Values{Image: "ami-1", Capacity: map[string]int{"web": 3}}); other != one {
		t.Errorf("another size is another target: %s, %s", one, other)
	}
	if other := target(environment.Values{Image: "ami-2", Capacity: map[string]int{"web": 2}}); other == one {
		t.Error("another image is the same target")
	}
}

// What a rollback reads out of the live template is what the file says.
func TestRolesOfFile(t *testing.T) {
	t.Parallel()
	file := load(t, staging+`  scheduler: {instance: t3.micro, exactly: 1, ready: "test -e $HOME/ready"}
  blog-web: {processes: [web], instance: t3.small, http: {health: "/well?a=1", paths: [/blog/*], port: 9000}}
`)
	text, err := file.Servers(environment.Values{}).JSON()
	if err != nil {
		t.Fatal(err)
	}
	read, err := release.RolesOf(text)
	if err != nil {
		t.Fatal(err)
	}
	want := rolesOf(file)
	for i := range want {
		want[i].Contract = contract.Version // what a template says that this program writes
	}
	slices.SortFunc(want, func(a, b release.Role) int { return strings.Compare(a.Name, b.Name) })
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("of the file (-) and of its template (+):\n%s", diff)
	}
}
