// Package settings reads the variables of a pipe into a tagged struct. The
// struct is the only declaration there is: pipe.yml and the tables of the
// READMEs are written from it.
//
// A field is declared by its tags:
//
//	envconfig:"NAME"     the variable; fields without this tag are left alone
//	default:"30m"        what an unset variable means
//	required:"true"      unset is a problem
//	secret:"true"        the value is never printed
//	fallback:"A,B"       variables that are asked, in this order, when NAME is unset
//	allowed:"bake,sweep" the only values accepted
//	inherit:"true"       may come from repository, workspace or deployment variables
//	context:"true"       arrives by itself; pipe.yml does not offer it
//	desc, example, where what it means, one good value, where to set it
//
// A blank value is an unset one, because `X: $UNDEFINED` arrives as a blank.
// So is the variable's own name with a dollar, which is what is left of a
// default in pipe.yml where nobody expanded it. All problems are found in one
// go; a bad value never turns into a default.
package settings

import (
	"errors"
	"reflect"
)

// Checker is a struct of settings that knows which values contradict each
// other. Check is called for the struct given to Load and for every struct
// in it, after parsing, also when single fields could not be read: those have
// their zero value then, and Report.Failed tells them.
type Checker interface {
	Check(r *Report)
}

// Load reads environ ("NAME=value" each, the last of a name wins) into the
// struct that into points to. It returns nil or *Problems, which lead to
// exit.Invalid; nothing is read from the process.
func Load(environ []string, into any) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() || target.Elem().Kind() != reflect.Struct {
		return errors.New("settings: Load needs a pointer to a struct")
	}
	fields := fieldsOf(target.Elem())
	report := newReport(fields)
	env := newEnvironment(environ)
	for _, t := range env.typos(fields) {
		report.typo(t, t.meant)
	}
	for _, f := range fields {
		loadField(env, f, report)
	}
	for _, c := range checkersOf(target.Elem()) {
		c.Check(report)
	}
	return report.problems()
}

// loadField finds the value of one field and sets it; a problem is reported
// and does not stop the next field.
func loadField(env *environment, f field, report *Report) {
	given, problem := env.lookup(f)
	switch {
	case problem != "":
	case given.items != nil:
		f.value.Set(reflect.ValueOf(given.items).Convert(f.value.Type()))
	case given.text != "":
		problem = parse(f, given.text)
	case f.Required:
		report.missing(f)
		return
	default:
		return
	}
	if problem == "" {
		problem = notAllowed(f)
	}
	if problem != "" {
		report.wrong(f, given, problem)
	}
}

// checkersOf lists the struct and its exported inner structs that have a
// Check. A struct that got its Check from an embedded one is listed too; that
// is harmless, since a report keeps equal problems once.
func checkersOf(s reflect.Value) []Checker {
	var found []Checker
	if c, ok := s.Addr().Interface().(Checker); ok {
		found = append(found, c)
	}
	for i := range s.NumField() {
		if f := s.Type().Field(i); f.IsExported() && inPlace(f) {
			found = append(found, checkersOf(s.Field(i))...)
		}
	}
	return found
}
