package release

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// Template is the template that a stack has, as it was handed in.
func (o *Operator) Template(ctx context.Context, s *stack.Stack) ([]byte, error) {
	out, err := o.CFN.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &s.ID, TemplateStage: types.TemplateStageOriginal})
	if err != nil {
		return nil, exit.Unablef("the template of stack %s cannot be read: %w", s.Name, err)
	}
	return []byte(aws.ToString(out.TemplateBody)), nil
}

// RolesOf reads the roles, by name, out of the template of a stack of servers. All of it
// stands in what the template is for (the tags of groups, what they refer to, what servers
// are told), so that templates of any version of the pipes can be read. A group that is not
// understood is an error: nobody would look after it.
func RolesOf(template []byte) ([]Role, error) {
	var l layout
	if err := json.Unmarshal(template, &l); err != nil {
		return nil, exit.Unablef("the template of the servers cannot be read: %w", err)
	}
	var roles []Role
	for id, r := range l.Resources {
		if r.Type != "AWS::AutoScaling::AutoScalingGroup" {
			continue
		}
		role, err := l.role(id)
		if err != nil {
			return nil, exit.Unablef("group %s of the template of the servers cannot be understood: %w", id, err)
		}
		roles = append(roles, role)
	}
	if len(roles) == 0 {
		return nil, exit.Unablef("the template of the servers has no group of servers")
	}
	slices.SortFunc(roles, func(a, b Role) int { return cmp.Compare(a.Name, b.Name) })
	return roles, nil
}

// layout is what of a template tells of roles. CloudFormation takes numbers as texts, too.
type layout struct {
	Resources map[string]struct {
		Type         string
		UpdatePolicy struct{ AutoScalingRollingUpdate json.RawMessage }
		Properties   json.RawMessage
	}
}

// reference is {"Ref": …}.
type reference struct{ Ref string }

// properties reads those of a resource.
func (l layout) properties(id string, into any) error {
	r, there := l.Resources[id]
	if !there {
		return fmt.Errorf("there is no resource %q", id)
	}
	return json.Unmarshal(r.Properties, into)
}

func (l layout) role(id string) (Role, error) {
	var p struct {
		MinSize, MaxSize json.Number
		DesiredCapacity  reference
		LaunchTemplate   struct{ LaunchTemplateId reference }
		TargetGroupARNs  []reference
		Tags             []struct {
			Key   string
			Value any
		}
	}
	if err := l.properties(id, &p); err != nil {
		return Role{}, err
	}
	role := Role{Group: id, Capacity: p.DesiredCapacity.Ref, Singleton: l.Resources[id].UpdatePolicy.AutoScalingRollingUpdate != nil}
	for _, tag := range p.Tags {
		if name, ok := tag.Value.(string); ok && tag.Key == environment.TagRole {
			role.Name = name
		}
	}
	var notMin, notMax error
	role.Min, notMin = strconv.Atoi(p.MinSize.String())
	role.Max, notMax = strconv.Atoi(p.MaxSize.String())
	switch {
	case role.Name == "":
		return Role{}, errors.New("no tag " + environment.TagRole + " names its role")
	case role.Capacity == "":
		return Role{}, errors.New("no parameter gives its size")
	case notMin != nil || notMax != nil:
		return Role{}, fmt.Errorf("its size is no number: %w", errors.Join(notMin, notMax))
	}
	if len(p.TargetGroupARNs) > 0 {
		role.Targets = p.TargetGroupARNs[0].Ref
	}
	return role, errors.Join(l.told(&role, p.LaunchTemplate.LaunchTemplateId.Ref), l.checked(&role))
}

// told adds what the servers of a role are and are told.
func (l layout) told(role *Role, template string) error {
	var p struct {
		LaunchTemplateData struct {
			InstanceType string
			UserData     struct {
				Base64 struct {
					Sub string `json:"Fn::Sub"`
				} `json:"Fn::Base64"`
			}
		}
	}
	if err := l.properties(template, &p); err != nil {
		return err
	}
	// What CloudFormation fills in stands in texts only, so this is JSON already.
	var data contract.UserData
	if err := json.Unmarshal([]byte(p.LaunchTemplateData.UserData.Base64.Sub), &data); err != nil {
		return fmt.Errorf("the user data of its servers is not ours: %w", err)
	}
	role.Instance, role.Processes, role.Contract = p.LaunchTemplateData.InstanceType, data.Processes, data.Contract
	return nil
}

// checked adds how the balancer checks the servers of a role.
func (l layout) checked(role *Role) error {
	if role.Targets == "" {
		return nil
	}
	var p struct {
		HealthCheckPath string
		Port            json.Number
	}
	if err := l.properties(role.Targets, &p); err != nil {
		return err
	}
	role.Health = p.HealthCheckPath
	var err error
	role.Port, err = strconv.Atoi(p.Port.String())
	return err
}
