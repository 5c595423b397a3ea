package cloudformation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// workOutOutputs gives the outputs their values and publishes the exports.
func (r *run) workOutOutputs() error {
	scope := r.s.scope(r.to, r.lookup)
	r.outputs = []outputValue{}
	for _, name := range slices.Sorted(maps.Keys(r.to.template.outputs)) {
		o := r.to.template.outputs[name]
		if o.condition != "" && !r.to.conditions[o.condition] {
			continue
		}
		value, err := text(scope, "The value of output "+name, o.value)
		if err != nil {
			return err
		}
		v := outputValue{key: name, value: value, description: o.description}
		if o.export != nil {
			if v.export, err = text(scope, "The export name of output "+name, o.export); err != nil {
				return err
			}
		}
		r.outputs = append(r.outputs, v)
	}
	return r.s.checkExports(r.st, r.outputs)
}

func text(scope *scope, what string, value any) (string, error) {
	inner, err := scope.eval(value)
	if err != nil {
		return "", err
	}
	text, ok := resource.Scalar(inner)
	if !ok {
		return "", fmt.Errorf("Template format error: %s must be a string", what) //nolint:staticcheck // AWS's text
	}
	return text, nil
}

// checkExports refuses a name that another stack exports, and a change of
// what another stack imports.
func (s *Service) checkExports(st *stack, outputs []outputValue) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := map[string]string{}
	for _, o := range outputs {
		if o.export == "" {
			continue
		}
		if e, taken := s.exports[o.export]; taken && e.stack != st {
			return fmt.Errorf("Export with name %s is already exported by stack %s", o.export, e.stack.name) //nolint:staticcheck // AWS's text
		}
		fresh[o.export] = o.value
	}
	for _, name := range slices.Sorted(maps.Keys(s.exports)) {
		e := s.exports[name]
		value, kept := fresh[name]
		if users := s.importers(name); e.stack == st && users != nil && (!kept || value != e.value) {
			verb := "updated"
			if !kept {
				verb = "deleted"
			}
			return fmt.Errorf("Export %s cannot be %s as it is in use by %s", name, verb, strings.Join(users, " and ")) //nolint:staticcheck // AWS's text
		}
	}
	return nil
}

// putExports replaces a stack's exports. The lock is held.
func (s *Service) putExports(st *stack, outputs []outputValue) {
	maps.DeleteFunc(s.exports, func(_ string, e export) bool { return e.stack == st })
	for _, o := range outputs {
		if o.export != "" {
			s.exports[o.export] = export{o.value, st}
		}
	}
}

// importers are the stacks that use an export. The lock is held.
func (s *Service) importers(name string) []string {
	var users []string
	for _, st := range s.stacks {
		if st.live != nil && st.status != deleteComplete && slices.Contains(st.live.plan.imports, name) {
			users = append(users, st.name)
		}
	}
	return users
}

// resolveDynamic is a {{resolve:…}} reference at the moment of its use.
func (s *Service) resolveDynamic(value string) (string, error) {
	return dynamic(value, func(service, rest string) (string, error) {
		switch service {
		case "ssm":
			if value, ok := s.around.Parameter(rest); ok {
				return value, nil
			}
			return "", fmt.Errorf("Parameters: [ssm:%s] cannot be found.", rest) //nolint:staticcheck // AWS's text
		case "secretsmanager":
			return s.secret(rest)
		}
		return "", fmt.Errorf("the local cloud does not know dynamic references of %s", service)
	})
}

// secret reads ID:SecretString:KEY, where the id may be an ARN with colons.
func (s *Service) secret(reference string) (string, error) {
	id, selector, _ := strings.Cut(reference, ":SecretString")
	value, ok := s.around.Secret(id)
	if !ok {
		return "", errors.New("Secrets Manager can't find the specified secret.") //nolint:staticcheck // AWS's text
	}
	key, _, _ := strings.Cut(strings.TrimPrefix(selector, ":"), ":")
	if key == "" {
		return value, nil
	}
	fields, err := decodeTemplate(value)
	if err != nil {
		return "", fmt.Errorf("Could not parse SecretString JSON of %s", id) //nolint:staticcheck // AWS's text
	}
	field, ok := resource.Scalar(fields[key])
	if !ok {
		return "", fmt.Errorf("Could not find a value associated with JSONKey in SecretString of %s", id) //nolint:staticcheck // AWS's text
	}
	return field, nil
}

// message is an error as events show it.
func message(err error) string {
	var e *wire.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	if e.Code == "ValidationError" {
		return e.Message
	}
	return fmt.Sprintf("%s (Error Code: %s)", e.Message, e.Code)
}
