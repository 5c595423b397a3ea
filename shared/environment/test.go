package environment

import (
	"regexp"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// TestFile is where a repository says what its test environments are made of.
const TestFile = "environments/test.yml"

// Testing is the environment on whose base test environments stand: they share its
// network, its balancer and what its servers may do.
const Testing = "testing"

// test is the ENVIRONMENT of every test environment. COMMIT tells them apart.
const test = "test"

// Test is what the test environments of an application are made of, with the defaults
// applied. Each is one server that runs all processes.
type Test struct {
	Path        string // as it stands in messages
	Application string

	// Processes are process types of the Procfile; release comes first in any case.
	// Default: all.
	Processes []string

	// Instance is the type of server. Default: the micro one of the image's processor.
	Instance string

	// Health is the path that answers 200 when the server is well. Default: /health.
	Health string

	// Port is where the process type web listens. Default: 8000.
	Port int

	// Ready, Start and Drain are as for a role.
	Ready        string
	Start, Drain time.Duration

	// Settings are Parameter Store paths; a later one wins. Default:
	// /<application>/test, which the servers of a base of testing may read.
	Settings []string

	// Database is one of the constants below. Default: none.
	Database string

	// Seed is a command that is run once, after the release process: data to look at.
	// Default: none.
	Seed string
}

// Databases of a test environment. One from a snapshot, or on testing's own server,
// would be a constant here, a parameter of the template and its resources there.
const (
	DatabaseNone   = "none"
	DatabaseServer = contract.DatabaseServer // PostgreSQL on the server itself, gone with it
)

// DefaultTest is a Test without a file.
func DefaultTest(application string) *Test {
	return &Test{
		Path: TestFile, Application: application, Health: defaultHealth, Port: contract.PortBase, Start: defaultStart,
		Drain: contract.DefaultDrain.Std(), Settings: []string{testSettings(application)}, Database: DatabaseNone,
	}
}

// testSettings is the Parameter Store path of the settings of test environments.
func testSettings(application string) string { return "/" + application + "/" + test }

// LoadTest reads the file of test environments. The error names every problem with its
// line and column.
func LoadTest(file, application string, data []byte) (*Test, error) {
	t := DefaultTest(application)
	t.Path = file
	doc := &document{name: file}
	if whole := doc.parse(data); whole != nil {
		t.read(whole.table("application", "processes", "instance", "http", "ready", "start", "drain", "settings", "database", "seed"))
	}
	if err := doc.err(); err != nil {
		return nil, err
	}
	return t, nil
}

func (s *Test) read(t table) {
	if t.values == nil {
		return
	}
	if v, ok := t.get("application"); ok {
		if name, ok := v.text(); ok && name != s.Application {
			v.problemf("%q is not %s, the application that is shown", short(name), s.Application)
		}
	}
	if v, ok := t.get("processes"); ok {
		s.Processes = v.texts(processName, "a process type of the Procfile", 20)
	}
	if v, ok := t.get("instance"); ok {
		s.Instance, _ = v.match(instanceType, "a type of server such as t3.small")
	}
	if v, ok := t.get("http"); ok {
		s.readHTTP(v.table("health", "port"))
	}
	if v, ok := t.get("ready"); ok {
		s.Ready, _ = v.match(regexp.MustCompile(`^.{1,1000}$`), "a command of at most 1000 characters")
	}
	if v, ok := t.get("start"); ok {
		s.Start, _ = v.duration(time.Minute, longestStart)
	}
	if v, ok := t.get("drain"); ok {
		s.Drain, _ = v.duration(time.Second, contract.MaxDrain.Std())
	}
	if v, ok := t.get("settings"); ok {
		s.Settings = v.texts(settingsPath, "a Parameter Store path such as /shop/test", 10)
	}
	if v, ok := t.get("database"); ok {
		s.Database, _ = v.oneOf(DatabaseNone, DatabaseServer)
	}
	if v, ok := t.get("seed"); ok {
		s.Seed, _ = v.match(regexp.MustCompile(`^.{1,1000}$`), "a command of at most 1000 characters")
	}
}

func (s *Test) readHTTP(t table) {
	if v, ok := t.get("health"); ok {
		s.Health, _ = v.match(urlPath, "a path such as /health")
	}
	if v, ok := t.get("port"); ok {
		s.Port, _ = v.number(lowestPort, highestPort)
	}
}

// CheckApplication refuses a name that cannot be part of the names of stacks and hosts.
func CheckApplication(application string) error {
	return (&File{Path: TestFile, Application: application, Environment: Testing}).checkNames()
}

// BaseOfTests is the stack on whose outputs the test environments of an application
// stand.
func BaseOfTests(application string) string {
	return (&File{Application: application, Environment: Testing}).BaseStack()
}

// Micro is the type of server for an image's processor that costs least and still has
// memory for more than one process: 1 GiB.
func Micro(architecture string) string {
	if architecture == "arm64" {
		return "t4g.micro"
	}
	return "t3.micro"
}

// Runs reports whether a type of server has the processor that an image is for.
func Runs(instance, image string) bool { return architecture(instance) == image }

// TestProcesses is what the server runs of the process types of an image: release first,
// then those that were named, or else all. Where says who named them.
func TestProcesses(types, named []string, where string) ([]string, error) {
	chosen := named
	if len(chosen) == 0 {
		chosen = types
	}
	has := map[string]bool{}
	for _, t := range types {
		has[t] = true
	}
	all := []string{}
	if has[contract.ReleaseProcess] {
		all = append(all, contract.ReleaseProcess)
	}
	answers := false
	seen := map[string]bool{contract.ReleaseProcess: true}
	for _, t := range chosen {
		if !has[t] {
			return nil, exit.Invalidf("%s: there is no process type %s in the image, its Procfile has %s", where, short(t), strings.Join(types, ", "))
		}
		if !seen[t] {
			seen[t], all = true, append(all, t)
		}
		answers = answers || t == web
	}
	if !answers {
		return nil, exit.Invalidf("%s: nothing would answer, since the process type %s is not among %s", where, web, strings.Join(chosen, ", "))
	}
	return all, nil
}
