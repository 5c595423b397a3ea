package main

import (
	"bitbucket.org/fearless/pipes/pipes/ami-bake/bake"
	"bitbucket.org/fearless/pipes/pipes/deploy-env/rollout"
	"bitbucket.org/fearless/pipes/pipes/lint-gate/gate"
	"bitbucket.org/fearless/pipes/pipes/migration-check/check"
	"bitbucket.org/fearless/pipes/pipes/rollback/recall"
	"bitbucket.org/fearless/pipes/pipes/test-env/testenv"
	"bitbucket.org/fearless/pipes/shared/settings"
)

// version is the one version of all pipes; a release changes it here.
const version = "0.1.0"

// What is the same for every pipe.
const (
	workspace  = "fearless" // of Bitbucket and of the registry
	home       = "https://bitbucket.org/" + workspace
	maintainer = "Fearless"
)

// page is what the documentation says about a pipe beside its variables.
type page struct {
	Name        string // of the folder, the image and the mirror repository
	Title       string
	Description string // one sentence: Bitbucket shows it in the list of pipes
	Category    string
	Tags        []string
	Variables   []settings.Variable
}

// pipes are all that we publish.
var pipes = []page{
	{
		Name:        "lint-gate",
		Title:       "Lint gate",
		Description: "Says whether a change adds findings of linters, and shows each on its line.",
		Category:    "Code quality",
		Tags:        []string{"lint", "golangci-lint", "code-insights", "quality"},
		Variables:   settings.Describe(gate.Settings{}),
	},
	{
		Name:        "migration-check",
		Title:       "Migration check",
		Description: "Tells whether a change needs a database migration, and whether those it brings work.",
		Category:    "Code quality",
		Tags:        []string{"database", "migration", "postgresql", "golang-migrate", "zero-downtime"},
		Variables:   settings.Describe(check.Settings{}),
	},
	{
		Name:        "ami-bake",
		Title:       "AMI bake",
		Description: "Bakes a commit into an Amazon machine image that any server role starts from.",
		Category:    "Deployment",
		Tags:        []string{"aws", "ec2", "ami", "image", "deployment"},
		Variables:   settings.Describe(bake.Settings{}),
	},
	{
		Name:        "deploy-env",
		Title:       "Deploy environment",
		Description: "Brings an environment to its file with the image of a commit, or back by itself.",
		Category:    "Deployment",
		Tags:        []string{"aws", "cloudformation", "ec2", "autoscaling", "deployment"},
		Variables:   settings.Describe(rollout.Settings{}),
	},
	{
		Name:        "rollback",
		Title:       "Rollback",
		Description: "Brings back a commit that was live before, in minutes and without a build.",
		Category:    "Deployment",
		Tags:        []string{"aws", "cloudformation", "rollback", "release", "deployment"},
		Variables:   settings.Describe(recall.Settings{}),
	},
	{
		Name:        "test-env",
		Title:       "Test environment",
		Description: "Shows a commit under an address of its own, for a day.",
		Category:    "Deployment",
		Tags:        []string{"aws", "cloudformation", "preview", "review-app", "testing"},
		Variables:   settings.Describe(testenv.Settings{}),
	},
}

// collection is the image that holds all that work in AWS: PIPE says which one runs.
var collection = page{
	Name:        "pipes",
	Title:       "Fearless",
	Description: "Bakes images and deploys them without downtime: the pipes for AWS in one image.",
	Category:    "Deployment",
	Tags:        []string{"aws", "ec2", "cloudformation", "image", "deployment"},
}
