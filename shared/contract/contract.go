// Package contract holds what an image, the user data of a server and boot
// (the program inside the image) have agreed on: paths, JSON documents and the
// numbers of ports. Pipes write one side of it and boot the other, often from
// releases that are months apart, so it only ever grows: unknown keys are
// ignored, and Version is raised only when old readers would do harm.
package contract

import "time"

// Version is the contract that this code speaks.
const Version = 1

// Places inside an image. All are prefixed with MACHINE_ROOT where a machine's
// disk is a directory.
const (
	AppRoot   = "/opt/app"               // the application's tree; APP_ROOT of every process
	Home      = "/opt/fearless"          // everything of ours
	Agent     = Home + "/boot"           // the boot program
	BakeFile  = Home + "/bake.json"      // Provisioning; only on a build server
	Package   = Home + "/package.tar.gz" // what the build server was sent; only there
	ImageFile = Home + "/image.json"     // Image; in every image

	UnitName = "fearless-boot.service"
	Unit     = "/etc/systemd/system/" + UnitName
	Wants    = "/etc/systemd/system/multi-user.target.wants/" + UnitName
)

// User is the system user that runs the application's processes.
const User = "app"

// RoleAll is the role that runs every process type but release.
const RoleAll = "all"

// ReleaseProcess is the process type that is run once per release.
const ReleaseProcess = "release"

// DatabaseServer is the database on the server itself: PostgreSQL of the image, made empty
// and kept running by boot, for the processes of this server. DATABASE_URL leads to it.
const DatabaseServer = "server"

// Provisioning is what a build server is told to do (BakeFile). The two URLs
// are presigned PUTs, so the server needs no right on the bucket.
type Provisioning struct {
	Contract       int       `json:"contract"`
	Application    string    `json:"application"`
	Commit         string    `json:"commit"`
	Script         string    `json:"script"`          // the provision script, relative to AppRoot
	ParametersPath string    `json:"parameters_path"` // Parameter Store path; empty: none
	LogURL         string    `json:"log_url"`
	ResultURL      string    `json:"result_url"`
	Region         string    `json:"region"`
	Deadline       time.Time `json:"deadline"` // the script is ended when it is reached
}

// Provisioned is the outcome of a build server, the object at ResultURL.
type Provisioned struct {
	Contract  int      `json:"contract"`
	ExitCode  int      `json:"exit_code"` // of the script; -1 when it did not run to its end
	Reason    string   `json:"reason"`    // why the server cannot become an image; empty: it can
	Seconds   float64  `json:"seconds"`
	Processes []string `json:"processes"` // process types of the Procfile, release included
}

// OK reports whether the server may be frozen into an image.
func (p Provisioned) OK() bool { return p.ExitCode == 0 && p.Reason == "" }

// Image describes an image from the inside (ImageFile).
type Image struct {
	Contract    int      `json:"contract"`
	Application string   `json:"application"`
	Commit      string   `json:"commit"`
	Processes   []string `json:"processes"`
}

// UserData tells a server what it is. It never carries a secret: anyone who
// may describe the instance can read it.
type UserData struct {
	Contract      int            `json:"contract"`
	Application   string         `json:"application"`
	Environment   string         `json:"environment"`
	Role          string         `json:"role"`
	Processes     []string       `json:"processes,omitempty"` // empty: the process type named like the role
	Stack         string         `json:"stack,omitempty"`
	Resource      string         `json:"resource,omitempty"` // logical id of the group or instance
	TargetGroups  []string       `json:"target_groups,omitempty"`
	Ports         map[string]int `json:"ports,omitempty"`          // by process type, where the default does not fit
	HealthPath    string         `json:"health_path,omitempty"`    // of the process type web
	SettingsPaths []string       `json:"settings_paths,omitempty"` // Parameter Store; a later path wins
	PublicHosts   []string       `json:"public_hosts,omitempty"`
	Commit        string         `json:"commit,omitempty"` // what is deployed, where it may not be what the image was baked for
	Drain         Seconds        `json:"drain,omitempty"`  // 0: DefaultDrain
	Ready         string         `json:"ready,omitempty"`  // command that succeeds when the server is ready
	Logs          string         `json:"logs,omitempty"`   // s3://bucket/prefix
	Region        string         `json:"region"`
	Release       bool           `json:"release,omitempty"`  // run the release process once and power off
	Database      string         `json:"database,omitempty"` // DatabaseServer; empty: none of boot's making
	Seed          string         `json:"seed,omitempty"`     // command to run once, between the release process and the others

	// Signal: CloudFormation waits for a signal to Resource of Stack from this
	// server. Servers with Release or Singleton vote while they themselves are
	// younger than ReadyTimeout, because their group is not replaced (or there
	// is none); all others only while their own group is.
	Signal       bool    `json:"signal,omitempty"`
	ReadyTimeout Seconds `json:"ready_timeout,omitempty"` // how long CloudFormation waits; 0: DefaultReadyTimeout
	// Singleton: nothing starts before every other instance with the tags
	// aws:cloudformation:stack-name = Stack and aws:cloudformation:logical-id =
	// Resource is stopped or terminated.
	Singleton bool   `json:"singleton,omitempty"`
	Hook      string `json:"hook,omitempty"` // the group's lifecycle hook for terminating servers; empty: none
}

// Seconds is a duration in whole seconds, the way it stands in JSON.
type Seconds int

// Std is the duration as the standard library has it.
func (s Seconds) Std() time.Duration { return time.Duration(s) * time.Second }

// How long processes may take to end after SIGTERM.
const (
	DefaultDrain Seconds = 30
	// MaxDrain leaves boot a minute of the five that a terminating server has,
	// for the last log and the lifecycle hook.
	MaxDrain Seconds = 240
)

// DrainTime is the drain to use: the default where none is set, at most MaxDrain.
func (u UserData) DrainTime() time.Duration {
	switch {
	case u.Drain <= 0:
		return DefaultDrain.Std()
	case u.Drain > MaxDrain:
		return MaxDrain.Std()
	}
	return u.Drain.Std()
}

// DefaultReadyTimeout is CloudFormation's own patience where a template names
// none.
const DefaultReadyTimeout Seconds = 300

// ReadyTime is the ready timeout to use: the default where none is set.
func (u UserData) ReadyTime() time.Duration {
	if u.ReadyTimeout <= 0 {
		return DefaultReadyTimeout.Std()
	}
	return u.ReadyTimeout.Std()
}
