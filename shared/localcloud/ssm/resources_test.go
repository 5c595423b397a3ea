package ssm_test

import (
	"errors"
	"strings"
	"testing"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/ssm"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

type props = resource.Properties

func request(p props) resource.Request {
	return resource.Request{Stack: "shop", LogicalID: "Setting", Properties: p}
}

func TestParameterOfATemplate(t *testing.T) {
	t.Parallel()
	s := ssm.New(world.New("111122223333", "eu-west-1", world.Timing{}, 1))
	kind := s.Types()[0]
	made, err := kind.Create(request(props{"Name": "/shop/URL", "Type": "String", "Value": "http://a", "Description": "of the shop"}))
	if err != nil || made.Physical != "/shop/URL" || made.Attributes["Value"] != "http://a" {
		t.Fatalf("%+v, %v", made, err)
	}
	if _, err := kind.Create(request(props{"Name": "/shop/URL", "Type": "String", "Value": "b"})); err == nil {
		t.Error("a name was used twice")
	}
	if _, err := kind.Update(request(props{"Name": "/shop/URL", "Type": "StringList", "Value": "a,b"}), nil, made.Physical); err != nil {
		t.Error(err)
	}
	s.Put("/shop/KEY", "hush", true)
	for selected, want := range map[string]string{"/shop/URL": "a,b", "/shop/URL:1": "http://a", "/shop/URL:3": "", "/shop/KEY": "", "/none": ""} {
		if got, ok := s.Reference(selected); got != want || ok != (want != "") {
			t.Errorf("%s is %q, %t", selected, got, ok)
		}
	}
	for range 2 {
		if err := kind.Delete(made.Physical); err != nil {
			t.Error(err)
		}
	}
	if _, ok := s.Value("/shop/URL"); ok {
		t.Error("it is still there")
	}
	named, err := kind.Create(request(props{"Type": "String", "Value": "x"}))
	if err != nil || !strings.HasPrefix(named.Physical, "CFN-Setting-") {
		t.Errorf("without a name: %+v, %v", named, err)
	}
}

func TestRefusedParameters(t *testing.T) {
	t.Parallel()
	s := ssm.New(world.New("111122223333", "eu-west-1", world.Timing{}, 1))
	for name, test := range map[string]struct {
		props props
		code  string
	}{
		"secret":       {props{"Type": "SecureString", "Value": "x"}, ""},
		"no type":      {props{"Value": "x"}, ""},
		"no value":     {props{"Type": "String"}, ""},
		"reserved":     {props{"Name": "/aws/x", "Type": "String", "Value": "x"}, "AccessDeniedException"},
		"also":         {props{"Name": "ssm-x", "Type": "String", "Value": "x"}, "ValidationException"},
		"path":         {props{"Name": "shop/x", "Type": "String", "Value": "x"}, "ValidationException"},
		"space":        {props{"Name": "/shop/my x", "Type": "String", "Value": "x"}, "ValidationException"},
		"deep":         {props{"Name": strings.Repeat("/a", 16), "Type": "String", "Value": "x"}, "HierarchyLevelLimitExceededException"},
		"long name":    {props{"Name": strings.Repeat("a", 1012), "Type": "String", "Value": "x"}, "ValidationException"},
		"long":         {props{"Name": "/shop/x", "Type": "String", "Value": strings.Repeat("x", 4097)}, "ValidationException"},
		"unknown part": {props{"Name": "/shop/x", "Type": "String", "Value": "x", "Tier": "Advanced"}, ""},
	} {
		_, err := s.Types()[0].Create(request(test.props))
		var failure *wire.Error
		if err == nil || test.code != "" && (!errors.As(err, &failure) || failure.Code != test.code) {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
}
