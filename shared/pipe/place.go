package pipe

import "fmt"

// CloneDir is the folder of the clone: the one Bitbucket names, else where the
// pipe was started.
func (rt *Runtime) CloneDir() string {
	if rt.Settings.CloneDir != "" {
		return rt.Settings.CloneDir
	}
	return rt.World.Dir
}

// PipelineURL is the page of the pipeline's run; empty outside of Bitbucket.
func (s *Settings) PipelineURL() string {
	if s.RepoFullName == "" || s.BuildNumber == 0 {
		return ""
	}
	return fmt.Sprintf("https://bitbucket.org/%s/pipelines/results/%d", s.RepoFullName, s.BuildNumber)
}
