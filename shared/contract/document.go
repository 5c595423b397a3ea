package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Marshal writes the document; a contract that is not set becomes Version.
func (p Provisioning) Marshal() ([]byte, error) {
	p.Contract = orVersion(p.Contract)
	return marshal("instructions of the build server", p)
}

// Marshal writes the document; a contract that is not set becomes Version.
func (p Provisioned) Marshal() ([]byte, error) {
	p.Contract = orVersion(p.Contract)
	return marshal("result of the build server", p)
}

// Marshal writes the document; a contract that is not set becomes Version.
func (i Image) Marshal() ([]byte, error) {
	i.Contract = orVersion(i.Contract)
	return marshal("image description", i)
}

// Marshal writes the document; a contract that is not set becomes Version.
func (u UserData) Marshal() ([]byte, error) {
	u.Contract = orVersion(u.Contract)
	return marshal("user data", u)
}

// Marshal writes the document; a contract that is not set becomes Version.
func (s State) Marshal() ([]byte, error) {
	s.Contract = orVersion(s.Contract)
	return marshal("state of the server", s)
}

// ParseProvisioning reads a Provisioning.
func ParseProvisioning(data []byte) (Provisioning, error) {
	var p Provisioning
	err := parse("instructions of the build server", data, &p,
		"contract", "application", "commit", "script", "log_url", "result_url", "deadline")
	return p, err
}

// ParseProvisioned reads a Provisioned.
func ParseProvisioned(data []byte) (Provisioned, error) {
	var p Provisioned
	err := parse("result of the build server", data, &p, "contract", "exit_code")
	return p, err
}

// ParseImage reads an Image.
func ParseImage(data []byte) (Image, error) {
	var i Image
	err := parse("image description", data, &i, "contract", "application", "commit", "processes")
	return i, err
}

// ParseUserData reads a UserData. A newer contract is no error here: only boot
// knows whether it can still serve it.
func ParseUserData(data []byte) (UserData, error) {
	var u UserData
	err := parse("user data", data, &u, "contract", "application", "environment", "role", "region")
	return u, err
}

// ParseState reads a State.
func ParseState(data []byte) (State, error) {
	var s State
	err := parse("state of the server", data, &s, "contract", "ready")
	return s, err
}

func orVersion(contract int) int {
	if contract == 0 {
		return Version
	}
	return contract
}

func marshal(what string, v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return data, nil
}

// parse reads data into v and names every required key that is missing, null
// or an empty string, all at once.
func parse(what string, data []byte, v any, required ...string) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return fmt.Errorf("%s: %w", what, plain(err))
	}
	var missing []string
	for _, key := range required {
		if raw := string(keys[key]); raw == "" || raw == "null" || raw == `""` {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s: missing %s", what, strings.Join(missing, ", "))
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", what, plain(err))
	}
	return nil
}

// plain says a problem with JSON in the words of its writer; the library's own
// text speaks of Go types.
func plain(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		if kind.Field == "" {
			return fmt.Errorf("it is a JSON %s, expected an object", kind.Value)
		}
		return fmt.Errorf("%s holds a %s where %s is expected", kind.Field, kind.Value, jsonKind(kind))
	}
	return fmt.Errorf("not valid JSON: %w", err)
}

func jsonKind(err *json.UnmarshalTypeError) string {
	switch name := err.Type.Kind().String(); name {
	case "struct", "map":
		return "an object"
	case "slice":
		return "a list"
	case "bool":
		return "true or false"
	case "string":
		return "a string"
	default:
		return "a number"
	}
}
