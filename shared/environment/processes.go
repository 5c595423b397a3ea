package environment

import (
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/contract"
)

// CheckProcesses holds the roles against the process types that there are: in
// the Procfile, or in an image (where says which, such as "the Procfile"). A
// role without its process would start servers that never become ready.
func (f *File) CheckProcesses(types []string, where string) error {
	d := &document{name: f.Path}
	for _, r := range f.Roles {
		for _, p := range r.Processes {
			if !slices.Contains(types, p) {
				d.problemf(r.at, "roles.%s: runs the process type %s, which %s does not have (it has %s)",
					r.Name, p, where, strings.Join(types, ", "))
			}
		}
	}
	if f.Release.When == WhenAlways && !f.HasRelease(types) {
		d.problemf(f.Release.at, "release: is to run always, but %s has no process type release", where)
	}
	return d.err()
}

// HasRelease reports whether there is a release process to run at all.
func (f *File) HasRelease(types []string) bool {
	return f.Release.When != WhenNever && slices.Contains(types, contract.ReleaseProcess)
}

// Idle are the process types that no role runs: worth a word, no error.
func (f *File) Idle(types []string) []string {
	var idle []string
	for _, p := range types {
		runs := p == contract.ReleaseProcess
		for _, r := range f.Roles {
			runs = runs || r.Name == contract.RoleAll || slices.Contains(r.Processes, p)
		}
		if !runs {
			idle = append(idle, p)
		}
	}
	return idle
}
