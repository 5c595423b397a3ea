package secrets_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/secrets"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

type props = resource.Properties

func newSecrets() (*secrets.Service, resource.Type) {
	s := secrets.New(world.New("111122223333", "eu-west-1", world.Timing{}, 1))
	return s, s.Types()[0]
}

func request(generate map[string]any) resource.Request {
	return resource.Request{Stack: "shop", LogicalID: "DatabaseSecret", Properties: props{"GenerateSecretString": generate, "Description": "of the database"}}
}

// value makes a secret and reads it.
func value(t *testing.T, generate map[string]any) string {
	t.Helper()
	s, kind := newSecrets()
	made, err := kind.Create(request(generate))
	if err != nil {
		t.Fatal(err)
	}
	text, ok := s.Value(made.Physical)
	if !ok || !strings.HasPrefix(made.Physical, "arn:aws:secretsmanager:eu-west-1:111122223333:secret:DatabaseSecret-") {
		t.Errorf("%s: %t", made.Physical, ok)
	}
	return text
}

func TestGeneratedValues(t *testing.T) {
	t.Parallel()
	const kinds = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	if text := value(t, nil); len(text) != 32 || !strings.ContainsAny(text, kinds) || !strings.ContainsAny(text, strings.ToLower(kinds)) ||
		!strings.ContainsAny(text, "0123456789") || !strings.ContainsAny(text, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") {
		t.Errorf("a password of every kind: %q", text)
	}
	text := value(t, map[string]any{"PasswordLength": 40, "ExcludePunctuation": true, "ExcludeUppercase": true, "ExcludeNumbers": "true", "ExcludeCharacters": "abcdefghijklmnopqrstuvwx"})
	if len(text) != 40 || strings.Trim(text, "yz") != "" || !strings.ContainsRune(text, 'y') || !strings.ContainsRune(text, 'z') {
		t.Errorf("of two letters: %q", text)
	}
	var object map[string]string
	text = value(t, map[string]any{"SecretStringTemplate": `{"username": "app"}`, "GenerateStringKey": "password", "PasswordLength": 20, "ExcludePunctuation": true})
	if err := json.Unmarshal([]byte(text), &object); err != nil || object["username"] != "app" || len(object["password"]) != 20 {
		t.Errorf("an object: %s, %v", text, err)
	}
}

func TestRefusedSecrets(t *testing.T) {
	t.Parallel()
	for name, generate := range map[string]map[string]any{
		"nothing left":     {"ExcludePunctuation": true, "ExcludeUppercase": true, "ExcludeNumbers": true, "ExcludeLowercase": true},
		"too short":        {"PasswordLength": 3},
		"too long":         {"PasswordLength": 4097},
		"template alone":   {"SecretStringTemplate": "{}"},
		"template no JSON": {"SecretStringTemplate": "username", "GenerateStringKey": "password"},
	} {
		_, kind := newSecrets()
		_, err := kind.Create(request(generate))
		var failure *wire.Error
		if !errors.As(err, &failure) || failure.Code != "InvalidParameterException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, kind := newSecrets()
	if _, err := kind.Create(request(map[string]any{"Length": 4})); err == nil || !strings.Contains(err.Error(), "GenerateSecretString.Length") {
		t.Errorf("an unknown part: %v", err)
	}
}

func TestSecretKeepsItsValue(t *testing.T) {
	t.Parallel()
	s, kind := newSecrets()
	first := request(map[string]any{"PasswordLength": 20})
	made, err := kind.Create(first)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := s.Value(made.Physical)
	described := request(map[string]any{"PasswordLength": 20})
	described.Properties["Description"] = "another"
	if again, err := kind.Update(described, first.Properties, made.Physical); err != nil || again.Physical != made.Physical {
		t.Errorf("%+v, %v", again, err)
	}
	if after, _ := s.Value(made.Physical); after != before {
		t.Error("a new description made a new value")
	}
	if _, err := kind.Update(request(map[string]any{"PasswordLength": 21}), described.Properties, made.Physical); err != nil {
		t.Error(err)
	}
	if after, _ := s.Value(made.Physical); len(after) != 21 {
		t.Errorf("a new length made %q", after)
	}
	for range 2 {
		if err := kind.Delete(made.Physical); err != nil {
			t.Error(err)
		}
	}
	if _, ok := s.Value(made.Physical); ok {
		t.Error("it is still there")
	}
	if _, err := kind.Update(described, first.Properties, made.Physical); err == nil {
		t.Error("a secret that is gone was changed")
	}
}
