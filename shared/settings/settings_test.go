package settings_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/settings"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// common stands for what every pipe embeds.
type common struct {
	Timeout settings.Duration `envconfig:"TIMEOUT" default:"30m" desc:"When to give up."`
	Debug   bool              `envconfig:"DEBUG" default:"false"`
	Commit  string            `envconfig:"BITBUCKET_COMMIT" context:"true"`
}

type Keys struct {
	AccessKey string `envconfig:"AWS_ACCESS_KEY_ID" inherit:"true"`
	SecretKey string `envconfig:"AWS_SECRET_ACCESS_KEY" inherit:"true" secret:"true"`
	Region    string `envconfig:"AWS_DEFAULT_REGION" fallback:"AWS_REGION" required:"true" inherit:"true" desc:"The AWS region" example:"eu-west-1"`
}

func (k *Keys) Check(r *settings.Report) {
	if (k.AccessKey == "") != (k.SecretKey == "") {
		r.Problemf("AWS_SECRET_ACCESS_KEY", "given without its other half")
	}
}

type bake struct {
	common
	AWS         Keys              // in place, though not embedded
	Action      string            `envconfig:"ACTION" default:"bake" allowed:"bake,sweep"`
	Application string            `envconfig:"APPLICATION" fallback:"BITBUCKET_REPO_SLUG" required:"true" desc:"the name of the application" example:"shop"`
	Include     settings.List     `envconfig:"INCLUDE"`
	Zones       settings.List     `envconfig:"ZONES" allowed:"a,b,c"`
	Tags        map[string]string `envconfig:"TAGS"`
	Count       int               `envconfig:"COUNT" default:"3"`
	Ratio       float64           `envconfig:"RATIO"`
	Limit       uint8             `envconfig:"LIMIT"`
	DiskSize    settings.Size     `envconfig:"DISK_SIZE" default:"8GiB"`
	MaxAge      settings.Duration `envconfig:"BASE_MAX_AGE"`
	Token       settings.List     `envconfig:"TOKENS" secret:"true"`
	Pin         int               `envconfig:"PIN" secret:"true" example:"1234"`
	Soak        *bool             `envconfig:"SOAK"`
	Plan        time.Duration     `envconfig:"PLAN"`
	Untagged    string
}

// good are the variables without which nothing loads.
var good = []string{"AWS_DEFAULT_REGION=eu-west-1", "APPLICATION=shop"}

func load(t *testing.T, environ ...string) (bake, error) {
	t.Helper()
	var s bake
	err := settings.Load(append(append([]string{}, good...), environ...), &s)
	return s, err
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	s, err := load(t)
	if err != nil {
		t.Fatal(err)
	}
	if s.Timeout.Std() != 30*time.Minute || s.Debug || s.Action != "bake" || s.Count != 3 || s.DiskSize != 8<<30 {
		t.Errorf("defaults: %+v", s)
	}
	if s.Soak != nil || s.Include != nil || s.Tags != nil {
		t.Errorf("unset without a default, but not zero: %+v", s)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	s, err := load(t,
		"TIMEOUT= 1h30m ", "DEBUG=YES", "BITBUCKET_COMMIT=abc", "ACTION=sweep", "INCLUDE=a, b ,,c",
		"ZONES=a,c", "TAGS=team:shop", "COUNT=-12", "RATIO=0.25", "LIMIT=255", "DISK_SIZE=20GB",
		"BASE_MAX_AGE=7d", "TOKENS=x", "SOAK=off", "PLAN=90s", "AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=\"quoted\\ \n☂",
		"UNTAGGED=x", "Untagged=x",
	)
	if err != nil {
		t.Fatal(err)
	}
	no := false
	want := bake{
		common: common{settings.Duration(90 * time.Minute), true, "abc"},
		AWS:    Keys{"AKIA", "\"quoted\\ \n☂", "eu-west-1"},
		Action: "sweep", Application: "shop", Include: settings.List{"a", "b", "c"}, Zones: settings.List{"a", "c"},
		Tags: map[string]string{"team": "shop"}, Count: -12, Ratio: 0.25, Limit: 255, DiskSize: 20e9,
		MaxAge: settings.Duration(7 * 24 * time.Hour), Token: settings.List{"x"}, Soak: &no, Plan: 90 * time.Second,
	}
	if diff := cmp.Diff(want, s, cmp.AllowUnexported(bake{})); diff != "" {
		t.Errorf("loaded (-want +got):\n%s", diff)
	}
}

func TestBooleans(t *testing.T) {
	t.Parallel()
	for _, yes := range []string{"true", "True", "TRUE", "yes", "on", "1", " true "} {
		if s, err := load(t, "DEBUG="+yes); err != nil || !s.Debug {
			t.Errorf("%q: %v, %v", yes, s.Debug, err)
		}
	}
	for _, no := range []string{"false", "False", "FALSE", "no", "off", "0"} {
		if s, err := load(t, "DEBUG="+no, "SOAK="+no); err != nil || s.Debug || s.Soak == nil || *s.Soak {
			t.Errorf("%q: %v, %v", no, s.Debug, err)
		}
	}
	for _, bad := range []string{"ture", "t", "2", "y e s", "enabled"} {
		if _, err := load(t, "DEBUG="+bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestBlankIsUnset(t *testing.T) {
	t.Parallel()
	for _, blank := range []string{"", "  ", "\t\n", "$TIMEOUT", "${TIMEOUT}"} {
		s, err := load(t, "TIMEOUT="+blank)
		if err != nil || s.Timeout.Std() != 30*time.Minute {
			t.Errorf("%q: %v, %v", blank, s.Timeout, err)
		}
	}
	var s bake
	err := settings.Load([]string{"AWS_DEFAULT_REGION= ", "AWS_REGION=eu-north-1", "APPLICATION=", "BITBUCKET_REPO_SLUG=slug"}, &s)
	if err != nil || s.AWS.Region != "eu-north-1" || s.Application != "slug" {
		t.Errorf("fallbacks: %q, %q, %v", s.AWS.Region, s.Application, err)
	}
}

func TestLastOfAName(t *testing.T) {
	t.Parallel()
	s, err := load(t, "ACTION=bake", "ACTION=sweep", "=odd", "odd")
	if err != nil || s.Action != "sweep" {
		t.Errorf("%q, %v", s.Action, err)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		environ []string
		want    settings.List
		problem string
	}{
		"commas":          {[]string{"INCLUDE=dist/*.whl, a b"}, settings.List{"dist/*.whl", "a b"}, ""},
		"lines":           {[]string{"INCLUDE=a,b\n c \n"}, settings.List{"a,b", "c"}, ""},
		"one line":        {[]string{"INCLUDE=a,b\n"}, settings.List{"a", "b"}, ""},
		"yaml list":       {[]string{"INCLUDE_COUNT=3", "INCLUDE_0=a,b", "INCLUDE_1= ", "INCLUDE_2=c\nd"}, settings.List{"a,b", "c\nd"}, ""},
		"empty yaml list": {[]string{"INCLUDE_COUNT=0"}, nil, ""},
		"empty and text":  {[]string{"INCLUDE_COUNT=0", "INCLUDE=x"}, settings.List{"x"}, ""},
		"item missing":    {[]string{"INCLUDE_COUNT=999999999", "INCLUDE_0=a"}, nil, "INCLUDE_COUNT says 999999999, but INCLUDE_1 is missing"},
		"bad count":       {[]string{"INCLUDE_COUNT=two", "INCLUDE_0=a"}, nil, "INCLUDE_COUNT is not a count"},
		"negative count":  {[]string{"INCLUDE_COUNT=-1"}, nil, "INCLUDE_COUNT is not a count"},
		"twice":           {[]string{"INCLUDE=x", "INCLUDE_COUNT=1", "INCLUDE_0=a"}, nil, "given twice"},
		"not a list":      {[]string{"ACTION_COUNT=1", "ACTION_0=bake"}, nil, "ACTION: is given as a list"},
		"not allowed":     {[]string{"ZONES_COUNT=2", "ZONES_0=a", "ZONES_1=z"}, nil, `ZONES: has "z", which is not an allowed value; expected: one of a, b, c`},
	} {
		s, err := load(t, c.environ...)
		if c.problem != "" {
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%s: %v, want %q", name, err, c.problem)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, s.Include); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestListBesideItsDefault: pipe.yml sends the default of a list even when the
// user gives another list.
func TestListBesideItsDefault(t *testing.T) {
	t.Parallel()
	var s struct {
		Source settings.List `envconfig:"SOURCE" default:"."`
	}
	err := settings.Load([]string{"SOURCE=.", "SOURCE_COUNT=1", "SOURCE_0=app"}, &s)
	if diff := cmp.Diff(settings.List{"app"}, s.Source); diff != "" || err != nil {
		t.Errorf("(-want +got):\n%s%v", diff, err)
	}
}

func TestAllowedThroughAPointer(t *testing.T) {
	t.Parallel()
	var s struct {
		Mode *string `envconfig:"MODE" allowed:"a,b"`
	}
	if err := settings.Load([]string{"MODE=b"}, &s); err != nil || s.Mode == nil || *s.Mode != "b" {
		t.Errorf("%v", err)
	}
	if err := settings.Load([]string{"MODE=c"}, &s); err == nil {
		t.Error("c was accepted")
	}
}

// TestMessages has every kind of problem at once: none may hide another.
func TestMessages(t *testing.T) {
	t.Parallel()
	var s bake
	err := settings.Load([]string{
		"TIMEOUT=30", "DEBUG=ture", "AWS_ACCESS_KEY_ID=AKIA", "ACTION=Sweep", "APLICATION=shop",
		"INCLUDE_COUNT=x", "COUNT=three", "RATIO=much", "LIMIT=256", "DISK_SIZE=500", "BASE_MAX_AGE=30min",
		"TOKENS_COUNT=1", "PIN=hunter2", "TAGS=team", "PLAN=5", "ZONES=" + strings.Repeat("long ", 40),
	}, &s)
	if err == nil {
		t.Fatal("accepted")
	}
	if code := exit.CodeOf(err); code != exit.Invalid {
		t.Errorf("exit code %v", code)
	}
	golden(t, "messages.txt", err.Error()+"\n")
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
