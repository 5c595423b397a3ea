// Package operation tells which operation of which AWS service an HTTP
// request asks for, and on whose behalf. It only looks at the request, so it
// works in front of the local cloud and in front of AWS.
package operation

import (
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// Protocol is one of the ways in which AWS services are spoken to.
type Protocol int

// The protocols. REST is everything that has no other sign, which means S3
// unless the request is signed for another service. RESTJSON is JSON over
// paths.
const (
	REST Protocol = iota
	EC2Query
	Query
	JSON
	RESTJSON
)

// Operation is what a request asks for.
type Operation struct {
	Protocol Protocol

	// Service is the signing name, such as "ec2" or "s3".
	Service string

	// Action is the operation's name, such as "RunInstances".
	Action string

	// Version is the API version of a query, or what stands before the dot
	// in X-Amz-Target.
	Version string

	// Form holds the parameters of a query; for RESTJSON those of the address.
	Form url.Values

	// AccessKey, Region and SessionToken are the caller's; AccessKey is empty
	// when the request is not signed.
	AccessKey    string
	Region       string
	SessionToken string

	// Application is the application id of the User-Agent, which our pipes
	// set to their run.
	Application string
}

// ec2Version is the one API version of EC2; it tells ec2Query from awsQuery.
const ec2Version = "2016-11-15"

// services names the service of an API version for requests that are not
// signed, of which AssumeRoleWithWebIdentity is the one we send.
var services = map[string]string{
	ec2Version:   "ec2",
	"2011-06-15": "sts",
	"2010-05-15": "cloudformation",
	"2011-01-01": "autoscaling",
	"2015-12-01": "elasticloadbalancing",
	"2014-10-31": "rds",
}

// NeedsBody reports whether Of has to see the body to name the operation.
func NeedsBody(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded" && r.Method == http.MethodPost
}

// Of reads a request. The body is only looked at when NeedsBody said so.
func Of(r *http.Request, body []byte) Operation {
	o := Operation{Application: application(r.Header.Get("User-Agent"))}
	o.signature(r)

	if target := r.Header.Get("X-Amz-Target"); target != "" {
		o.Protocol = JSON
		o.Version, o.Action, _ = strings.Cut(target, ".")
		return o
	}
	if NeedsBody(r) {
		// What ParseQuery could read is kept when a part is malformed: the
		// service then complains about the parameter it misses.
		form, _ := url.ParseQuery(string(body))
		if form.Has("Action") {
			o.query(form)
			return o
		}
	}
	switch o.Service {
	case "", "s3":
		o.Service, o.Action = "s3", restAction(r)
	case schedulerName:
		o.restJSON(r)
	default:
		o.Action = r.Method + " " + r.URL.Path
	}
	return o
}

func (o *Operation) query(form url.Values) {
	o.Protocol = Query
	o.Action, o.Version = form.Get("Action"), form.Get("Version")
	if o.Version == ec2Version {
		o.Protocol = EC2Query
	}
	if o.Service == "" {
		o.Service = services[o.Version]
	}
	form.Del("Action")
	form.Del("Version")
	o.Form = form
}

// signature reads the credential scope AKID/DATE/REGION/SERVICE/aws4_request
// of the Authorization header or of a presigned URL.
func (o *Operation) signature(r *http.Request) {
	query := r.URL.Query()
	scope := query.Get("X-Amz-Credential")
	o.SessionToken = query.Get("X-Amz-Security-Token")
	if token := r.Header.Get("X-Amz-Security-Token"); token != "" {
		o.SessionToken = token
	}
	if _, rest, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		scope, _, _ = strings.Cut(rest, ",")
	}
	if parts := strings.Split(strings.TrimSpace(scope), "/"); len(parts) == 5 {
		o.AccessKey, o.Region, o.Service = parts[0], parts[2], parts[3]
	}
}

// application finds "app/NAME" in the User-Agent of an AWS SDK.
func application(agent string) string {
	for field := range strings.FieldsSeq(agent) {
		if name, ok := strings.CutPrefix(field, "app/"); ok {
			return name
		}
	}
	return ""
}
