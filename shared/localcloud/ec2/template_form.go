package ec2

import (
	"fmt"
	"net/url"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// singular are the parameters whose lists have another name in RunInstances
// than in a template.
var singular = map[string]string{
	"SecurityGroupIds": "SecurityGroupId", "Groups": "SecurityGroupId", "TagSpecifications": "TagSpecification",
	"Tags": "Tag", "BlockDeviceMappings": "BlockDeviceMapping", "NetworkInterfaces": "NetworkInterface",
}

// templateForm brings LaunchTemplateData into the form that RunInstances
// reads, so that both go one way, and lets the decoder of RunInstances look
// at it. What the parameters name is looked for at the launch, not now.
func templateForm(data any) (url.Values, *wire.Error) {
	form := url.Values{}
	properties, ok := data.(map[string]any)
	if !ok || len(properties) == 0 {
		return nil, wire.Errorf("MissingParameter", "No launch template data was provided. Launch template data is required to create a launch template.")
	}
	if failure := flatten(form, "", properties); failure != nil {
		return nil, failure
	}
	_, failure := wire.Read(form, decodeLaunch)
	return form, failure
}

func flatten(form url.Values, name string, value any) *wire.Error {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			if other, ok := singular[key]; ok {
				key = other
			}
			if name != "" {
				key = name + "." + key
			}
			if failure := flatten(form, key, inner); failure != nil {
				return failure
			}
		}
	case []any:
		for n, inner := range value {
			if failure := flatten(form, fmt.Sprintf("%s.%d", name, n+1), inner); failure != nil {
				return failure
			}
		}
	case nil:
	default:
		text, ok := resource.Scalar(value)
		if !ok {
			return wire.Errorf("InvalidParameterValue", "The value of %s is neither text nor a number", name)
		}
		form.Set(name, text)
	}
	return nil
}
