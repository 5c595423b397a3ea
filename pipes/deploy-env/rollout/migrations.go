package rollout

import (
	"fmt"
	"strings"

	"bitbucket.org/fearless/pipes/shared/clone"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// runsRelease decides whether the release process runs, and says why when that depends
// on anything. It is left out only when it is certain that it has nothing to do.
func (d *deployer) runsRelease(now *stack.Stack, record *image.Record) bool {
	switch {
	case !d.file.HasRelease(record.Processes):
		return false
	case now != nil && now.Parameters[environment.ParameterImage] == record.Image:
		// It ran when this image came, and its server is kept as it is: another value
		// would be a change, and there may be no other.
		return now.Parameters[environment.ParameterRun] == "true"
	case d.file.Release.When == environment.WhenAlways || now == nil:
		return true
	}
	before := now.Parameters[environment.ParameterCommit]
	reason, err := d.migrations(before)
	switch {
	case err != nil:
		d.remark("The release process runs, since it is not certain that it has nothing to do: %v", err)
		return true
	case reason != "":
		d.remark("The release process runs: %s", reason)
		return true
	}
	d.remark("The release process has nothing to do: %s is as in commit %.12s, which is live", strings.Join(d.file.Release.Paths, ", "), before)
	return false
}

// migrations compares what the release process works with in the commit that is live and
// in the one that is deployed; the reason is empty when all of it is the same. Whatever
// cannot be compared is an error.
func (d *deployer) migrations(before string) (reason string, err error) {
	if len(d.file.Release.Paths) == 0 {
		return "", fmt.Errorf("release.paths of %s does not say where migrations are", d.file.Path)
	}
	c, err := clone.Open(d.rt.CloneDir())
	if err != nil {
		return "", err
	}
	then, err := files(c, before, d.file.Release.Paths)
	if err != nil {
		return "", err
	}
	now, err := files(c, d.s.Commit, d.file.Release.Paths)
	if err != nil {
		return "", err
	}
	for name, content := range now {
		if then[name] != content {
			return fmt.Sprintf("%s is not as in commit %.12s, which is live", name, before), nil
		}
	}
	for name := range then {
		if now[name] == "" {
			return fmt.Sprintf("%s of commit %.12s, which is live, is gone", name, before), nil
		}
	}
	return "", nil
}

// files are the contents of a commit below some paths, by their names.
func files(c *clone.Clone, commit string, paths []string) (map[string]string, error) {
	found, err := c.Commit(commit)
	if err != nil {
		return nil, err
	}
	listed, err := c.Files(found, paths)
	if err != nil {
		return nil, err
	}
	contents := map[string]string{}
	for _, f := range listed {
		contents[f.Path] = f.ID + " " + f.Mode.String()
	}
	return contents, nil
}
