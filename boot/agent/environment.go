package agent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/boot/parameters"
	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/procfile"
)

// settingsBound is how long reading the settings may take before boot gives up
// and is started again.
const settingsBound = time.Minute

// settings are the application's variables; a later path wins.
func (a *agent) settings(ctx context.Context) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, settingsBound)
	defer cancel()
	settings := map[string]string{}
	for _, path := range a.userData.SettingsPaths {
		found, err := parameters.Fetch(ctx, a.cloud.Parameters, path)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			settings[p.Name] = p.Value
			if p.Secret {
				a.log.mask(p.Value)
			}
		}
		a.log.say("%d settings below %s", len(found), path)
	}
	return settings, nil
}

// portBase reads PORT_BASE, which the local cloud sets where servers share an
// address.
func portBase(environ []string) (int, error) {
	value := variable(environ, "PORT_BASE")
	if value == "" {
		return contract.PortBase, nil
	}
	base, err := strconv.Atoi(value)
	if err != nil || base < 1024 || base > 65535 {
		return 0, fmt.Errorf("PORT_BASE is %q, expected a port from 1024 to 65535", value)
	}
	return base, nil
}

// calls are the processes of the role, ready to be started.
func (a *agent) calls(types []string, settings map[string]string, base int) map[string]Call {
	ports := contract.Ports(procfile.Types(a.processes), a.userData.Ports, base)
	common := a.environ(settings)
	calls := make(map[string]Call, len(types))
	for _, t := range types {
		process, _ := procfile.Find(a.processes, t)
		environ := common
		if port := ports[t]; port > 0 {
			environ = append(slices.Clip(common), "PORT="+strconv.Itoa(port))
		}
		calls[t] = Call{
			Shell: process.Shell(), Dir: a.path(contract.AppRoot), Environ: environ, Out: a.log.process(t), Port: ports[t],
		}
	}
	return calls
}

// environ is what all processes of the server are given: boot's own
// environment, then the settings, then what the contract promises.
func (a *agent) environ(settings map[string]string) []string {
	env := map[string]string{
		"PATH":               "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG":               "C.UTF-8",
		"AWS_REGION":         a.userData.Region,
		"AWS_DEFAULT_REGION": a.userData.Region, // the only one that older AWS CLIs read
	}
	for _, v := range a.Environ {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	delete(env, "PORT_BASE")
	promised := map[string]string{
		"HOST":         a.address,
		"PUBLIC_HOSTS": strings.Join(a.userData.PublicHosts, ","),
		"APP_ROOT":     a.path(contract.AppRoot),
		"COMMIT":       a.commit(),
		"APPLICATION":  a.userData.Application,
		"ENVIRONMENT":  a.userData.Environment,
		"ROLE":         a.userData.Role,
	}
	if a.User != "" {
		promised["USER"], promised["LOGNAME"], promised["HOME"] = a.User, a.User, a.Home
	}
	if a.own != nil {
		promised["DATABASE_URL"] = a.own.url()
	}
	for name, value := range settings {
		if _, ours := promised[name]; ours || name == "PORT" {
			a.log.say("the setting %s is ignored: boot sets that variable", name)
			continue
		}
		env[name] = value
	}
	maps.Copy(env, promised)
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

func variable(environ []string, name string) string {
	for _, v := range environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}
