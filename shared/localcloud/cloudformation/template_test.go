package cloudformation_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"
)

func TestFunctions(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		other := document{"Resources": object{"A": res(plain, object{})}, "Outputs": object{"Net": object{"Value": "vpc-1", "Export": object{"Name": "net"}}}}
		in := func(in *cfn.CreateChangeSetInput) { in.StackName = aws.String("base") }
		c := d.propose(other, "CREATE", in)
		d.execute(c, "")
		d.settled()

		value := func(v any) object { return res(plain, object{"Name": v}) }
		doc := document{
			"Parameters": object{
				"Size": object{"Type": "Number", "Default": 3}, "Zones": object{"Type": "CommaDelimitedList", "Default": "a, b,c"},
				"Image": object{"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Default": "/image"}, "Run": object{"Type": "String", "Default": "false"},
			},
			"Conditions": object{
				"Running": object{"Fn::Equals": []any{object{"Ref": "Run"}, "true"}},
				"Big":     object{"Fn::Not": []any{object{"Fn::Equals": []any{object{"Ref": "Size"}, "1"}}}},
				"Both":    object{"Fn::And": []any{object{"Condition": "Running"}, object{"Condition": "Big"}}},
				"Either":  object{"Fn::Or": []any{object{"Condition": "Running"}, object{"Condition": "Big"}}},
			},
			"Resources": object{
				"Base":    res(plain, object{"Name": "base"}),
				"Sub":     value(object{"Fn::Sub": []any{"${Base}/${Base.Arn}/${AWS::Region}/${Own}/${!Literal}/${Size}", object{"Own": object{"Ref": "Image"}}}}),
				"Join":    value(object{"Fn::Join": []any{"-", []any{object{"Fn::Select": []any{1, object{"Ref": "Zones"}}}, object{"Ref": "AWS::StackName"}}}}),
				"List":    value(object{"Fn::Join": []any{"+", object{"Ref": "Zones"}}}),
				"If":      value(object{"Fn::If": []any{"Either", "yes", object{"Ref": "Base"}}}),
				"None":    res(plain, object{"Name": "none", "Kind": object{"Fn::If": []any{"Both", "kind", object{"Ref": "AWS::NoValue"}}}}),
				"Base64":  value(object{"Fn::Base64": object{"Fn::Sub": "id=${Base}"}}),
				"AZs":     value(object{"Fn::Select": []any{"1", object{"Fn::GetAZs": ""}}}),
				"Import":  value(object{"Fn::ImportValue": object{"Fn::Sub": "n${AWS::NoValue}et"}}),
				"Dynamic": value("{{resolve:ssm:/image}} {{resolve:secretsmanager:database:SecretString:password}}"),
				"Absent":  res(plain, object{}, "Condition", "Running"),
				"Ordered": res(plain, object{}, "DependsOn", []any{"Absent", "Base"}),
			},
			"Outputs": object{
				"Arn":  object{"Value": object{"Fn::GetAtt": []any{"Base", "Arn"}}, "Description": "of base"},
				"Gone": object{"Condition": "Running", "Value": object{"Ref": "Absent"}},
			},
		}
		doc["Resources"].(object)["Import"] = value(object{"Fn::ImportValue": object{"Fn::Sub": "${P}et"}})
		doc["Parameters"].(object)["P"] = object{"Type": "String", "Default": "n"}
		if got := d.deploy(doc); got != "CREATE_COMPLETE" {
			t.Fatal(got, d.events())
		}
		names := map[string]any{}
		base := ""
		for id, x := range d.things.exist {
			if x.Logical == "Base" {
				base = id
			}
			names[x.Logical] = x.Properties["Name"]
			if _, ok := x.Properties["Kind"]; ok {
				t.Error("NoValue leaves a property out", x)
			}
		}
		for name, want := range map[string]string{
			"Sub": base + "/arn:thing:" + base + "/us-east-1/ami-stored/${Literal}/3", "Join": "b-shop", "List": "a+b+c", "If": "yes",
			"Base64": base64.StdEncoding.EncodeToString([]byte("id=" + base)), "AZs": "us-east-1b", "Import": "vpc-1", "Dynamic": "ami-stored s3cret",
		} {
			if fmt.Sprint(names[name]) != want {
				t.Errorf("%s is %v, not %s", name, names[name], want)
			}
		}
		if _, ok := names["Absent"]; ok || len(names) != 12 { // with the other stack's
			t.Error(sortedKeys(names))
		}
		if diff := cmp.Diff(map[string]string{"Arn": "arn:thing:" + base}, d.service.Stacks()[1].Outputs); diff != "" {
			t.Error(diff)
		}
		// A dynamic reference's new value is no change; a stored parameter's is.
		d.parameters["/image"] = "ami-next"
		if diff := cmp.Diff([]string{`Modify Sub False: Properties /Properties/Name Never Dynamic DirectModification`}, cut(tell(d.propose(doc, "UPDATE")))); diff != "" {
			t.Error(diff)
		}
	})
}

// cut leaves values out.
func cut(lines []string) []string {
	for n, line := range lines {
		lines[n], _, _ = strings.Cut(line, " \"")
	}
	return lines
}

func TestTemplateErrors(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		a := res(plain, object{})
		many := object{}
		for n := range 501 {
			many[fmt.Sprint("A", n)] = a
		}
		for text, want := range map[string]string{
			`{"Resources": {`:                      "JSON not well-formed",
			"{\n\"Resources\": x}":                 "(line 2, column 14)",
			"Resources:\n  A: {}":                  "JSON templates only",
			`{}`:                                   "At least one Resources member must be defined.",
			`{"Resources": {}, "Mappings": {}}`:    "Invalid template property or properties [Mappings]",
			`{"Resources": {"A": {}}}`:             "Every Resources object must contain a Type member.",
			`{"Resources": {"A": {"Type": "X"}}}x`: "JSON not well-formed",
			stackOf(object{"A-b": a}).String():     "Resource name A-b is non alphanumeric.",
			stackOf(object{"A": res("AWS::Foo::Bar", object{}), "B": res("AWS::Z::Z", object{})}).String():                             "Unrecognized resource types: [AWS::Foo::Bar, AWS::Z::Z]",
			stackOf(object{"A": res(plain, object{}, "Metadatas", 1)}).String():                                                        "Invalid template resource property 'Metadatas'",
			stackOf(object{"A": res(plain, object{"Name": object{"Ref": "Nobody"}})}).String():                                         "Unresolved resource dependencies [Nobody] in the Resources block of the template",
			stackOf(object{"A": res(plain, object{"Name": object{"Fn::Sub": "${Nobody.Arn}"}})}).String():                              "Unresolved resource dependencies [Nobody]",
			stackOf(object{"A": res(plain, object{}, "DependsOn", "Nobody")}).String():                                                 "Unresolved resource dependencies [Nobody]",
			stackOf(object{"A": res(plain, object{}, "Condition", "Nobody")}).String():                                                 "Unresolved condition dependency Nobody in the Resources block",
			stackOf(object{"A": a, "B": res(plain, object{"Name": object{"Fn::GetAtt": "A.Foo"}})}).String():                           "resource A does not support attribute type Foo in Fn::GetAtt",
			stackOf(object{"A": res(plain, object{"Name": object{"Fn::Cidr": 1}})}).String():                                           "does not know the function Fn::Cidr",
			stackOf(object{"A": res(plain, object{}, "DeletionPolicy", "Snapshot")}).String():                                          "Unrecognized DeletionPolicy Snapshot for resource A",
			stackOf(object{"A": res(plain, object{"Uses": object{"Ref": "B"}}), "B": res(plain, object{}, "DependsOn", "A")}).String(): "Circular dependency between resources: [A, B]",
			stackOf(many).String(): "Number of resources, 501, is greater than maximum allowed, 500",
			document{"Resources": object{"A": a}, "Description": strings.Repeat("x", 1025)}.String():                                           "1024",
			document{"Resources": object{"A": a}, "Parameters": object{"P": object{"Type": "List<Number>"}}}.String():                          "Unrecognized parameter type: List<Number> (P)",
			document{"Resources": object{"A": a}, "Outputs": object{"O": object{"Value": object{"Ref": "Nobody"}}}}.String():                   "Unresolved resource dependencies [Nobody] in the Outputs block",
			document{"Resources": object{"A": a}, "Conditions": object{"C": object{"Fn::Equals": []any{object{"Ref": "A"}, 1}}}}.String():      "Unresolved resource dependencies [A] in the Conditions block",
			document{"Resources": object{"A": a}, "Conditions": object{"C": object{"Condition": "D"}, "D": object{"Condition": "C"}}}.String(): "circular condition",
			document{"Resources": object{"A": a}, "Conditions": object{"C": object{"Fn::Not": []any{object{"Condition": "D"}}}}}.String():      "Unresolved condition dependency D in the Conditions block",
			stackOf(object{"A": res(plain, object{"Name": object{"Fn::Select": []any{3, []any{"x"}}}})}).String():                              "Fn::Select cannot select nonexistent value at index 3",
			stackOf(object{"A": res(plain, object{"Name": object{"Fn::ImportValue": "nothing"}})}).String():                                    "No export named nothing found.",
			strings.Replace(stackOf(object{"A": res(plain, object{"Name": "~"})}).String(), "~", strings.Repeat("x", 51_200), 1):               "less than or equal to 51200",
		} {
			_, err := d.client.CreateChangeSet(t.Context(), &cfn.CreateChangeSetInput{
				StackName: aws.String("shop"), ChangeSetName: aws.String("c"), ChangeSetType: "CREATE", TemplateBody: aws.String(text)})
			wantCode(t, err, "ValidationError", want)
		}
		if len(d.service.Stacks()) != 0 {
			t.Error("a refused template left a stack")
		}
	})
}

func TestParameters(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		doc := document{
			"Parameters": object{
				"Must": object{"Type": "String"}, "Pick": object{"Type": "String", "Default": "a", "AllowedValues": []any{"a", "b"}},
				"Form": object{"Type": "String", "Default": "x1", "AllowedPattern": "[a-z][0-9]", "MaxLength": 2},
				"Size": object{"Type": "Number", "Default": "5", "MinValue": 2, "MaxValue": 9},
				"Told": object{"Type": "String", "Default": "a", "AllowedPattern": "a", "ConstraintDescription": "say a"},
				"Kept": object{"Type": "String", "Default": "x", "NoEcho": "true"}, "Image": object{"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/image"},
			},
			"Resources": object{"A": res(plain, object{"Name": object{"Fn::Sub": "${Must} ${Size}"}})},
		}
		for _, c := range []struct{ name, value, want string }{
			{"Nobody", "x", "Parameters: [Nobody] do not exist in the template"},
			{"Pick", "a", "Parameters: [Must] must have values"},
			{"Pick", "c", "Parameter 'Pick' must be one of AllowedValues"},
			{"Form", "xx", "Parameter 'Form' must match pattern [a-z][0-9]"},
			{"Size", "many", "Parameter 'Size' must be a number"},
			{"Size", "1", "not less than 2"},
			{"Told", "b", "Parameter 'Told' failed to satisfy constraint: say a"},
			{"Must", strings.Repeat("x", 4097), "4096"},
			{"Image", "/nothing", "Parameters: [Must] must have values"},
		} {
			in := &cfn.CreateChangeSetInput{StackName: aws.String("shop"), ChangeSetName: aws.String("c"), ChangeSetType: "CREATE", TemplateBody: aws.String(doc.String())}
			parameter(c.name, c.value)(in)
			_, err := d.client.CreateChangeSet(t.Context(), in)
			wantCode(t, err, "ValidationError", c.want)
		}
		in := &cfn.CreateChangeSetInput{StackName: aws.String("shop"), ChangeSetName: aws.String("c"), ChangeSetType: "CREATE", TemplateBody: aws.String(doc.String())}
		parameter("Must", "x")(in)
		parameter("Image", "/nothing")(in)
		_, err := d.client.CreateChangeSet(t.Context(), in)
		wantCode(t, err, "ValidationError", "Unable to fetch parameters [/nothing] from parameter store for this account.")

		d.deploy(doc, parameter("Must", "x"), parameter("Kept", "secret"))
		out, err := d.client.DescribeStacks(t.Context(), &cfn.DescribeStacksInput{StackName: aws.String("shop")})
		if err != nil {
			t.Fatal(err)
		}
		shown := map[string]string{}
		for _, p := range out.Stacks[0].Parameters {
			shown[*p.ParameterKey] = *p.ParameterValue + aws.ToString(p.ResolvedValue)
		}
		if shown["Kept"] != "****" || shown["Image"] != "/imageami-stored" || shown["Must"] != "x" {
			t.Error(shown)
		}
		keep := func(in *cfn.CreateChangeSetInput) {
			parameter("Size", "6")(in)
			in.Parameters = append(in.Parameters, in.Parameters[0])
			in.Parameters[1].ParameterKey, in.Parameters[1].ParameterValue, in.Parameters[1].UsePreviousValue = aws.String("Must"), nil, aws.Bool(true)
		}
		if got := d.deploy(doc, keep); got != "UPDATE_COMPLETE" || d.things.exist["a-1"].Properties["Name"] != "x 6" {
			t.Error(got, d.things.exist)
		}
	})
}

func TestTemplateFromTheStore(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		doc := strings.Replace(stackOf(object{"A": res(plain, object{"Name": "~"})}).String(), "~", strings.Repeat("x", 60_000), 1)
		d.objects["bucket/dir/template.json"] = doc
		for _, url := range []string{
			"http://cloud.test/bucket/dir/template.json", "https://s3.us-east-1.amazonaws.com/bucket/dir/template.json", "https://bucket.s3.us-east-1.amazonaws.com/dir/template.json",
		} {
			c := d.propose(nil, "CREATE", func(in *cfn.CreateChangeSetInput) { in.TemplateURL = aws.String(url) })
			if c.Status != "CREATE_COMPLETE" || len(c.Changes) != 1 {
				t.Error(url, c.Status)
			}
		}
		for url, want := range map[string]string{
			"http://elsewhere.test/bucket/dir/template.json":         "must be a supported URL",
			"http://bucket.s3.us-east-1.amazonaws.com/template.json": "must be a supported URL",
			"https://bucket.s3.us-east-1.amazonaws.com/nothing":      "S3 error: Access Denied",
		} {
			_, err := d.client.CreateChangeSet(t.Context(), &cfn.CreateChangeSetInput{
				StackName: aws.String("shop"), ChangeSetName: aws.String("c"), ChangeSetType: "CREATE", TemplateURL: aws.String(url)})
			wantCode(t, err, "ValidationError", want)
		}
		out, err := d.client.GetTemplate(t.Context(), &cfn.GetTemplateInput{StackName: aws.String("shop"), ChangeSetName: d.propose(chain(1, "a"), "CREATE").ChangeSetId})
		if err != nil || *out.TemplateBody != chain(1, "a").String() {
			t.Error(out, err)
		}
	})
}

func TestCapabilities(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		try := func(properties object, capabilities ...string) error {
			in := &cfn.CreateChangeSetInput{StackName: aws.String("shop"), ChangeSetName: aws.String(fmt.Sprintf("c%d-%d", len(properties), len(capabilities))), ChangeSetType: "CREATE",
				TemplateBody: aws.String(stackOf(object{"A": res(role, properties)}).String())}
			for _, c := range capabilities {
				in.Capabilities = append(in.Capabilities, types.Capability("CAPABILITY_"+c))
			}
			_, err := d.client.CreateChangeSet(t.Context(), in)
			return err
		}
		wantCode(t, try(object{}), "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]")
		wantCode(t, try(object{"RoleName": "x"}, "IAM"), "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]")
		if err := try(object{}, "IAM"); err != nil {
			t.Error(err)
		}
	})
}

func TestUnsupportedPropertyFailsTheResource(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		if got := d.deploy(stackOf(object{"A": res(plain, object{"Nmae": "x"})})); got != "ROLLBACK_COMPLETE" || !d.happened("A CREATE_FAILED: Encountered unsupported property Nmae") {
			t.Error(got, d.events())
		}
	})
}

func TestExports(t *testing.T) {
	simulate(t, func(t *testing.T, d *desk) {
		base := func(value string, export string) document {
			o := object{"Value": value}
			if export != "" {
				o["Export"] = object{"Name": export}
			}
			return document{"Resources": object{"A": res(plain, object{})}, "Outputs": object{"O": o}}
		}
		at := func(name string) func(*cfn.CreateChangeSetInput) {
			return func(in *cfn.CreateChangeSetInput) { in.StackName = aws.String(name) }
		}
		run := func(name, kind string, doc document) string {
			d.execute(d.propose(doc, types.ChangeSetType(kind), at(name)), "")
			for {
				for _, st := range d.service.Stacks() {
					if st.Name == name && !strings.HasSuffix(st.Status, "_IN_PROGRESS") {
						return st.Status + ": " + d.reasons(name)
					}
				}
				pass(1e9)
			}
		}
		run("base", "CREATE", base("1", "net"))
		run("user", "CREATE", stackOf(object{"A": res(plain, object{"Name": object{"Fn::ImportValue": "net"}})}))
		for _, c := range []struct{ name, kind, value, export, want string }{
			{"other", "CREATE", "1", "net", "Export with name net is already exported by stack base"},
			{"base", "UPDATE", "2", "net", "Export net cannot be updated as it is in use by user"},
			{"base", "UPDATE", "1", "", "Export net cannot be deleted as it is in use by user"},
		} {
			if got := run(c.name, c.kind, base(c.value, c.export)); !strings.Contains(got, "ROLLBACK_COMPLETE") || !strings.Contains(got, c.want) {
				t.Errorf("%s, not %s", got, c.want)
			}
		}
		remove := func(name string) string {
			if _, err := d.client.DeleteStack(t.Context(), &cfn.DeleteStackInput{StackName: aws.String(name)}); err != nil {
				t.Fatal(err)
			}
			pass(60e9)
			return d.reasons(name)
		}
		if got := remove("base"); !strings.HasSuffix(got, "Export net cannot be deleted as it is in use by user") || d.service.Stacks()[0].Status != "UPDATE_ROLLBACK_COMPLETE" {
			t.Error(got, d.service.Stacks()[0].Status)
		}
		remove("user")
		remove("base")
		if d.service.Stacks()[0].Status != "DELETE_COMPLETE" {
			t.Error(d.service.Stacks()[0])
		}
	})
}

// reasons are all that the events of a stack give as reasons.
func (d *desk) reasons(name string) string {
	var all []string
	for _, e := range d.service.Events(name) {
		all = append(all, e.Reason)
	}
	return strings.Join(all, "\n")
}
