// Package bake turns a commit into a machine image.
//
// A run looks at what is there (image, build server, result), decides on one step
// (decide.go, which is pure), takes it, and looks again. It keeps nothing in its head
// that it could not find out: so a second run continues where a killed one stopped,
// and two runs of the same inputs share one build server.
package bake

import (
	"regexp"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/account"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/settings"
)

// What the pipe can be asked to do.
const (
	ActionBake  = "bake"
	ActionSweep = "sweep"
)

// Settings are the variables of ami-bake.
type Settings struct {
	pipe.Settings
	AWS account.Settings

	Action      string `envconfig:"ACTION" default:"bake" allowed:"bake,sweep" desc:"What to do: bake the image of a commit; or sweep: remove what dead runs left behind, and old images."`
	Application string `envconfig:"APPLICATION" fallback:"BITBUCKET_REPO_SLUG" required:"true" example:"shop" desc:"Name of the application: lower-case letters, digits and dashes."`
	Commit      string `envconfig:"COMMIT" fallback:"BITBUCKET_COMMIT" example:"4f2c9b7a1d3e" desc:"Commit to bake, full or at least 7 characters. Needed to bake."`

	BaseImage    string            `envconfig:"BASE_IMAGE" default:"al2023" example:"ubuntu-24.04" desc:"Image to build on: a name (al2023, ubuntu-24.04, debian-12, debian-13), an AMI id, or ssm: and the path of a parameter that holds one."`
	Architecture string            `envconfig:"ARCHITECTURE" default:"x86_64" allowed:"x86_64,arm64" desc:"Processor architecture of the image."`
	Source       settings.List     `envconfig:"SOURCE" default:"." example:"app, deploy, Procfile" desc:"Paths of the commit that go into the image. Whatever else changes does not cause a bake."`
	Include      settings.List     `envconfig:"INCLUDE" example:"dist/*.whl" desc:"Files built by earlier steps that go in as well: paths of the clone, with * and ?."`
	Provision    string            `envconfig:"PROVISION" default:"deploy/provision.sh" desc:"Script that sets the server up; it runs once, as root, in APP_ROOT."`
	Parameters   string            `envconfig:"BAKE_PARAMETERS" example:"/shop/bake" desc:"Parameter Store path whose parameters the provision script gets as environment variables, for example a token of a package registry."`
	BaseMaxAge   settings.Duration `envconfig:"BASE_MAX_AGE" default:"7d" desc:"How old an image of the same inputs may be to be used again. An older one is baked afresh, so that packages and the operating system are brought up to date. A sweep leaves younger ones alone."`
	InstanceType string            `envconfig:"INSTANCE_TYPE" example:"c7i.large" desc:"Type of the build server. Default: t3.medium, or t4g.medium for arm64."`
	VolumeSize   int               `envconfig:"VOLUME_SIZE" example:"20" desc:"Size of the image's disk in GiB. Default: that of the base image."`
	PackageLimit settings.Size     `envconfig:"PACKAGE_LIMIT" default:"1GiB" desc:"Largest size of all files that go into the image, uncompressed."`

	Keep    int  `envconfig:"KEEP" default:"5" desc:"For sweep: releases of each environment, of different commits, whose images stay, so that it can go back to them. At least 2: what is live and the one before."`
	Confirm bool `envconfig:"CONFIRM" default:"false" desc:"For sweep: remove old images with their snapshots, not only say which."`

	Bucket        string `envconfig:"BUCKET" example:"fearless-111122223333-eu-central-1" desc:"Bucket for packages and the image index. Default: fearless-<account>-<region>, made by account.yml."`
	Subnet        string `envconfig:"SUBNET_ID" example:"subnet-0abc" desc:"Subnet of the build server; it must reach S3 and the package sources. Default: the one that account.yml made."`
	SecurityGroup string `envconfig:"SECURITY_GROUP_ID" example:"sg-0abc" desc:"Security group of the build server; it needs no inbound rule. Default: the one that account.yml made."`
	Profile       string `envconfig:"BAKE_PROFILE" default:"fearless-bake-server" desc:"Instance profile that may read BAKE_PARAMETERS; the build server gets it only when they are set."`
}

var (
	applicationName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,38}[a-z0-9]$`)
	amiID           = regexp.MustCompile(`^ami-[0-9a-f]{8,17}$`)
	// gravitonType matches the families whose processors are arm64: a generation
	// digit followed by g, as in t4g, m7gd, c8gn.
	gravitonType = regexp.MustCompile(`^[a-z]+[0-9]+g[a-z]*\.|^a1\.`)
)

// Check finds what is wrong with the settings together, or beyond their types.
func (s *Settings) Check(r *settings.Report) {
	s.checkApplication(r)
	if s.Action == ActionBake && s.Commit == "" {
		r.Problemf("COMMIT", "is needed to bake; a pipeline sets BITBUCKET_COMMIT, elsewhere give the hash")
	}
	if _, err := parseBase(s.BaseImage, s.Architecture); err != nil {
		r.Problemf("BASE_IMAGE", "%v", err)
	}
	if s.Parameters != "" && (!strings.HasPrefix(s.Parameters, "/") || len(s.Parameters) < 2) {
		r.Problemf("BAKE_PARAMETERS", "%q is not a Parameter Store path; it starts with a slash, as in /%s/bake", s.Parameters, s.Application)
	}
	if (s.Subnet == "") != (s.SecurityGroup == "") {
		r.Problemf("SUBNET_ID", "and SECURITY_GROUP_ID belong together: both must be in one VPC; give both or none")
	}
	if s.InstanceType != "" && gravitonType.MatchString(s.InstanceType) != (s.Architecture == "arm64") {
		r.Problemf("INSTANCE_TYPE", "%q does not run %s, the ARCHITECTURE of the image", s.InstanceType, s.Architecture)
	}
	if s.VolumeSize < 0 || s.VolumeSize > 16384 {
		r.Problemf("VOLUME_SIZE", "%d is not a size in GiB from 1 to 16384", s.VolumeSize)
	}
	if s.Action == ActionSweep && s.Keep < leastKept {
		r.Problemf("KEEP", "%d is less than %d: what is live, and the release before, to which one goes back", s.Keep, leastKept)
	}
	if s.BaseMaxAge < 0 {
		r.Problemf("BASE_MAX_AGE", "must not be negative; 0d bakes every time")
	}
}

// checkApplication holds the name to what stack names, host names and image names
// take, with room for what is appended to it. Names that start like the stacks of
// test environments would be taken for one by whoever cleans those up.
func (s *Settings) checkApplication(r *settings.Report) {
	name := s.Application
	switch {
	case name == "": // reported as missing
	case name == "test" || strings.HasPrefix(name, "test-"):
		r.Problemf("APPLICATION", "%q is reserved: stacks of test environments start with test", name)
	case !applicationName.MatchString(name):
		r.Problemf("APPLICATION", "%q is not a name of 2 to 40 lower-case letters, digits and dashes that starts with a letter; set it, for example to %q", name, suggestName(name))
	}
}

// suggestName makes a valid application name from a repository slug.
func suggestName(slug string) string {
	name := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(slug), "-"), "-0123456789")
	if len(name) > 40 {
		name = strings.TrimRight(name[:40], "-")
	}
	if len(name) < 2 {
		return "application"
	}
	return name
}

// instanceType is the type of the build server.
func (s *Settings) instanceType() string {
	switch {
	case s.InstanceType != "":
		return s.InstanceType
	case s.Architecture == "arm64":
		return "t4g.medium"
	}
	return "t3.medium"
}

// lifetime is how long sessions, URLs and temporary things live: longer than the run,
// so that what it began it can also clean up.
func (s *Settings) lifetime() time.Duration { return s.Timeout.Std() + account.Margin }
