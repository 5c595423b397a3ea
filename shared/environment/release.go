package environment

import (
	"regexp"
	"time"
)

const (
	defaultReleaseTimeout = 15 * time.Minute
	longestRelease        = 12 * time.Hour // CloudFormation's limit
)

// repositoryPath is a path below the top of the repository: no part of it leads upwards.
var repositoryPath = regexp.MustCompile(`^\.?[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]*(/\.?[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]*)*/?$`)

func (f *File) readRelease(t table) {
	f.Release = Release{When: WhenChanged, Timeout: defaultReleaseTimeout, Instance: defaultInstance}
	if len(f.Roles) > 0 {
		f.Release.Instance = f.Roles[0].Instance
	}
	if r, ok := f.Role(web); ok {
		f.Release.Instance = r.Instance
	}
	v, ok := t.get("release")
	if !ok {
		return
	}
	r := v.table("when", "paths", "timeout", "instance")
	if v, ok := r.get("when"); ok {
		f.Release.When, _ = v.oneOf(WhenChanged, WhenAlways, WhenNever)
	}
	if v, ok := r.get("paths"); ok {
		f.Release.Paths = v.texts(repositoryPath, "a file or folder of the repository such as db/migrations", 10)
		if f.Release.When == WhenAlways || f.Release.When == WhenNever {
			v.problemf("has no effect with when: %s, only with when: %s", f.Release.When, WhenChanged)
		}
	}
	if v, ok := r.get("timeout"); ok {
		f.Release.Timeout, _ = v.duration(time.Minute, longestRelease)
	}
	if v, ok := r.get("instance"); ok {
		f.Release.Instance, _ = v.match(instanceType, "a type of server such as t3.small")
		f.Release.at = v.at
	}
	if !r.has("instance") {
		f.Release.at = v.at
	}
}

// checkArchitecture holds the types of servers together: all start from one
// image, and an image is for one kind of processor.
func (f *File) checkArchitecture(t table) {
	if len(f.Roles) == 0 || len(t.doc.problems) > 0 {
		return
	}
	first := f.Roles[0]
	differs := func(at place, name, instance string) {
		if architecture(instance) != architecture(first.Instance) {
			t.doc.problemf(at, "%s: %s has %s processors and %s of role %s has %s, but all start from one image", name,
				instance, architecture(instance), first.Instance, first.Name, architecture(first.Instance))
		}
	}
	for _, r := range f.Roles {
		differs(r.at, "roles."+r.Name, r.Instance)
	}
	differs(f.Release.at, "release", f.Release.Instance)
}
