package settings_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/settings"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	var order, types []string
	for _, v := range settings.Describe(bake{}) {
		order = append(order, v.Name)
		types = append(types, v.Type)
	}
	wantOrder := "TIMEOUT DEBUG BITBUCKET_COMMIT AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_DEFAULT_REGION ACTION APPLICATION " +
		"INCLUDE ZONES TAGS COUNT RATIO LIMIT DISK_SIZE BASE_MAX_AGE TOKENS PIN SOAK PLAN"
	if diff := cmp.Diff(strings.Fields(wantOrder), order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	wantTypes := "duration boolean string string string string string string list list string number number number size duration list number boolean duration"
	if diff := cmp.Diff(strings.Fields(wantTypes), types); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	all := settings.Describe(&bake{})
	if diff := cmp.Diff(settings.Variable{
		Name: "AWS_DEFAULT_REGION", Type: "string", Fallback: "AWS_REGION", Description: "The AWS region", Example: "eu-west-1",
		Required: true, Inherit: true,
	}, all[5]); diff != "" {
		t.Errorf("region (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(settings.Variable{Name: "ACTION", Type: "string", Default: "bake", Allowed: []string{"bake", "sweep"}}, all[6]); diff != "" {
		t.Errorf("action (-want +got):\n%s", diff)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	s, err := load(t, "AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=one", "TOKENS=two,three", "APPLICATION=public")
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []any{s, &s} {
		got := slices.DeleteFunc(settings.Secrets(of), func(v string) bool { return v == "" })
		if diff := cmp.Diff([]string{"one", "two", "three"}, got); diff != "" {
			t.Errorf("secrets (-want +got):\n%s", diff)
		}
	}
	if got := settings.Secrets((*bake)(nil)); got != nil {
		t.Errorf("of nothing: %q", got)
	}
}

// TestSecretsAreNotPrinted gives every secret field a value it cannot hold.
func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	var s struct {
		Number   int               `envconfig:"S_NUMBER" secret:"true" example:"hunter22"`
		Flag     bool              `envconfig:"S_FLAG" secret:"true"`
		Duration settings.Duration `envconfig:"S_DURATION" secret:"true"`
		Size     settings.Size     `envconfig:"S_SIZE" secret:"true"`
		Choice   string            `envconfig:"S_CHOICE" secret:"true" allowed:"a,b"`
		Choices  settings.List     `envconfig:"S_CHOICES" secret:"true" allowed:"a,b"`
		Map      map[string]string `envconfig:"S_MAP" secret:"true"`
		Listed   string            `envconfig:"S_LISTED" secret:"true"`
		Fallback int               `envconfig:"S_FALLBACK" secret:"true" fallback:"S_OTHER"`
	}
	err := settings.Load([]string{
		"S_NUMBER=hunter22", "S_FLAG=hunter22", "S_DURATION=22", "S_SIZE=22", "S_CHOICE=hunter22", "S_CHOICES=hunter22", "S_MAP=hunter22",
		"S_LISTED_COUNT=1", "S_LISTED_0=hunter22", "S_OTHER=hunter22",
	}, &s)
	if err == nil || strings.Count(err.Error(), "\n") != 9 {
		t.Fatalf("problems: %v", err)
	}
	if strings.Contains(err.Error(), "22") {
		t.Errorf("a secret is printed: %v", err)
	}
}

// window is two variables that contradict each other.
type window struct {
	From int `envconfig:"FROM" default:"1"`
	To   int `envconfig:"UNTIL" default:"2"`
}

func (w *window) Check(r *settings.Report) {
	if w.From > w.To && !r.Failed("UNTIL") {
		r.Problemf("FROM", "%d is after UNTIL (%d)", w.From, w.To)
	}
}

func TestCheckers(t *testing.T) {
	t.Parallel()
	var s struct {
		window        // promotes its Check: called for both structs, reported once
		Other  string `envconfig:"OTHER" required:"true"`
	}
	err := settings.Load([]string{"FROM=3"}, &s)
	if want := "2 problems with the settings:\nFROM: 3 is after UNTIL (2)\nOTHER: required, but not set; set it under the pipe's `variables:`"; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	err = settings.Load([]string{"FROM=3", "UNTIL=x", "OTHER=x"}, &s)
	if err == nil || strings.Contains(err.Error(), "is after") || !strings.Contains(err.Error(), `UNTIL: "x" is not a number`) {
		t.Errorf("checked what could not be read: %v", err)
	}
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	for _, into := range []any{nil, bake{}, (*bake)(nil), new(string)} {
		if err := settings.Load(nil, into); err == nil || exit.CodeOf(err) != exit.Unable {
			t.Errorf("%T: %v", into, err)
		}
	}
	// A default that does not fit its own field is found by the first test.
	var s struct {
		N int `envconfig:"N" default:"many"`
	}
	if err := settings.Load(nil, &s); err == nil || !strings.Contains(err.Error(), `N: "many" is not a number`) {
		t.Errorf("bad default: %v", err)
	}
}

// TestFallbackIsNamed: the message names the variable that holds the value.
func TestFallbackIsNamed(t *testing.T) {
	t.Parallel()
	var s struct {
		Number int `envconfig:"BUILD" fallback:"BITBUCKET_BUILD_NUMBER,BUILD_ID"`
	}
	err := settings.Load([]string{"BUILD_ID=seven"}, &s)
	if err == nil || !strings.Contains(err.Error(), "BUILD_ID: \"seven\" is not a number") {
		t.Errorf("%v", err)
	}
}
