package iam

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// Limits of roles.
const (
	maxInline  = 10_240 // characters of all inline policies, without white space
	maxManaged = 10     // managed policies of a role
	maxName    = 64
)

var (
	policyNames = regexp.MustCompile(`^[\w+=,.@-]{1,128}$`)
	policyARNs  = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(aws|[0-9]{12}):policy/[\w+=,.@/-]+$`)
)

// check looks at a role before it is made or changed.
func (r Role) check(account string) *wire.Error {
	if failure := checkDocument(r.Trust, "Principal"); failure != nil {
		return failure
	}
	size := 0
	for name, document := range r.Policies {
		if !policyNames.MatchString(name) {
			return invalid("The specified value for policyName is invalid: %s", name)
		}
		if failure := checkDocument(document, "Resource"); failure != nil {
			return failure
		}
		text, err := json.Marshal(document)
		if err != nil {
			return malformed(err.Error())
		}
		size += len(text)
	}
	switch {
	case size > maxInline:
		return &wire.Error{Code: "LimitExceeded", Message: "Maximum policy size of 10240 bytes exceeded for role " + r.Name, Status: 409}
	case len(r.ManagedPolicies) > maxManaged:
		return &wire.Error{Code: "LimitExceeded", Message: "Cannot exceed quota for PoliciesPerRole: 10", Status: 409}
	}
	for _, arn := range append([]string{r.Boundary}, r.ManagedPolicies...) {
		if arn == "" {
			continue
		}
		m := policyARNs.FindStringSubmatch(arn)
		switch {
		case m == nil:
			return invalid("ARN %s is not valid.", arn)
		case m[1] != "aws" && m[1] != account:
			return &wire.Error{Code: "NoSuchEntity", Message: "Policy " + arn + " does not exist or is not attachable.", Status: 404}
		}
	}
	return nil
}

// trusts tells whether the trust policy names a service.
func (r Role) trusts(service string) bool {
	policy, _ := r.Trust.(map[string]any)
	for _, one := range list(policy["Statement"]) {
		statement, _ := one.(map[string]any)
		principal, _ := statement["Principal"].(map[string]any)
		if statement["Effect"] == "Allow" && slices.Contains(list(principal["Service"]), any(service)) {
			return true
		}
	}
	return false
}

// list is what policies allow to be written as a list or as its only item.
func list(value any) []any {
	if all, ok := value.([]any); ok {
		return all
	}
	return []any{value}
}

// checkDocument wants statements with an effect, actions, and what a policy
// of its kind is about: principals or resources.
func checkDocument(document any, about string) *wire.Error {
	policy, ok := document.(map[string]any)
	if !ok {
		return malformed("Syntax errors in policy.")
	}
	statements, ok := policy["Statement"].([]any)
	if one, single := policy["Statement"].(map[string]any); single {
		statements, ok = []any{one}, true
	}
	if !ok || len(statements) == 0 {
		return malformed("Syntax errors in policy.")
	}
	for _, one := range statements {
		statement, _ := one.(map[string]any)
		effect, _ := statement["Effect"].(string)
		if effect != "Allow" && effect != "Deny" {
			return malformed("Syntax errors in policy.")
		}
		for _, part := range []string{"Action", about} {
			if statement[part] == nil && statement["Not"+part] == nil {
				return malformed("Missing required field " + part)
			}
		}
	}
	return nil
}

func malformed(why string) *wire.Error {
	return wire.Errorf("MalformedPolicyDocument", "%s", strings.TrimSpace(why))
}

func invalid(format string, args ...any) *wire.Error {
	return wire.Errorf("ValidationError", format, args...)
}
