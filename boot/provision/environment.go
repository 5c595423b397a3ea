package provision

import (
	"maps"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/contract"
)

// defaults stand in where boot itself was started with less.
var defaults = map[string]string{
	"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME": "/root",
	"LANG": "C.UTF-8",
}

// environ is the environment of the provision script: boot's own without
// anything of AWS (credentials and endpoints are not the script's business),
// then the parameters, then what the contract promises.
func (r *run) environ(parameters map[string]string) []string {
	env := maps.Clone(defaults)
	for _, variable := range r.Environ {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "AWS_") && value != "" {
			env[name] = value
		}
	}
	promised := map[string]string{
		"DEBIAN_FRONTEND": "noninteractive", // a question would wait for ever
		"APP_ROOT":        r.path(contract.AppRoot),
		"APPLICATION":     r.cfg.Application,
		"COMMIT":          r.cfg.Commit,
	}
	if r.cfg.Region != "" {
		promised["AWS_REGION"] = r.cfg.Region
		promised["AWS_DEFAULT_REGION"] = r.cfg.Region // the only one that older AWS CLIs read
	}
	if r.Root != "/" {
		promised["MACHINE_ROOT"] = r.Root
	}
	for name, value := range parameters {
		_, basic := defaults[name]
		_, ours := promised[name]
		if basic || ours {
			r.log.say("the parameter for %s is ignored: boot sets that variable", name)
			continue
		}
		env[name] = value
	}
	maps.Copy(env, promised)
	list := make([]string, 0, len(env))
	for _, name := range names(env) {
		list = append(list, name+"="+env[name])
	}
	return list
}

func names(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
