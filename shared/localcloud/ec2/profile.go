package ec2

import (
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// profile finds an instance profile by name or ARN; the zero value when the
// launch names none.
func (s *Service) profile(name, arn string) (InstanceProfile, *wire.Error) {
	parameter, wanted, kind := "iamInstanceProfile.name", name, "name"
	if arn != "" {
		parameter, wanted, kind = "iamInstanceProfile.arn", arn, "ARN"
		path, ok := strings.CutPrefix(arn, s.world.ARN("iam", "instance-profile/"))
		if ok {
			name = path[strings.LastIndex(path, "/")+1:]
		}
	}
	if wanted == "" {
		return InstanceProfile{}, nil
	}
	found, ok := s.around.Profile(name)
	if !ok {
		return InstanceProfile{}, wire.Errorf("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Invalid IAM Instance Profile %s", wanted, parameter, kind)
	}
	return found, nil
}
