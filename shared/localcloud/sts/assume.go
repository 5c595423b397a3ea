package sts

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// assumeInput leaves session policies out: our roles have their own.
type assumeInput struct {
	Role, Session, Token string
	Duration             time.Duration
}

// decodeAssume has the limits that hold for every role; the role's own needs
// the role.
func decodeAssume(p *wire.Params) assumeInput {
	in := assumeInput{Role: p.Need("RoleArn"), Session: p.Need("RoleSessionName"), Token: p.Need("WebIdentityToken")}
	seconds := p.Int("DurationSeconds", 0, 1<<31-1, int(defaultDuration/time.Second))
	in.Duration = time.Duration(seconds) * time.Second

	const constraint = "1 validation error detected: Value '%v' at '%s' failed to satisfy constraint: Member must %s"
	switch {
	case in.Duration < minDuration:
		p.Fail(wire.Errorf("ValidationError", constraint, seconds, "durationSeconds", "have value greater than or equal to 900"))
	case in.Duration > maxDuration:
		p.Fail(wire.Errorf("ValidationError", constraint, seconds, "durationSeconds", "have value less than or equal to 43200"))
	case !sessionNames.MatchString(in.Session):
		p.Fail(wire.Errorf("ValidationError", constraint, in.Session, "roleSessionName",
			`satisfy regular expression pattern: [\w+=,.@-]{2,64}`))
	}
	return in
}

// claims are the parts of an OIDC token that STS repeats or checks here. Its
// signature is not checked: tests make their own tokens.
type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	Expires  int64    `json:"exp"`
}

// audience is one string or a list, as the JWT standard allows both.
type audience string

// UnmarshalJSON reads either form.
func (a *audience) UnmarshalJSON(raw []byte) error {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		*a = audience(strings.Join(list, " "))
		return nil
	}
	return json.Unmarshal(raw, (*string)(a))
}

type credentialsXML struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string `xml:"SecretAccessKey"`
	SessionToken    string `xml:"SessionToken"`
	Expiration      string `xml:"Expiration"`
}

type assumeOutput struct {
	Credentials credentialsXML `xml:"Credentials"`
	RoleID      string         `xml:"AssumedRoleUser>AssumedRoleId"`
	RoleArn     string         `xml:"AssumedRoleUser>Arn"`
	Subject     string         `xml:"SubjectFromWebIdentityToken"`
	Audience    string         `xml:"Audience"`
	Provider    string         `xml:"Provider"`
}

// assume checks the token first, so that a caller with a bad token learns
// nothing about roles.
func (s *Service) assume(_ context.Context, _ *wire.Call, in assumeInput) (any, error) {
	token, failure := parseToken(in.Token)
	if failure != nil {
		return nil, failure
	}
	role, ours := s.roleName(in.Role)
	if !ours {
		return nil, &wire.Error{Code: "AccessDenied", Message: "Not authorized to perform sts:AssumeRoleWithWebIdentity", Status: http.StatusForbidden}
	}
	if in.Duration > s.limit(role) {
		return nil, wire.Errorf("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	c := s.Issue(role, in.Session, in.Duration)
	return assumeOutput{
		Credentials: credentialsXML{c.AccessKey, c.SecretKey, c.SessionToken, wire.Time(c.Expires)},
		RoleID:      c.ID,
		RoleArn:     c.ARN,
		Subject:     token.Subject,
		Audience:    string(token.Audience),
		Provider:    s.world.ARN("iam", "oidc-provider/"+strings.TrimPrefix(token.Issuer, "https://")),
	}, nil
}

// limit is the longest session of a role.
func (s *Service) limit(role string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.limits[role]; ok {
		return d
	}
	return defaultDuration
}

// parseToken accepts three parts of which the middle one is a JSON object
// that names issuer, subject and audience and has not expired.
func parseToken(token string) (claims, *wire.Error) {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 || parts[2] == "" {
		return c, notJWT()
	}
	for _, part := range parts[:2] {
		raw, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || json.Unmarshal(raw, &c) != nil {
			return c, notJWT()
		}
	}
	for _, claim := range [][2]string{{"iss", c.Issuer}, {"sub", c.Subject}, {"aud", string(c.Audience)}} {
		if claim[1] == "" {
			return c, wire.Errorf("InvalidIdentityToken", "Missing a required claim: %s", claim[0])
		}
	}
	if now := time.Now().Unix(); c.Expires != 0 && now >= c.Expires {
		return c, wire.Errorf("ExpiredTokenException", "Token expired: current date/time %d must be before the expiration date/time %d", now, c.Expires)
	}
	return c, nil
}

// notJWT carries AWS's hint at the most frequent mistake.
func notJWT() *wire.Error {
	return wire.Errorf("InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
}
