package settings

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
)

// noKey is a name that no environment can hold, so that envconfig always
// takes the value from the default and never from the process.
const noKey = "="

// parse sets the field from its text, or says what is wrong with the text.
//
// envconfig stops at the first bad field and asks the process for values. So
// it is handed one field at a time, in a struct made for the purpose, whose
// default is the value.
func parse(f field, text string) string {
	if f.Type != typeString {
		text = strings.TrimSpace(text)
	}
	if f.Type == typeBoolean {
		if text = boolean(text); text == "" {
			return "is neither yes nor no"
		}
	}
	one := reflect.New(reflect.StructOf([]reflect.StructField{{
		Name: "Value",
		Type: f.value.Type(),
		Tag:  reflect.StructTag(fmt.Sprintf(`envconfig:%q default:%q`, noKey, text)),
	}}))
	switch err := envconfig.Process("", one.Interface()); {
	case err != nil && f.Secret:
		return "cannot be read" // a reason may quote the value
	case err != nil:
		return because(err)
	}
	f.value.Set(one.Elem().Field(0))
	return ""
}

// because takes the reason out of envconfig's and strconv's errors, whose
// texts repeat the value.
func because(err error) string {
	var parse *envconfig.ParseError
	if errors.As(err, &parse) {
		err = parse.Err
	}
	var number *strconv.NumError
	if errors.As(err, &number) {
		if errors.Is(number.Err, strconv.ErrRange) {
			return "is out of range"
		}
		return "is not a number"
	}
	return strings.TrimPrefix(err.Error(), "time: ")
}

// boolean turns every spelling that YAML loaders know into one, and anything
// else into nothing: DRY_RUN=ture must not mean no.
func boolean(text string) string {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		return "true"
	case "false", "no", "off", "0":
		return "false"
	}
	return ""
}

// notAllowed checks strings and lists against the allowed values.
func notAllowed(f field) string {
	if len(f.Allowed) == 0 {
		return ""
	}
	value := reflect.Indirect(f.value)
	values := []string{fmt.Sprint(value.Interface())}
	if value.Kind() == reflect.Slice {
		values = values[:0]
		for i := range value.Len() {
			values = append(values, fmt.Sprint(value.Index(i).Interface()))
		}
	}
	for _, v := range values {
		if problem := notOneOf(v, f); problem != "" {
			return problem
		}
	}
	return ""
}

func notOneOf(value string, f field) string {
	near := ""
	for _, a := range f.Allowed {
		if value == a {
			return ""
		}
		if strings.EqualFold(value, a) || (len(a) > 3 && Distance(value, a) == 1) {
			near = fmt.Sprintf(" (did you mean %s?)", a)
		}
	}
	if f.Secret {
		return "is not an allowed value"
	}
	if f.value.Kind() == reflect.Slice {
		return fmt.Sprintf("has %s, which is not an allowed value%s", shown(value), near)
	}
	return "is not an allowed value" + near
}

// The names of types in messages and in the documentation.
const (
	typeString  = "string"
	typeBoolean = "boolean"
	typeNumber  = "number"
	typeList    = "list"
)

// described is a type that names itself in the documentation.
type described interface{ typeName() string }

func typeName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if d, ok := reflect.Zero(t).Interface().(described); ok {
		return d.typeName()
	}
	if decodes(t) {
		return typeString
	}
	if t == reflect.TypeFor[time.Duration]() {
		return typeDuration
	}
	switch t.Kind() {
	case reflect.Bool:
		return typeBoolean
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		return typeNumber
	case reflect.Slice:
		return typeList
	}
	return typeString
}

// decodes tells whether a type reads its own text.
func decodes(t reflect.Type) bool {
	switch reflect.New(t).Interface().(type) {
	case envconfig.Decoder, envconfig.Setter, interface{ UnmarshalText([]byte) error }:
		return true
	}
	return false
}

// expected says what a good value looks like, in words.
func expected(f field) string {
	switch {
	case len(f.Allowed) > 0:
		return "one of " + strings.Join(f.Allowed, ", ")
	case f.Type == typeBoolean:
		return "true or false"
	case f.Type == typeNumber && strings.HasPrefix(f.value.Kind().String(), "uint"):
		return "a whole number, 0 or more"
	case f.Type == typeNumber && strings.HasPrefix(f.value.Kind().String(), "int"):
		return "a whole number"
	case f.Type == typeNumber:
		return "a number"
	case f.Type == typeDuration:
		return "a duration such as 45m, 1h30m, 7d or 2w"
	case f.Type == typeSize:
		return "a size such as 500MB or 1GiB"
	case f.Type == typeList:
		return "values separated by commas, one per line, or a YAML list"
	}
	return sentence(f.Description)
}

// sentence makes a description fit into the middle of a message. An acronym
// at its start keeps its capitals.
func sentence(text string) string {
	text = strings.TrimSuffix(text, ".")
	if len(text) > 1 && text[0] >= 'A' && text[0] <= 'Z' && (text[1] < 'A' || text[1] > 'Z') {
		return strings.ToLower(text[:1]) + text[1:]
	}
	return text
}
