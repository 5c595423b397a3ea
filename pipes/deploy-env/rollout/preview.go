package rollout

import (
	"context"
	"encoding/json"
	"fmt"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// sketch is the change set of a stack that is not there: everything is new. A real one
// would leave an empty stack behind, which whoever may only preview cannot delete.
func sketch(p stack.Proposal) (*stack.ChangeSet, error) {
	var template struct {
		Resources map[string]struct{ Type, Condition string }
	}
	if err := json.Unmarshal([]byte(p.Body), &template); err != nil {
		return nil, exit.Unablef("the template of %s cannot be read: %w", p.Stack, err)
	}
	changed := &stack.ChangeSet{Stack: p.Stack}
	for id, r := range template.Resources {
		switch {
		case r.Condition == environment.ConditionRelease && p.Parameters[environment.ParameterRun] != "true":
		case r.Condition != "" && r.Condition != environment.ConditionRelease:
			return nil, exit.Unablef("%s has a condition that is not known: %s", id, r.Condition)
		default:
			changed.Changes = append(changed.Changes, stack.Change{Action: "Add", LogicalID: id, Type: r.Type})
		}
	}
	return changed, nil
}

// discard removes the change set of a preview. That of a stack that is not there was
// never made.
func (d *deployer) discard(ctx context.Context, changed *stack.ChangeSet) error {
	if changed.ID == "" {
		return nil
	}
	if err := stack.Discard(ctx, d.op.CFN, changed); err != nil {
		return unable(fmt.Errorf("the preview leaves something behind: %w", err))
	}
	return nil
}
