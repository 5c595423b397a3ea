package settings

import (
	"reflect"
	"strings"
)

// Variable is what the documentation says about one variable.
type Variable struct {
	Name, Type, Default, Fallback, Description, Example string

	Allowed []string

	Required, Secret bool
	// Inherit: repository, workspace and deployment variables reach the pipe
	// through a default "$NAME" in pipe.yml.
	Inherit bool
	// Context: set by Bitbucket or by the machine, never offered in pipe.yml.
	Context bool
}

// field is a Variable together with the place its value goes to.
type field struct {
	Variable
	where string
	value reflect.Value
}

// Describe lists the variables of a struct (or of a pointer to one) in the
// order of its fields, those of inner structs in place.
func Describe(of any) []Variable {
	t := reflect.TypeOf(of)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var all []Variable
	for _, f := range fieldsOf(reflect.New(t).Elem()) {
		all = append(all, f.Variable)
	}
	return all
}

// Secrets lists the values of the secret variables that are set, for the
// console to mask.
func Secrets(of any) []string {
	v := reflect.ValueOf(of)
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	var all []string
	for _, f := range fieldsOf(v) {
		if !f.Secret {
			continue
		}
		switch f.value.Kind() {
		case reflect.String:
			all = append(all, f.value.String())
		case reflect.Slice:
			for i := range f.value.Len() {
				all = append(all, f.value.Index(i).String())
			}
		}
	}
	return all
}

// fieldsOf finds the tagged fields of a struct, and in place those of the
// structs in it. Two packages may both call theirs Settings, so that not both
// can be embedded; a field with a name does as well.
func fieldsOf(s reflect.Value) []field {
	var all []field
	for i := range s.NumField() {
		f := s.Type().Field(i)
		name := f.Tag.Get("envconfig")
		switch {
		case name != "" && f.IsExported():
			all = append(all, newField(name, f, s.Field(i)))
		case inPlace(f):
			all = append(all, fieldsOf(s.Field(i))...)
		}
	}
	return all
}

// inPlace tells whether the variables of a field's struct belong to the struct
// around it.
func inPlace(f reflect.StructField) bool {
	return f.Type.Kind() == reflect.Struct && f.Tag.Get("envconfig") == "" && (f.Anonymous || f.IsExported())
}

func newField(name string, f reflect.StructField, value reflect.Value) field {
	tag := func(key string) string { return f.Tag.Get(key) }
	on := func(key string) bool { return tag(key) == "true" }
	return field{
		Variable: Variable{
			Name: name, Type: typeName(f.Type), Default: tag("default"), Fallback: tag("fallback"),
			Description: tag("desc"), Example: tag("example"), Allowed: split(tag("allowed")),
			Required: on("required"), Secret: on("secret"), Inherit: on("inherit"), Context: on("context"),
		},
		where: tag("where"),
		value: value,
	}
}

// place says where the variable is set.
func (f field) place() string {
	switch {
	case f.where != "":
		return f.where
	case f.Context:
		return "Bitbucket Pipelines sets it in every step"
	case f.Inherit:
		return "set it under the pipe's `variables:` or as a repository, workspace or deployment variable"
	}
	return "set it under the pipe's `variables:`"
}

// split cuts a comma-separated tag; no tag is no value.
func split(tag string) []string {
	if tag == "" {
		return nil
	}
	parts := strings.Split(tag, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
