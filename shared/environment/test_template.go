package environment

import (
	"cmp"
	"strconv"
	"time"

	"bitbucket.org/fearless/pipes/shared/contract"
)

// Outputs of the stack of a test environment.
const (
	OutputURL     = "Url"
	OutputHealth  = "HealthPath"
	OutputTargets = "Targets" // ARN of the target group
)

// roleOfTests is the one role of a test environment. The names of its resources begin
// with it.
var roleOfTests = Role{Name: contract.RoleAll, Min: 1, Max: 1}

// GroupOfTests is the logical id of the group with the one server.
var GroupOfTests = roleOfTests.Group()

// TestValues are what one test environment is made of beside its Test.
type TestValues struct {
	Stack     string // its name
	URL, Host string
	Image     string
	Commit    string
	Instance  string   // type of server
	Processes []string // in the order of their start, see TestProcesses
	Priority  int      // of its rule in the listener
	Seed      string   // instead of the file's, when it is not empty
	Base      map[string]string
}

// drainOfTests is how long the balancer waits for the requests of a server that leaves:
// nobody depends on those of a test environment, and its end costs less.
const drainOfTests = 5 * time.Second

// Template is one server behind a rule for its host name, and nothing else: whatever is
// in the stack is gone with it, data too.
func (s *Test) Template(v TestValues) *Template {
	f := &File{Application: s.Application, Environment: test, Settings: s.Settings}
	t := newTemplate(s.Application + " " + v.Commit[:min(len(v.Commit), 12)] + ": test environment")
	s.parameters(t, v)
	role := s.role(v)
	launch := f.launchTemplate(role.Name, v.Instance, s.userData(f, role, v))
	marks := append(tags(map[string]string{
		"Name": v.Stack, TagApplication: s.Application, TagEnvironment: test, TagRole: role.Name,
	}), object{"Key": TagCommit, "Value": ref(ParameterCommit)})
	launch["TagSpecifications"] = []any{
		object{"ResourceType": "instance", "Tags": marks}, object{"ResourceType": "volume", "Tags": marks},
	}
	t.add(role.id("Template"), resource{Type: "AWS::EC2::LaunchTemplate", Properties: object{"LaunchTemplateData": launch}})
	f.targets(t, role)
	t.body.Resources[role.Targets()].Properties["Tags"] = tags(map[string]string{"Name": v.Stack})
	t.add(role.Group(), s.group(role))
	t.output(OutputURL, "Where it answers", v.URL)
	t.output(OutputHealth, "Path that answers 200", s.Health)
	t.output(OutputTargets, "The target group", ref(role.Targets()))
	t.output(ParameterCommit, "What is shown", ref(ParameterCommit))
	t.output(ParameterImage, "Image of the server", ref(ParameterImage))
	return t
}

func (s *Test) parameters(t *Template, v TestValues) {
	given := func(name, description, value string) {
		t.parameter(Parameter{Name: name, Type: typeString, Value: value}, description)
	}
	given(ParameterImage, "Image of the server", v.Image)
	given(ParameterCommit, "Commit that is shown", v.Commit)
	given(OutputServerGroup, "Security group of servers", v.Base[OutputServerGroup])
	given(OutputProfile, "What servers may do", v.Base[OutputProfile])
	given(OutputVPC, "The network", v.Base[OutputVPC])
	given(OutputListener, "The listener that has the rules", v.Base[OutputListener])
	t.parameter(Parameter{Name: OutputSubnets, Type: typeList, Value: v.Base[OutputSubnets]}, "Where servers go")
}

func (s *Test) role(v TestValues) Role {
	r := roleOfTests
	r.Processes, r.Instance, r.Ready, r.Start, r.Drain = v.Processes, v.Instance, s.Ready, s.Start, s.Drain
	r.HTTP = &HTTP{Hosts: []string{v.Host}, Health: s.Health, Port: s.Port, Drain: drainOfTests, Priority: v.Priority}
	return r
}

// userData is that of a role, with what only the server of a test environment is told.
func (s *Test) userData(f *File, r Role, v TestValues) userData {
	d := f.userData(r)
	d.Hook = ""
	d.Seed = plain(cmp.Or(v.Seed, s.Seed))
	if s.Database != DatabaseNone {
		d.Database = s.Database
	}
	d.Logs = "s3://" + bucket + "/" + TestLogs(s.Application, v.Stack)
	return d
}

// group keeps one server. It has no lifecycle hook, since there is no work on it that
// must not be cut off; and a server that the balancer calls sick is left alone, because
// another one would have none of its data, and nobody could look at it.
func (s *Test) group(r Role) resource {
	marks := tags(map[string]string{TagApplication: s.Application, TagEnvironment: test, TagRole: r.Name})
	for _, tag := range marks {
		tag.(object)["PropagateAtLaunch"] = true
	}
	one := strconv.Itoa(1)
	return resource{
		Type: "AWS::AutoScaling::AutoScalingGroup", DependsOn: []string{r.id("Rule")},
		CreationPolicy: object{"ResourceSignal": object{"Count": 1, "Timeout": iso(r.Start)}},
		Properties: object{
			"MinSize": one, "MaxSize": one, "DesiredCapacity": one,
			"VPCZoneIdentifier": ref(OutputSubnets), "LaunchTemplate": versioned(r.id("Template")),
			"TargetGroupARNs": []any{ref(r.Targets())}, "Tags": marks,
		},
	}
}

// TestLogs is the prefix in the bucket under which the server of a test environment
// leaves its log.
func TestLogs(application, stack string) string {
	return "logs/" + application + "/" + test + "/" + stack
}

// UserDataSize is what the server would be told, in bytes; MostUserData is possible.
func (s *Test) UserDataSize(v TestValues) int {
	f := &File{Application: s.Application, Environment: test, Settings: s.Settings}
	return len(s.userData(f, s.role(v), v).text())
}

// MostUserData is how much a server can be told, with room for what CloudFormation
// fills in.
const MostUserData = mostUserData

// ofTests are what the servers of a base of testing may do beside its own: test
// environments run with the same rights.
type ofTests struct {
	stacks, logs []any
	settings     []string
}

func (f *File) tests() ofTests {
	if f.Environment != Testing {
		return ofTests{}
	}
	return ofTests{
		stacks:   []any{sub("arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/test-" + f.Application + "-*/*")},
		logs:     []any{sub("arn:${AWS::Partition}:s3:::" + bucket + "/" + TestLogs(f.Application, "*"))},
		settings: []string{testSettings(f.Application)},
	}
}
