package cloudformation

import (
	"context"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

type pageInput struct{ stack, next string }

func decodeStackPage(p *wire.Params) pageInput {
	return pageInput{p.Need("StackName"), p.String("NextToken")}
}

func decodeDescribeStacks(p *wire.Params) pageInput {
	return pageInput{p.String("StackName"), p.String("NextToken")}
}

type stacksAnswer struct {
	Stacks    []xmlStack `xml:"Stacks>member"`
	NextToken string     `xml:"NextToken,omitempty"`
}

type xmlStack struct {
	StackID               string         `xml:"StackId"`
	StackName             string         `xml:"StackName"`
	ChangeSetID           string         `xml:"ChangeSetId,omitempty"`
	Description           string         `xml:"Description,omitempty"`
	Parameters            []xmlParameter `xml:"Parameters>member"`
	CreationTime          string         `xml:"CreationTime"`
	LastUpdatedTime       string         `xml:"LastUpdatedTime,omitempty"`
	DeletionTime          string         `xml:"DeletionTime,omitempty"`
	Rollback              *xmlMonitoring `xml:"RollbackConfiguration"`
	StackStatus           string         `xml:"StackStatus"`
	StackStatusReason     string         `xml:"StackStatusReason,omitempty"`
	DisableRollback       bool           `xml:"DisableRollback"`
	Capabilities          []string       `xml:"Capabilities>member"`
	Outputs               []xmlOutput    `xml:"Outputs>member"`
	RoleARN               string         `xml:"RoleARN,omitempty"`
	Tags                  []xmlTag       `xml:"Tags>member"`
	TerminationProtection bool           `xml:"EnableTerminationProtection"`
}

type xmlOutput struct {
	Key         string `xml:"OutputKey"`
	Value       string `xml:"OutputValue"`
	Description string `xml:"Description,omitempty"`
	ExportName  string `xml:"ExportName,omitempty"`
}

func (s *Service) describeStacks(_ context.Context, _ *wire.Call, in pageInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.stack != "" {
		st := s.find(in.stack)
		if st == nil {
			return nil, invalid("Stack with id %s does not exist", in.stack)
		}
		return stacksAnswer{Stacks: []xmlStack{st.show()}}, nil
	}
	var numbers []int
	for n, st := range s.stacks {
		if st.status != deleteComplete {
			numbers = append(numbers, n)
		}
	}
	page, next, err := wire.Page(numbers, func(n int) int64 { return int64(n + 1) }, pageSize, in.next)
	if err != nil {
		return nil, err
	}
	a := stacksAnswer{NextToken: next}
	for _, n := range page {
		a.Stacks = append(a.Stacks, s.stacks[n].show())
	}
	return a, nil
}

// show is a stack as answers have it. While an operation goes on, its
// parameters are the new ones and its outputs the old.
func (st *stack) show() xmlStack {
	x := xmlStack{
		StackID: st.id, StackName: st.name, ChangeSetID: st.changeSet, CreationTime: wire.Time(st.created),
		StackStatus: st.status, StackStatusReason: st.reason, DisableRollback: st.noRollback, RoleARN: st.role,
		Rollback: st.monitoring.show(), TerminationProtection: st.protected,
		LastUpdatedTime: moment(st.updated), DeletionTime: moment(st.deleted),
	}
	if st.live != nil {
		for _, o := range st.live.outputs {
			x.Outputs = append(x.Outputs, xmlOutput{o.key, o.value, o.description, o.export})
		}
	}
	if plan := st.shown(); plan != nil && plan.template != nil {
		x.Description, x.Parameters = plan.template.description, plan.show()
		x.Tags, x.Capabilities = tagsOf(plan.tags), plan.allowed
	}
	return x
}

// shown is the plan whose description, parameters and tags answers have, nil for none:
// that of the operation under way, else that of what lives, or lived last.
func (st *stack) shown() *blueprint {
	switch {
	case st.current != nil && st.current.shown != nil:
		return st.current.shown
	case st.live != nil:
		return st.live.plan
	}
	return st.last
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return wire.Time(t)
}

type eventsAnswer struct {
	Events    []xmlEvent `xml:"StackEvents>member"`
	NextToken string     `xml:"NextToken,omitempty"`
}

type xmlEvent struct {
	EventID              string `xml:"EventId"`
	StackID              string `xml:"StackId"`
	StackName            string `xml:"StackName"`
	LogicalResourceID    string `xml:"LogicalResourceId"`
	PhysicalResourceID   string `xml:"PhysicalResourceId"`
	ResourceType         string `xml:"ResourceType"`
	Timestamp            string `xml:"Timestamp"`
	ResourceStatus       string `xml:"ResourceStatus"`
	ResourceStatusReason string `xml:"ResourceStatusReason,omitempty"`
	ClientRequestToken   string `xml:"ClientRequestToken,omitempty"`
}

// describeStackEvents lists the newest first. A page's token names its last
// event, so that events that come in the meantime shift nothing.
func (s *Service) describeStackEvents(_ context.Context, _ *wire.Call, in pageInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.need(in.stack)
	if err != nil {
		return nil, err
	}
	newest := make([]event, 0, len(st.events))
	for n := len(st.events) - 1; n >= 0; n-- {
		newest = append(newest, st.events[n])
	}
	page, next, err := wire.Page(newest, func(e event) int64 { return -e.ordinal }, eventPage, in.next)
	if err != nil {
		return nil, err
	}
	a := eventsAnswer{NextToken: next}
	for _, e := range page {
		a.Events = append(a.Events, xmlEvent{
			EventID: e.id, StackID: st.id, StackName: st.name, LogicalResourceID: e.logical, PhysicalResourceID: e.physical,
			ResourceType: e.typeName, Timestamp: wire.Time(e.at), ResourceStatus: e.status, ResourceStatusReason: e.reason,
			ClientRequestToken: e.token,
		})
	}
	return a, nil
}

type xmlResource struct {
	StackID            string `xml:"StackId,omitempty"`
	StackName          string `xml:"StackName,omitempty"`
	LogicalResourceID  string `xml:"LogicalResourceId"`
	PhysicalResourceID string `xml:"PhysicalResourceId,omitempty"`
	ResourceType       string `xml:"ResourceType"`
	Timestamp          string `xml:"Timestamp,omitempty"`
	LastUpdated        string `xml:"LastUpdatedTimestamp,omitempty"`
	ResourceStatus     string `xml:"ResourceStatus"`
	StatusReason       string `xml:"ResourceStatusReason,omitempty"`
}

func (w row) show() xmlResource {
	return xmlResource{
		LogicalResourceID: w.logical, PhysicalResourceID: w.physical, ResourceType: w.typeName,
		ResourceStatus: w.status, StatusReason: w.reason,
	}
}

type resourcesInput struct{ stack, logical string }

func decodeStackResources(p *wire.Params) resourcesInput {
	return resourcesInput{p.Need("StackName"), p.String("LogicalResourceId")}
}

type resourcesAnswer struct {
	Resources []xmlResource `xml:"StackResources>member"`
}

// describeStackResources has no pages: it shows the first 100.
func (s *Service) describeStackResources(_ context.Context, _ *wire.Call, in resourcesInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(in.stack)
	if st == nil {
		return nil, invalid("Stack with id %s does not exist", in.stack)
	}
	var a resourcesAnswer
	for _, w := range st.sortedRows() {
		if in.logical != "" && in.logical != w.logical {
			continue
		}
		x := w.show()
		x.StackID, x.StackName, x.Timestamp = st.id, st.name, wire.Time(w.at)
		a.Resources = append(a.Resources, x)
	}
	if in.logical != "" && a.Resources == nil {
		return nil, invalid("Resource %s does not exist for stack %s", in.logical, st.name)
	}
	a.Resources = a.Resources[:min(len(a.Resources), pageSize)]
	return a, nil
}

type listResourcesAnswer struct {
	Summaries []xmlResource `xml:"StackResourceSummaries>member"`
	NextToken string        `xml:"NextToken,omitempty"`
}

func (s *Service) listStackResources(_ context.Context, _ *wire.Call, in pageInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(in.stack)
	if st == nil {
		return nil, invalid("Stack with id %s does not exist", in.stack)
	}
	rows := st.sortedRows()
	numbers := make([]int, len(rows))
	for n := range rows {
		numbers[n] = n
	}
	page, next, err := wire.Page(numbers, func(n int) int64 { return int64(n + 1) }, pageSize, in.next)
	if err != nil {
		return nil, err
	}
	a := listResourcesAnswer{NextToken: next}
	for _, n := range page {
		x := rows[n].show()
		x.LastUpdated = wire.Time(rows[n].at)
		a.Summaries = append(a.Summaries, x)
	}
	return a, nil
}

type templateInput struct{ stack, changeSet string }

func decodeGetTemplate(p *wire.Params) templateInput {
	p.OneOf("TemplateStage", "Original", "Processed") // no transforms: both are the same
	return templateInput{p.String("StackName"), p.String("ChangeSetName")}
}

type templateAnswer struct {
	Body   string   `xml:"TemplateBody"`
	Stages []string `xml:"StagesAvailable>member"`
}

func (s *Service) getTemplate(_ context.Context, _ *wire.Call, in templateInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := templateAnswer{Stages: []string{"Original", "Processed"}}
	if in.changeSet != "" {
		_, c, err := s.changeSet(in.stack, in.changeSet)
		if err != nil {
			return nil, err
		}
		a.Body = c.plan.template.text
		return a, nil
	}
	st, err := s.need(in.stack)
	if err != nil {
		return nil, err
	}
	if st.live == nil || st.live.plan.template == nil {
		return nil, invalid("Stack [%s] has no template", st.name)
	}
	a.Body = st.live.plan.template.text
	return a, nil
}
