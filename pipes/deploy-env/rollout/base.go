package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/release"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// base brings the base stack to the file and returns its outputs. It changes rarely:
// mostly there is nothing to do.
func (d *deployer) base(ctx context.Context) (map[string]string, error) {
	template := d.file.Base()
	if err := template.Resolve(d.output(ctx)); err != nil {
		return nil, exit.Invalidf("%s refers to what is not there: %w", d.file.Path, err)
	}
	template.Set(environment.Boundary, d.made.boundary)
	now, _, err := d.op.Settle(ctx, d.file.BaseStack(), "")
	if err != nil {
		return nil, unable(err)
	}
	if now == nil {
		// What is protected against deletion could not be taken back if the first create
		// failed; a second, small update protects it.
		template.Set(environment.Protect, "false")
	}
	p, target, err := d.proposal(d.file.BaseStack(), template)
	if err != nil {
		return nil, err
	}
	p.Exists, p.Capabilities = now != nil, []types.Capability{types.CapabilityCapabilityIam}
	changed, err := d.propose(ctx, p)
	if err != nil {
		return nil, err
	}
	d.foresee("Base", p.Stack, changed.Changes)
	if changed.Empty {
		d.rt.Console.Info("Base %s is as the file says", p.Stack)
		return now.Outputs, nil
	}
	d.rt.Console.Heading("Base %s", p.Stack)
	d.print(changed.Changes)
	if names := interrupting(changed.Changes, d.s.AllowReplace); now != nil && len(names) > 0 {
		if err := stack.Discard(ctx, d.op.CFN, changed); err != nil {
			return nil, unable(err)
		}
		return nil, exit.Refusedf("the change of %s would replace or remove what servers depend on: %s", p.Stack, strings.Join(names, ", ")).
			Hint("if that is what you want: ALLOW_REPLACE: '" + strings.Join(names, ",") + "'")
	}
	if d.s.Action == ActionPreview {
		return d.previewBase(ctx, now, changed)
	}
	ended, err := d.op.Apply(ctx, now, changed, target, 0, release.Release{})
	if err != nil {
		return nil, err
	}
	if !ended.Good() {
		return nil, exit.Refusedf("the base %s could not be brought to the file: %s", p.Stack, ended.Why())
	}
	if now == nil && d.file.Protected {
		return d.base(ctx)
	}
	d.rt.Console.Success("Base %s is as the file says", p.Stack)
	return ended.Stack.Outputs, nil
}

// previewBase leaves the base as it is. Without one there are no outputs.
func (d *deployer) previewBase(ctx context.Context, now *stack.Stack, changed *stack.ChangeSet) (map[string]string, error) {
	if err := d.discard(ctx, changed); err != nil || now == nil {
		return nil, err
	}
	return now.Outputs, nil
}

// output finds an output of somebody's stack.
func (d *deployer) output(ctx context.Context) func(name, output string) (string, error) {
	known := map[string]*stack.Stack{}
	return func(name, output string) (string, error) {
		if _, ok := known[name]; !ok {
			s, err := stack.Describe(ctx, d.op.CFN, name)
			if err != nil {
				return "", err
			}
			known[name] = s
		}
		switch s := known[name]; {
		case s == nil:
			return "", fmt.Errorf("there is no stack %s", name)
		case s.Outputs[output] == "":
			return "", fmt.Errorf("stack %s has no output %s", name, output)
		default:
			return s.Outputs[output], nil
		}
	}
}

// proposal puts a template into the words of package stack, and names its target.
func (d *deployer) proposal(name string, template *environment.Template) (stack.Proposal, string, error) {
	text, err := template.JSON()
	if err != nil {
		return stack.Proposal{}, "", exit.Unablef("%w", err)
	}
	values := template.Values()
	delete(values, environment.ParameterRun) // depends on what ran before, which the target does not
	for _, role := range d.file.Roles {
		delete(values, role.Capacity()) // sizes that scaling changes are no other target
	}
	all, err := json.Marshal(values)
	if err != nil {
		return stack.Proposal{}, "", exit.Unablef("%w", err)
	}
	target := release.Digest(name, string(text), string(all))
	return stack.Proposal{
		Stack: name, Name: d.op.ProposalName(target), Body: string(text), Parameters: template.Values(),
		Tags: d.file.Tags(), Role: d.serviceRole(name),
	}, target, nil
}
