package environment

import (
	"slices"
	"strconv"

	"bitbucket.org/fearless/pipes/shared/contract"
)

// Parameters of the servers, beside those that carry outputs of the base.
const (
	ParameterImage    = "ImageId"
	ParameterRun      = "RunRelease" // true or false
	ParameterSettings = "SettingsDigest"
	ParameterCommit   = "Commit"
)

// Logical ids of the release process.
const (
	idRelease         = "Release"
	idReleaseTemplate = "ReleaseTemplate"
)

// ConditionRelease is the condition of the release process: ParameterRun is true.
const ConditionRelease = "ReleaseRuns"

// hook is the name of the lifecycle hook of terminating servers in each group.
const hook = "drain"

// bucket is what account.yml makes.
const bucket = "fearless-${AWS::AccountId}-${AWS::Region}"

// Values are what a release changes: all of it goes into parameters, so the
// template stays the same until the file changes.
type Values struct {
	Image          string
	Commit         string
	SettingsDigest string
	RunRelease     bool
	Capacity       map[string]int    // servers to start with, by role; default: the role's Min
	Base           map[string]string // outputs of the base
}

// Servers is the template of the servers. What they run is released in this
// order: the release process, roles without http, roles with http, and at last
// what must never run twice, because it stops before it starts.
func (f *File) Servers(v Values) *Template {
	t := newTemplate(f.Application + " " + f.Environment + ": servers")
	f.serverParameters(t, v)
	f.release(t)
	for _, r := range f.Roles {
		f.role(t, r, v)
	}
	t.output(ParameterCommit, "What was released", ref(ParameterCommit))
	t.output(ParameterImage, "Image of the servers", ref(ParameterImage))
	return t
}

func (f *File) serverParameters(t *Template, v Values) {
	given := func(name, description, value string) {
		t.parameter(Parameter{Name: name, Type: typeString, Value: value}, description)
	}
	given(ParameterImage, "Image of the servers", v.Image)
	given(ParameterCommit, "Commit that is released", v.Commit)
	given(ParameterSettings, "Digest of the settings, so that changed ones start new servers", v.SettingsDigest)
	t.parameter(Parameter{Name: ParameterRun, Type: typeString, Value: strconv.FormatBool(v.RunRelease)}, "Run the release process", yesOrNo)
	given(OutputServerGroup, "Security group of servers", v.Base[OutputServerGroup])
	given(OutputProfile, "What servers may do", v.Base[OutputProfile])
	t.parameter(Parameter{Name: OutputSubnets, Type: typeList, Value: v.Base[OutputSubnets]}, "Where servers go")
	if slices.ContainsFunc(f.Roles, func(r Role) bool { return r.HTTP != nil }) {
		given(OutputVPC, "The network", v.Base[OutputVPC])
		given(OutputListener, "The listener that has the rules", v.Base[OutputListener])
	}
}

// release is the server that runs the release process. A new version of its
// launch template, which every release makes, is a new server; the server
// powers itself off.
func (f *File) release(t *Template) {
	t.body.Conditions[ConditionRelease] = object{"Fn::Equals": []any{ref(ParameterRun), "true"}}
	data := f.userData(Role{Name: contract.ReleaseProcess, Processes: []string{contract.ReleaseProcess}, Start: f.Release.Timeout})
	data.Release, data.Resource, data.Hook = true, idRelease, ""
	template := f.launchTemplate(contract.ReleaseProcess, f.Release.Instance, data)
	template["InstanceInitiatedShutdownBehavior"] = "terminate"
	t.add(idReleaseTemplate, resource{Type: "AWS::EC2::LaunchTemplate", Properties: object{"LaunchTemplateData": template}})
	t.add(idRelease, resource{
		Type: "AWS::EC2::Instance", Condition: ConditionRelease,
		CreationPolicy: object{"ResourceSignal": object{"Count": 1, "Timeout": iso(f.Release.Timeout)}},
		Properties: object{
			"SubnetId":       choose(0, ref(OutputSubnets)),
			"LaunchTemplate": versioned(idReleaseTemplate),
		},
	})
}

// wave is when a role is released.
func wave(r Role) int {
	switch {
	case r.Singleton:
		return 2
	case r.HTTP != nil:
		return 1
	}
	return 0
}

// before are the resources that must be there before a role's group is made,
// beside the release process.
func (f *File) before(r Role) []string {
	var all []string
	if r.HTTP != nil {
		all = append(all, r.id("Rule")) // servers behind no rule are never checked
	}
	for _, other := range f.Roles {
		if wave(other) < wave(r) {
			all = append(all, other.Group())
		}
	}
	slices.Sort(all)
	return all
}

func (f *File) capacity(r Role, v Values) int {
	if n, ok := v.Capacity[r.Name]; ok {
		return n
	}
	return r.Min
}

func versioned(template string) object {
	return object{"LaunchTemplateId": ref(template), "Version": attribute(template, "LatestVersionNumber")}
}
