// Package bitbucket tells Bitbucket Cloud what a pipe found or did: a Code
// Insights report with annotations, a build status, a comment on the pull
// request.
//
// Telling is never the purpose of a pipe: who uses a Reporter gets a warning
// in the log where Bitbucket could not be told, and goes on.
package bitbucket

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"bitbucket.org/fearless/pipes/shared/settings"
)

// Settings are the variables of every pipe that reports. All but the tokens
// are set by Bitbucket.
type Settings struct {
	AccessToken string `envconfig:"BITBUCKET_ACCESS_TOKEN" inherit:"true" secret:"true" desc:"Access token of the repository, project or workspace, for comments on pull requests (permission: pull requests, write) and for reports outside of Bitbucket Pipelines (repositories, write). Reports from within a pipeline need no token."`
	Email       string `envconfig:"ATLASSIAN_ACCOUNT_EMAIL" inherit:"true" example:"ci@example.com" desc:"With ATLASSIAN_API_TOKEN: the e-mail address of the account that the token belongs to."`
	APIToken    string `envconfig:"ATLASSIAN_API_TOKEN" inherit:"true" secret:"true" desc:"API token of a user, where there is no access token."`

	PullRequest   int    `envconfig:"BITBUCKET_PR_ID" context:"true" desc:"The pull request, in a pipeline of one."`
	Workspace     string `envconfig:"BITBUCKET_WORKSPACE" context:"true" desc:"The workspace."`
	RepoSlug      string `envconfig:"BITBUCKET_REPO_SLUG" context:"true" desc:"The repository."`
	RepoFullName  string `envconfig:"BITBUCKET_REPO_FULL_NAME" context:"true" desc:"Workspace and repository."`
	Commit        string `envconfig:"BITBUCKET_COMMIT" context:"true" desc:"The commit that started the pipeline."`
	Branch        string `envconfig:"BITBUCKET_BRANCH" context:"true" desc:"The branch; of a pull request, the source branch."`
	BuildNumber   int    `envconfig:"BITBUCKET_BUILD_NUMBER" context:"true" desc:"The number of the pipeline's run."`
	PipelineUUID  string `envconfig:"BITBUCKET_PIPELINE_UUID" context:"true" desc:"The pipeline's run."`
	Storage       string `envconfig:"BITBUCKET_PIPE_STORAGE_DIR" context:"true" desc:"The pipe's own folder; set in pipes only."`
	SharedStorage string `envconfig:"BITBUCKET_PIPE_SHARED_STORAGE_DIR" context:"true" desc:"The folder of all pipes; set in pipes only."`
	DockerHost    string `envconfig:"DOCKER_HOST" context:"true" desc:"The step's Docker daemon."`
}

// Check refuses half a pair.
func (s *Settings) Check(r *settings.Report) {
	switch {
	case s.APIToken != "" && s.Email == "" && s.AccessToken == "":
		r.Problemf("ATLASSIAN_ACCOUNT_EMAIL", "not set, but ATLASSIAN_API_TOKEN is; give both or none")
	case s.APIToken == "" && s.Email != "" && s.AccessToken == "":
		r.Problemf("ATLASSIAN_API_TOKEN", "not set, but ATLASSIAN_ACCOUNT_EMAIL is; give both or none")
	}
}

// repository is the part of the API's addresses that names the repository, ""
// when it is not known.
func (s Settings) repository() string {
	workspace, slug := s.Workspace, s.RepoSlug
	if workspace == "" || slug == "" {
		workspace, slug, _ = strings.Cut(s.RepoFullName, "/")
	}
	if workspace == "" || slug == "" {
		return ""
	}
	return "/repositories/" + url.PathEscape(workspace) + "/" + url.PathEscape(slug)
}

// page is the page of the pipeline's run, "" outside of Bitbucket.
func (s Settings) page() string {
	name := s.RepoFullName
	if name == "" && s.Workspace != "" && s.RepoSlug != "" {
		name = s.Workspace + "/" + s.RepoSlug
	}
	if name == "" || s.BuildNumber == 0 {
		return ""
	}
	return fmt.Sprintf("https://bitbucket.org/%s/pipelines/results/%d", name, s.BuildNumber)
}

// proxyPort is where every step has a proxy that signs plain-text requests to
// Bitbucket's API and git server with the step's own rights.
const proxyPort = "29418"

// proxy is the address of that proxy: in the build container itself, or from a
// pipe's container by the name of the machine that its Docker daemon is on.
// Nil outside of a pipeline.
func (s Settings) proxy() *url.URL {
	if s.PipelineUUID == "" {
		return nil
	}
	host := "localhost"
	if s.Storage != "" || s.SharedStorage != "" {
		host = "host.docker.internal"
		if daemon, err := url.Parse(s.DockerHost); err == nil && daemon.Hostname() != "" {
			host = daemon.Hostname()
		}
	}
	return &url.URL{Scheme: "http", Host: net.JoinHostPort(host, proxyPort)}
}

// GitTransport is the way to the repository's git server with the step's own rights.
// Outside of a pipeline nothing signs in.
func (s Settings) GitTransport() http.RoundTripper {
	return &http.Transport{Proxy: http.ProxyURL(s.proxy())}
}
