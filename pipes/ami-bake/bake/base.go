package bake

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// base says where the id of the base image comes from: given, or in a parameter.
type base struct {
	id        string
	parameter string
}

// bases are the base images known by name: public parameters in which their makers
// keep the id of the newest one, per architecture.
var bases = map[string]map[string]string{
	"al2023": {
		"x86_64": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
		"arm64":  "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
	},
	"ubuntu-24.04": {
		"x86_64": "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
		"arm64":  "/aws/service/canonical/ubuntu/server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id",
	},
	"debian-12": {
		"x86_64": "/aws/service/debian/release/12/latest/amd64",
		"arm64":  "/aws/service/debian/release/12/latest/arm64",
	},
	"debian-13": {
		"x86_64": "/aws/service/debian/release/13/latest/amd64",
		"arm64":  "/aws/service/debian/release/13/latest/arm64",
	},
}

// parseBase understands BASE_IMAGE.
func parseBase(text, architecture string) (base, error) {
	if path, ok := strings.CutPrefix(text, "ssm:"); ok {
		if !strings.HasPrefix(path, "/") || len(path) < 2 {
			return base{}, fmt.Errorf("%q names no parameter; write ssm:/path/of/the/parameter", text)
		}
		return base{parameter: path}, nil
	}
	if amiID.MatchString(text) {
		return base{id: text}, nil
	}
	if parameter := bases[text][architecture]; parameter != "" {
		return base{parameter: parameter}, nil
	}
	return base{}, fmt.Errorf("%q is not known; give one of %s, an AMI id, or ssm: and a parameter's path",
		text, strings.Join(slices.Sorted(maps.Keys(bases)), ", "))
}
