// Package resource is the seam between the template engine of the local cloud
// and the services that own the nouns: what a service tells the engine about
// a type of resource, and what the engine tells the service about one
// resource of a template.
package resource

// Type makes, changes and removes the resources of one CloudFormation type.
type Type struct {
	// Name is the type's name, such as AWS::EC2::Subnet.
	Name string

	// Properties are the accepted top-level properties. Anything else fails
	// the operation with "Encountered unsupported property X".
	Properties []string

	// Immutable are the properties whose change replaces the resource.
	Immutable []string

	// Attributes are the names for Fn::GetAtt.
	Attributes []string

	// Create starts to make a resource and returns at once.
	Create func(r Request) (Made, error)

	// Update starts to change the resource in place and returns at once. A
	// type without Update replaces whatever property changes.
	Update func(r Request, old Properties, physical string) (Made, error)

	// Delete starts to remove a resource. It may be called again; that there
	// is no such resource is no error.
	Delete func(physical string) error

	// Stable is asked after each of them, once per second of the world's
	// time, until done or an error. Nil means at once. After a Delete, a
	// resource that is gone is done.
	Stable func(physical string) (done bool, err error)
}

// Request is one resource of one stack.
type Request struct {
	Stack      string // the stack's name
	StackID    string
	LogicalID  string
	Properties Properties        // intrinsic functions are resolved
	Tags       map[string]string // of the stack, and aws:cloudformation:stack-name, -id and logical-id
}

// Made is what the rest of the template can refer to.
type Made struct {
	Physical   string         // Ref
	Attributes map[string]any // Fn::GetAtt: a string, or a list of strings
}

// Member is a server of a group, as update policies look at it.
type Member struct {
	Instance  string
	Template  string // id of the launch template it was started from
	Version   string // its number, never $Latest
	InService bool
}
