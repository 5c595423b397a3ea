package localcloud_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"bitbucket.org/fearless/pipes/shared/localcloud"
	played "bitbucket.org/fearless/pipes/shared/localcloud/cloudformation"
)

const network = `{
  "Parameters": {"Stored": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/shop/name"}, "Cidr": {"Type": "String", "Default": "10.0.0.0/24"}},
  "Resources": {
    "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
    "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": {"Ref": "Cidr"}, "AvailabilityZone": {"Fn::Select": [0, {"Fn::GetAZs": ""}]}}},
    "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}},
    "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"GenerateSecretString": {"SecretStringTemplate": "{\"user\": \"app\"}", "GenerateStringKey": "password"}}},
    "Name": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::Sub": "${Stored} in ${Subnet} {{resolve:ssm:/shop/name}}"}}},
    "Password": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::Sub": "{{resolve:secretsmanager:${Secret}:SecretString:user}}"}}}
  },
  "Outputs": {"Role": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}, "Name": {"Value": {"Fn::GetAtt": ["Name", "Value"]}}, "User": {"Value": {"Fn::GetAtt": ["Password", "Value"]}}}
}`

// A stack of the services' own resource types, from the first create to the
// last delete, through the SDK.
func TestStackOfRealTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, err := localcloud.New(localcloud.Options{Timing: localcloud.CloudLike()})
		if err != nil {
			t.Fatal(err)
		}
		defer cloud.Close()
		cloud.PutParameter("/shop/name", "shop", false)
		client := cloudformation.New(cloudformation.Options{
			Region: "us-east-1", BaseEndpoint: aws.String("http://cloud.test"), HTTPClient: &http.Client{Transport: cloud.Transport()},
			Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", ""),
		})
		deploy := func(kind, cidr string) played.Stack {
			out, err := client.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
				StackName: aws.String("shop"), ChangeSetName: aws.String("c-" + kind), ChangeSetType: types.ChangeSetType(kind), TemplateBody: aws.String(network),
				Parameters:   []types.Parameter{{ParameterKey: aws.String("Cidr"), ParameterValue: aws.String(cidr)}},
				Capabilities: []types.Capability{types.CapabilityCapabilityIam},
			})
			if err != nil {
				t.Fatal(err)
			}
			pause(time.Minute)
			if _, err := client.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{ChangeSetName: out.Id, DisableRollback: aws.Bool(false)}); err != nil {
				t.Fatal(err)
			}
			pause(10 * time.Minute)
			return cloud.Stacks()[0]
		}
		st := deploy("CREATE", "10.0.0.0/24")
		if st.Status != "CREATE_COMPLETE" || st.Outputs["Name"] != "shop in "+st.Resources["Subnet"].Physical+" shop" || st.Outputs["User"] != "app" {
			t.Fatal(st, cloud.StackEvents("shop"))
		}
		old := st.Resources["Subnet"].Physical
		// A subnet with another range replaces the first, which must not overlap.
		if st = deploy("UPDATE", "10.0.1.0/24"); st.Status != "UPDATE_COMPLETE" || st.Resources["Subnet"].Physical == old {
			t.Fatal(st, cloud.StackEvents("shop"))
		}
		if _, err := client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("shop")}); err != nil {
			t.Fatal(err)
		}
		pause(10 * time.Minute)
		if st := cloud.Stacks()[0]; st.Status != "DELETE_COMPLETE" {
			t.Error(st, cloud.StackEvents(st.ID))
		}
	})
}
