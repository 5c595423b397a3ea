package ssm

import (
	"regexp"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// Limits of a parameter of the standard tier.
const (
	maxValue = 4096
	maxName  = 1011
	maxDepth = 15
)

var parameterNames = regexp.MustCompile(`^[a-zA-Z0-9_./-]+$`)

// Types are the resource types of templates that Parameter Store owns.
func (s *Service) Types() []resource.Type {
	return []resource.Type{{
		Name: "AWS::SSM::Parameter", Properties: []string{"Name", "Type", "Value", "Description"},
		Immutable: []string{"Name"}, Attributes: []string{"Type", "Value"},
		Create: func(r resource.Request) (resource.Made, error) {
			in, err := decodeParameter(r)
			if err != nil {
				return resource.Made{}, err
			}
			if in.name == "" {
				in.name = "CFN-" + r.LogicalID + "-" + s.world.Key("parameter name", 12)
			}
			return s.write(in, true)
		},
		Update: func(r resource.Request, _ resource.Properties, physical string) (resource.Made, error) {
			in, err := decodeParameter(r)
			if err != nil {
				return resource.Made{}, err
			}
			in.name = physical
			return s.write(in, false)
		},
		Delete: func(physical string) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.stored, physical)
			delete(s.order, physical)
			return nil
		},
	}}
}

// written is a parameter of a template.
type written struct{ name, kind, value string }

// decodeParameter refuses secrets, which templates cannot write.
func decodeParameter(r resource.Request) (written, error) {
	p := r.Properties.Reader()
	in := written{name: p.String("Name"), kind: p.OneOf("Type", plain, list), value: p.Need("Value")}
	p.String("Description")
	p.Need("Type")
	if err := p.Done(); err != nil {
		return in, err
	}
	return in, in.check()
}

func (w written) check() error {
	first, _, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(w.name, "/")), "/")
	switch {
	case w.name != "" && (!parameterNames.MatchString(w.name) || strings.Contains(w.name, "/") && w.name[0] != '/'):
		return wire.Errorf("ValidationException", "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). "+
			"If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_")
	case strings.HasPrefix(first, "ssm"):
		return wire.Errorf("ValidationException", "Parameter name: can't be prefixed with \"ssm\" (case-insensitive).")
	case strings.HasPrefix(first, "aws"):
		return wire.Errorf("AccessDeniedException", "No access to reserved parameter name: %s.", w.name)
	case strings.Count(w.name, "/") > maxDepth:
		return wire.Errorf("HierarchyLevelLimitExceededException", "Parameter name must not have more than %d levels.", maxDepth)
	case len(w.name) > maxName:
		return wire.Errorf("ValidationException", "Parameter name must have length less than or equal to %d.", maxName)
	case len(w.value) > maxValue:
		return wire.Errorf("ValidationException", "Standard tier parameters support a maximum parameter value of %d characters.", maxValue)
	}
	return nil
}

// write stores a parameter: a new one must not be there yet.
func (s *Service) write(in written, fresh bool) (resource.Made, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fresh && s.stored[in.name] != nil {
		return resource.Made{}, wire.Errorf("AlreadyExists", "%s already exists", in.name)
	}
	s.put(in.name, in.value, in.kind)
	return resource.Made{Physical: in.name, Attributes: map[string]any{"Type": in.kind, "Value": in.value}}, nil
}

// Reference is what a template reads: NAME or NAME:VERSION. Secrets have a
// kind of reference of their own and are not found.
func (s *Service) Reference(selected string) (value string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, failure := s.find(selected, true)
	if failure != nil || p.Type == secure {
		return "", false
	}
	return p.Value, true
}
