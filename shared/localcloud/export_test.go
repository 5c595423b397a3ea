package localcloud

import (
	"slices"

	"bitbucket.org/fearless/pipes/shared/localcloud/ec2"
	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

// EC2 is the service behind the API, for tests of what other services ask it.
func (c *Cloud) EC2() *ec2.Service { return c.ec2 }

// Make makes a resource as the template engine does.
func (c *Cloud) Make(kind string, p resource.Properties) (resource.Made, error) {
	return c.Type(kind).Create(resource.Request{Stack: "shop", LogicalID: "It", Properties: p})
}

// Type is the type of a template's resource.
func (c *Cloud) Type(kind string) resource.Type {
	all := c.types()
	return all[slices.IndexFunc(all, func(t resource.Type) bool { return t.Name == kind })]
}
