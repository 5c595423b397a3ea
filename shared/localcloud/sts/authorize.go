package sts

import (
	"net/http"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// Authorize refuses callers without credentials, and those whose temporary
// credentials have expired or come with another session's token. Any other
// access key is taken for a user of the account who may do everything.
func (s *Service) Authorize(service string, o operation.Operation) *wire.Error {
	if o.AccessKey == "" {
		if service == "sts" && o.Action == "AssumeRoleWithWebIdentity" {
			return nil
		}
		return refused(missing, service, o.Protocol)
	}
	s.mu.Lock()
	c, temporary := s.sessions[o.AccessKey]
	s.mu.Unlock()
	switch {
	case !temporary:
		return nil
	case o.SessionToken != c.SessionToken:
		return refused(mismatched, service, o.Protocol)
	case !time.Now().Before(c.Expires):
		return refused(expired, service, o.Protocol)
	}
	return nil
}

// reason says why credentials are refused.
type reason int

const (
	missing reason = iota
	mismatched
	expired
)

// refused is the one kind of error for which every service has a name of its
// own: clients have to know all of them to say "your session is over".
func refused(why reason, service string, p operation.Protocol) *wire.Error {
	switch {
	case service == "ec2":
		return [...]*wire.Error{
			missing:    {Code: "MissingAuthenticationToken", Message: "Request is missing Authentication Token", Status: http.StatusForbidden},
			mismatched: {Code: "AuthFailure", Message: "AWS was not able to validate the provided access credentials", Status: http.StatusUnauthorized},
			expired:    {Code: "RequestExpired", Message: "Request has expired."},
		}[why]
	case p == operation.REST:
		return [...]*wire.Error{
			missing:    {Code: "AccessDenied", Message: "Access Denied", Status: http.StatusForbidden},
			mismatched: {Code: "InvalidToken", Message: "The provided token is malformed or otherwise invalid."},
			expired:    {Code: "ExpiredToken", Message: "The provided token has expired."},
		}[why]
	case p == operation.JSON || p == operation.RESTJSON:
		status := http.StatusBadRequest
		if p == operation.RESTJSON {
			status = http.StatusForbidden
		}
		return [...]*wire.Error{
			missing:    {Code: "MissingAuthenticationTokenException", Message: "Missing Authentication Token", Status: status},
			mismatched: {Code: "UnrecognizedClientException", Message: "The security token included in the request is invalid.", Status: status},
			expired:    {Code: "ExpiredTokenException", Message: "The security token included in the request is expired", Status: status},
		}[why]
	}
	return [...]*wire.Error{
		missing:    {Code: "MissingAuthenticationToken", Message: "Request is missing Authentication Token", Status: http.StatusForbidden},
		mismatched: {Code: "InvalidClientTokenId", Message: "The security token included in the request is invalid.", Status: http.StatusForbidden},
		expired:    {Code: "ExpiredToken", Message: "The security token included in the request is expired", Status: http.StatusForbidden},
	}[why]
}
