package environment

import (
	"strings"

	"bitbucket.org/fearless/pipes/shared/contract"
)

// userData is what a server is told, with ${…} in it for what CloudFormation
// fills in.
type userData struct{ contract.UserData }

// dollar stands for a dollar sign that the user wrote. It is a character of no
// script (private use), which Load lets through in no text.
const dollar = "\ue024"

// plain marks the dollar signs of a user's text, so that CloudFormation does
// not take ${HOME} for something to fill in.
func plain(s string) string { return strings.ReplaceAll(s, "$", dollar) }

func plains(all []string) []string {
	var marked []string
	for _, s := range all {
		marked = append(marked, plain(s))
	}
	return marked
}

func (f *File) userData(r Role) userData {
	d := contract.UserData{
		Application: f.Application, Environment: f.Environment, Role: r.Name, Processes: r.Processes,
		Stack: "${AWS::StackName}", Resource: r.Group(), Region: "${AWS::Region}", Commit: "${" + ParameterCommit + "}",
		SettingsPaths: f.Settings, PublicHosts: plains(f.Hosts()),
		Drain: contract.Seconds(r.Drain.Seconds()), Ready: plain(r.Ready),
		Logs:   "s3://" + bucket + "/" + f.Logs(),
		Signal: true, ReadyTimeout: contract.Seconds(r.Start.Seconds()), Singleton: r.Singleton, Hook: hook,
	}
	if h := r.HTTP; h != nil {
		d.TargetGroups = []string{"${" + r.Targets() + "}"}
		d.HealthPath = plain(h.Health)
		if len(h.Hosts) > 0 {
			d.PublicHosts = plains(h.Hosts)
		}
		if h.Port != contract.PortBase {
			d.Ports = map[string]int{web: h.Port}
		}
	}
	return userData{d}
}

// text is the JSON for Fn::Sub. A user's dollar sign is written as JSON may
// write it, \u0024: what reads the JSON sees it, CloudFormation does not.
func (d userData) text() string {
	data, err := d.Marshal()
	if err != nil {
		return "" // cannot happen: texts, numbers and lists always have a JSON form
	}
	return strings.ReplaceAll(string(data), dollar, `\u0024`)
}
