// Package sts plays the AWS Security Token Service: who is calling, and
// temporary credentials in exchange for an OIDC token.
package sts

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Bounds of DurationSeconds, and what a role allows unless told otherwise.
const (
	minDuration     = 15 * time.Minute
	maxDuration     = 12 * time.Hour
	defaultDuration = time.Hour
)

// Service is STS for one account.
type Service struct {
	world *world.World

	mu       sync.Mutex
	sessions map[string]Credentials   // by access key
	limits   map[string]time.Duration // by role
}

// Credentials are temporary credentials and whose they are.
type Credentials struct {
	AccessKey    string
	SecretKey    string
	SessionToken string
	Expires      time.Time

	// ARN and ID are the caller's once these credentials are used.
	ARN string
	ID  string
}

// New makes the service.
func New(w *world.World) *Service {
	return &Service{world: w, sessions: map[string]Credentials{}, limits: map[string]time.Duration{}}
}

// Wire is the service as the router takes it.
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "sts",
		Protocol:  operation.Query,
		Version:   "2011-06-15",
		Namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
		Actions: map[string]wire.Action{
			"GetCallerIdentity":         wire.Query(nothing, s.callerIdentity),
			"AssumeRoleWithWebIdentity": wire.Query(decodeAssume, s.assume),
		},
	}
}

// SetRoleMaxDuration sets a role's MaxSessionDuration.
func (s *Service) SetRoleMaxDuration(role string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits[role] = d
}

// Issue makes credentials of a role without asking for a token, as the
// metadata service of an instance does.
func (s *Service) Issue(role, session string, d time.Duration) Credentials {
	id := "AROA" + s.world.Key("role "+role, 17) + ":" + session
	c := Credentials{
		AccessKey:    "ASIA" + s.world.Key("access key", 16),
		SecretKey:    s.world.Key("secret key", 40),
		SessionToken: s.world.Key("session token", 200),
		Expires:      time.Now().Add(d).UTC().Truncate(time.Second),
		ARN:          s.world.ARN("sts", "assumed-role/"+role+"/"+session),
		ID:           id,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[c.AccessKey] = c
	return c
}

// nothing is the decoder of an action without parameters.
func nothing(*wire.Params) struct{} { return struct{}{} }

// identity is the answer of GetCallerIdentity.
type identity struct {
	Arn     string `xml:"Arn"`
	UserID  string `xml:"UserId"`
	Account string `xml:"Account"`
}

// callerIdentity has one user for all keys that STS did not issue.
func (s *Service) callerIdentity(_ context.Context, c *wire.Call, _ struct{}) (any, error) {
	s.mu.Lock()
	session, temporary := s.sessions[c.Operation.AccessKey]
	s.mu.Unlock()
	if temporary {
		return identity{session.ARN, session.ID, s.world.Account}, nil
	}
	return identity{s.world.ARN("iam", "user/local"), "AIDALOCALCLOUDUSER000", s.world.Account}, nil
}

// roleName is the role's name in an ARN of this account, without its path.
func (s *Service) roleName(arn string) (string, bool) {
	path, ok := strings.CutPrefix(arn, s.world.ARN("iam", "role/"))
	if !ok {
		return "", false
	}
	name := path[strings.LastIndex(path, "/")+1:]
	return name, roleNames.MatchString(name)
}

var (
	roleNames    = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)
	sessionNames = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)
