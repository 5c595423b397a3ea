package settings_test

import (
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/settings"
)

type names struct {
	Timeout     settings.Duration `envconfig:"TIMEOUT" default:"30m"`
	Application string            `envconfig:"APPLICATION" fallback:"BITBUCKET_REPO_SLUG"`
	Include     settings.List     `envconfig:"INCLUDE"`
	Hosts       settings.List     `envconfig:"HOSTS"`
	Tool        string            `envconfig:"TOOL"`
	Tag         string            `envconfig:"TAG"`
	Commit      string            `envconfig:"BITBUCKET_COMMIT" context:"true"`
	Role        string            `envconfig:"AWS_OIDC_ROLE_ARN"`
}

func TestTypos(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		environ []string
		want    string // the start of the problem; blank is none
	}{
		"letter missing":        {[]string{"TIMEOT=1h"}, "TIMEOT: unknown variable; did you mean TIMEOUT, which has its default, \"30m\"?"},
		"letter too many":       {[]string{"TIMEOUTS=1h"}, "TIMEOUTS: "},
		"letter replaced":       {[]string{"TINEOUT=1h"}, "TINEOUT: "},
		"letters swapped":       {[]string{"TIMEUOT=1h"}, "TIMEUOT: "},
		"lower case":            {[]string{"timeout=1h"}, "timeout: "},
		"mixed case":            {[]string{"Application=x"}, "Application: "},
		"two slips, short":      {[]string{"TIMOT=1h"}, ""},
		"two slips, long":       {[]string{"APLICATOIN=x"}, "APLICATOIN: unknown variable; did you mean APPLICATION,"},
		"three slips":           {[]string{"APLICATO_=x"}, ""},
		"the right one is set":  {[]string{"TIMEOTS=1h", "TIMEOUT=1h", "TIMEOUTS=1h"}, ""},
		"right one is default":  {[]string{"TIMEOT=1h", "TIMEOUT=30m"}, "TIMEOT: "},
		"right one set as list": {[]string{"INCLUDES=x", "INCLUDE_COUNT=1", "INCLUDE_0=x"}, ""},
		"right one blank":       {[]string{"INCLUDES=x", "INCLUDE="}, "INCLUDES: "},
		"blank itself":          {[]string{"TIMEOT= "}, ""},
		"list":                  {[]string{"INLCUDE_COUNT=2", "INLCUDE_0=a", "INLCUDE_1=b"}, "INLCUDE: unknown variable; did you mean INCLUDE,"},
		"known list":            {[]string{"INCLUDE_COUNT=2", "INCLUDE_0=a", "INCLUDE_1=b"}, ""},
		"fallback is known":     {[]string{"BITBUCKET_REPO_SLUG=x"}, ""},
		"short names":           {[]string{"TAGS=x", "TAB=x", "TA=x"}, ""},
		"machine's own":         {[]string{"HOME=/root", "PATH=/bin", "HOST=x"}, "HOST: unknown variable; did you mean HOSTS,"},
		"reserved, far":         {[]string{"BITBUCKET_COMITTT=x"}, ""},
		"reserved, near":        {[]string{"BITBUCKET_COMMITS=x"}, "BITBUCKET_COMMITS: "},
		"reserved, two slips":   {[]string{"AWS_ODIC_ROLE_AR=x"}, ""},
		"aws, near":             {[]string{"AWS_ODIC_ROLE_ARN=x"}, "AWS_ODIC_ROLE_ARN: "},
		"aws's own":             {[]string{"AWS_ROLE_ARN=x", "AWS_PROFILE=x"}, ""},
		"nothing alike":         {[]string{"GITHUB_TOKEN=x", "NODE_ENV=production"}, ""},
	} {
		var s names
		err := settings.Load(c.environ, &s)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), "1 problem with the settings:\n"+c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestTypoOfSecret: what stands in a misspelt secret is a secret.
func TestTypoOfSecret(t *testing.T) {
	t.Parallel()
	var s struct {
		Password string `envconfig:"PASSWORD" secret:"true" required:"true"`
	}
	err := settings.Load([]string{"PASSWROD=hunter22"}, &s)
	if err == nil || strings.Contains(err.Error(), "hunter22") || strings.Count(err.Error(), "\n") != 1 ||
		!strings.Contains(err.Error(), "did you mean PASSWORD, which is required, but not set?") {
		t.Errorf("%v", err)
	}
}
