package cloudformation

import (
	"context"
	"maps"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// pageSize is how many resources or changes one answer has. AWS cuts at 1 MB,
// which is about as much. Events come in smaller pages, so that no reader of
// them gets by with the first.
const (
	pageSize  = 100
	eventPage = 20
)

type changeSetInput struct{ stack, name string }

func decodeChangeSet(p *wire.Params) changeSetInput {
	return changeSetInput{stack: p.String("StackName"), name: p.Need("ChangeSetName")}
}

// changeSet finds a change set by its ARN, or by its name and the stack. The
// lock is held.
func (s *Service) changeSet(stackName, name string) (*stack, *changeSet, error) {
	for _, st := range s.stacks {
		for _, c := range st.sets {
			if c.id == name {
				return st, c, nil
			}
		}
	}
	if strings.HasPrefix(name, "arn:") {
		return nil, nil, wire.Errorf("ChangeSetNotFound", "ChangeSet [%s] does not exist", name)
	}
	if stackName == "" {
		return nil, nil, invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
	}
	st, err := s.need(stackName)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range st.sets {
		if c.name == name {
			return st, c, nil
		}
	}
	return nil, nil, wire.Errorf("ChangeSetNotFound", "ChangeSet [%s] does not exist", name)
}

func (s *Service) deleteChangeSet(_ context.Context, _ *wire.Call, in changeSetInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, c, err := s.changeSet(in.stack, in.name)
	if err != nil {
		if !strings.HasPrefix(in.name, "arn:") {
			return nil, err
		}
		return done{}, nil
	}
	if status, execution := c.status(); status == createInProgress || execution == "EXECUTE_IN_PROGRESS" {
		return nil, wire.Errorf("InvalidChangeSetStatus", "ChangeSet [%s] cannot be deleted in its current status of [%s]", c.id, status)
	}
	st.sets = slices.DeleteFunc(st.sets, func(other *changeSet) bool { return other == c })
	return done{}, nil
}

type describeChangeInput struct {
	changeSetInput
	next   string
	values bool
}

func decodeDescribeChangeSet(p *wire.Params) describeChangeInput {
	return describeChangeInput{decodeChangeSet(p), p.String("NextToken"), p.Bool("IncludePropertyValues", false)}
}

type changeSetAnswer struct {
	ChangeSetID     string         `xml:"ChangeSetId"`
	ChangeSetName   string         `xml:"ChangeSetName"`
	ChangeSetType   string         `xml:"ChangeSetType,omitempty"`
	StackID         string         `xml:"StackId"`
	StackName       string         `xml:"StackName"`
	Description     string         `xml:"Description,omitempty"`
	CreationTime    string         `xml:"CreationTime"`
	Status          string         `xml:"Status"`
	StatusReason    string         `xml:"StatusReason,omitempty"`
	ExecutionStatus string         `xml:"ExecutionStatus"`
	OnStackFailure  string         `xml:"OnStackFailure,omitempty"`
	Capabilities    []string       `xml:"Capabilities>member"`
	Parameters      []xmlParameter `xml:"Parameters>member"`
	Tags            []xmlTag       `xml:"Tags>member"`
	Rollback        *xmlMonitoring `xml:"RollbackConfiguration,omitempty"`
	Changes         []xmlChange    `xml:"Changes>member"`
	NextToken       string         `xml:"NextToken,omitempty"`
}

type xmlChange struct {
	Type     string            `xml:"Type"`
	Resource xmlResourceChange `xml:"ResourceChange"`
}

type xmlResourceChange struct {
	Action             string      `xml:"Action"`
	LogicalResourceID  string      `xml:"LogicalResourceId"`
	PhysicalResourceID string      `xml:"PhysicalResourceId,omitempty"`
	ResourceType       string      `xml:"ResourceType"`
	Replacement        string      `xml:"Replacement,omitempty"`
	PolicyAction       string      `xml:"PolicyAction,omitempty"`
	Scope              []string    `xml:"Scope>member"`
	Details            []xmlDetail `xml:"Details>member"`
	BeforeContext      string      `xml:"BeforeContext,omitempty"`
	AfterContext       string      `xml:"AfterContext,omitempty"`
}

type xmlDetail struct {
	Target        xmlTarget `xml:"Target"`
	Evaluation    string    `xml:"Evaluation"`
	ChangeSource  string    `xml:"ChangeSource"`
	CausingEntity string    `xml:"CausingEntity,omitempty"`
}

type xmlTarget struct {
	Attribute           string `xml:"Attribute"`
	Name                string `xml:"Name,omitempty"`
	Path                string `xml:"Path,omitempty"`
	RequiresRecreation  string `xml:"RequiresRecreation,omitempty"`
	AttributeChangeType string `xml:"AttributeChangeType,omitempty"`
	BeforeValue         string `xml:"BeforeValue,omitempty"`
	AfterValue          string `xml:"AfterValue,omitempty"`
}

func (s *Service) describeChangeSet(_ context.Context, _ *wire.Call, in describeChangeInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, c, err := s.changeSet(in.stack, in.name)
	if err != nil {
		return nil, err
	}
	a := changeSetAnswer{
		ChangeSetID: c.id, ChangeSetName: c.name, StackID: st.id, StackName: st.name, Description: c.description,
		CreationTime: wire.Time(c.made), OnStackFailure: c.onFailure, Capabilities: c.plan.allowed,
		Parameters: c.plan.show(), Tags: tagsOf(c.plan.tags), Rollback: c.plan.watch.show(),
	}
	a.Status, a.ExecutionStatus = c.status()
	if a.Status == "FAILED" {
		a.StatusReason = c.reason
	}
	if a.Status != "FAILED" && a.Status != createComplete {
		return a, nil // what it changes is not known yet
	}
	numbered := make([]int, len(c.changes))
	for n := range numbered {
		numbered[n] = n
	}
	page, next, err := wire.Page(numbered, func(n int) int64 { return int64(n + 1) }, pageSize, in.next)
	if err != nil {
		return nil, err
	}
	for _, n := range page {
		a.Changes = append(a.Changes, xmlChange{"Resource", c.changes[n].show(in.values)})
	}
	a.NextToken = next
	return a, nil
}

// show is a change as answers have it, with values only if asked for.
func (c change) show(values bool) xmlResourceChange {
	x := xmlResourceChange{
		Action: c.action, LogicalResourceID: c.logical, PhysicalResourceID: c.physical, ResourceType: c.typeName,
		Replacement: c.replacement, PolicyAction: c.policy, Scope: c.scope,
	}
	if values {
		x.BeforeContext, x.AfterContext = contextOf(c.before), contextOf(c.after)
	}
	for _, d := range c.details {
		target := xmlTarget{
			Attribute: d.attribute, Name: d.name, Path: d.path, RequiresRecreation: d.recreation, AttributeChangeType: d.kind,
		}
		if values {
			target.BeforeValue, target.AfterValue = d.before, d.after
		}
		x.Details = append(x.Details, xmlDetail{target, d.evaluation, d.source, d.causing})
	}
	return x
}

type listChangesInput struct{ stack, next string }

func decodeListChangeSets(p *wire.Params) listChangesInput {
	return listChangesInput{p.Need("StackName"), p.String("NextToken")}
}

type listChangesAnswer struct {
	Summaries []changeSetSummary `xml:"Summaries>member"`
	NextToken string             `xml:"NextToken,omitempty"`
}

type changeSetSummary struct {
	ChangeSetID     string `xml:"ChangeSetId"`
	ChangeSetName   string `xml:"ChangeSetName"`
	StackID         string `xml:"StackId"`
	StackName       string `xml:"StackName"`
	Description     string `xml:"Description,omitempty"`
	CreationTime    string `xml:"CreationTime"`
	Status          string `xml:"Status"`
	StatusReason    string `xml:"StatusReason,omitempty"`
	ExecutionStatus string `xml:"ExecutionStatus"`
}

func (s *Service) listChangeSets(_ context.Context, _ *wire.Call, in listChangesInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.need(in.stack)
	if err != nil {
		return nil, err
	}
	page, next, err := wire.Page(st.sets, func(c *changeSet) int64 { return c.ordinal }, pageSize, in.next)
	if err != nil {
		return nil, err
	}
	a := listChangesAnswer{NextToken: next}
	for _, c := range page {
		x := changeSetSummary{
			ChangeSetID: c.id, ChangeSetName: c.name, StackID: st.id, StackName: st.name, Description: c.description,
			CreationTime: wire.Time(c.made),
		}
		if x.Status, x.ExecutionStatus = c.status(); x.Status == "FAILED" {
			x.StatusReason = c.reason
		}
		a.Summaries = append(a.Summaries, x)
	}
	return a, nil
}

// hiddenValue stands for the value of a NoEcho parameter.
const hiddenValue = "****"

type xmlParameter struct {
	Key      string `xml:"ParameterKey"`
	Value    string `xml:"ParameterValue"`
	Resolved string `xml:"ResolvedValue,omitempty"`
}

// show are the parameters as answers have them.
func (b *blueprint) show() []xmlParameter {
	var all []xmlParameter
	for _, name := range slices.Sorted(maps.Keys(b.texts)) {
		x := xmlParameter{Key: name, Value: b.texts[name]}
		p := b.template.parameters[name]
		if strings.HasPrefix(p.kind, storedKind) {
			x.Resolved, _ = b.parameters[name].(string)
		}
		if p.hidden {
			x.Value, x.Resolved = hiddenValue, ""
		}
		all = append(all, x)
	}
	return all
}

type xmlTag struct {
	Key   string `xml:"Key"`
	Value string `xml:"Value"`
}

func tagsOf(tags map[string]string) []xmlTag {
	var all []xmlTag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, xmlTag{key, tags[key]})
	}
	return all
}

type xmlMonitoring struct {
	Minutes  int          `xml:"MonitoringTimeInMinutes"`
	Triggers []xmlTrigger `xml:"RollbackTriggers>member"`
}

type xmlTrigger struct {
	Arn  string `xml:"Arn"`
	Type string `xml:"Type"`
}

func (m monitoring) show() *xmlMonitoring {
	x := &xmlMonitoring{Minutes: m.minutes}
	for _, t := range m.alarms {
		x.Triggers = append(x.Triggers, xmlTrigger{t.arn, t.kind})
	}
	return x
}
