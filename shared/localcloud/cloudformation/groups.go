// Package cloudformation plays AWS CloudFormation: it turns templates into
// resources of the other services and answers for what became of them.
package cloudformation

import "bitbucket.org/fearless/pipes/shared/localcloud/resource"

// Groups is what update policies need of Auto Scaling.
type Groups interface {
	// Size is what the group is set to, not what runs.
	Size(group string) (minimum, maximum, desired int, err error)

	// SetSize changes it and returns at once.
	SetSize(group string, minimum, maximum, desired int) error

	// Members are the servers that the group has not finished terminating.
	Members(group string) []resource.Member

	// Terminate starts the end of a server, draining and lifecycle hooks
	// included, and returns at once. The group replaces it if its desired
	// size says so and Launch is not suspended.
	Terminate(instance string) error

	// Suspend and Resume stop and start processes such as AlarmNotification.
	Suspend(group string, processes []string) error
	Resume(group string, processes []string) error
}
