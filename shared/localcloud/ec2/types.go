package ec2

import (
	"regexp"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// typeNames takes a type such as c7gn.2xlarge apart: family, generation,
// attributes, size.
var typeNames = regexp.MustCompile(`^([a-z]+)([0-9]+)([a-z-]*)\.(nano|micro|small|medium|large|[0-9]*xlarge|metal(-[0-9]+xl)?)$`)

// xen are the families of the old hypervisor that people still meet.
var xen = map[string]bool{
	"t1": true, "t2": true, "m1": true, "m2": true, "m3": true, "m4": true, "c1": true, "c3": true, "c4": true,
	"r3": true, "r4": true, "i2": true, "d2": true, "g2": true, "g3": true, "p2": true, "p3": true, "x1": true, "x1e": true,
}

// instanceType is what the name of a type says.
type instanceType struct {
	architecture string
	nitro        bool
}

// parseType reads a type's name. A "g" among the attributes means Graviton,
// which is arm64, as is the older a1; as a family it means graphics (g5 is
// x86_64, g5g is not).
func parseType(name string) (instanceType, *wire.Error) {
	m := typeNames.FindStringSubmatch(name)
	if m == nil {
		return instanceType{}, wire.Errorf("InvalidParameterValue", "Invalid value '%s' for InstanceType.", name)
	}
	t := instanceType{architecture: "x86_64", nitro: !xen[m[1]+m[2]+m[3]]}
	if strings.Contains(m[3], "g") || m[1]+m[2] == "a1" {
		t.architecture = "arm64"
	}
	return t, nil
}
