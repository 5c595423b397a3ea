package pipe

import "strings"

// always are variables that Bitbucket or AWS put into every pipe and that are
// secret whether or not the pipe reads them.
var always = []string{
	"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "BITBUCKET_STEP_OIDC_TOKEN", "PIPELINES_JWT_TOKEN",
}

// tokens finds their values.
func tokens(environ []string) []string {
	var found []string
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		for _, secret := range always {
			if name == secret {
				found = append(found, value)
			}
		}
	}
	return found
}
