package cloudformation

import (
	"maps"
	"slices"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
)

// The states of stacks.
const (
	reviewInProgress         = "REVIEW_IN_PROGRESS"
	createInProgress         = "CREATE_IN_PROGRESS"
	createComplete           = "CREATE_COMPLETE"
	createFailed             = "CREATE_FAILED"
	rollbackInProgress       = "ROLLBACK_IN_PROGRESS"
	rollbackComplete         = "ROLLBACK_COMPLETE"
	rollbackFailed           = "ROLLBACK_FAILED"
	updateInProgress         = "UPDATE_IN_PROGRESS"
	updateCleanup            = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
	updateComplete           = "UPDATE_COMPLETE"
	updateFailed             = "UPDATE_FAILED"
	updateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS"
	updateRollbackCleanup    = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
	updateRollbackComplete   = "UPDATE_ROLLBACK_COMPLETE"
	updateRollbackFailed     = "UPDATE_ROLLBACK_FAILED"
	deleteInProgress         = "DELETE_IN_PROGRESS"
	deleteComplete           = "DELETE_COMPLETE"
	deleteFailed             = "DELETE_FAILED"
	deleteSkipped            = "DELETE_SKIPPED" // of resources only
	stackType                = "AWS::CloudFormation::Stack"
	creationCancelled        = "Resource creation cancelled"
	updateCancelled          = "Resource update cancelled"
	stackCancelled           = "Stack update cancelled"
)

// stack is one stack with its history.
type stack struct {
	id, name  string
	status    string
	reason    string
	created   time.Time
	updated   time.Time
	deleted   time.Time
	protected bool

	live       *deployment // nil until something was made
	last       *blueprint  // of a deleted stack: what its answers go on to have
	monitoring monitoring
	role       string
	changeSet  string // id of the one that was executed last
	noRollback bool

	rows    map[string]*row
	events  []event // oldest first
	sets    []*changeSet
	signals map[string]*signals // of resources that wait for some
	current *run                // the operation that is going on, or the one that could not be rolled back
}

// deployment is what a stack consists of.
type deployment struct {
	plan      *blueprint
	resources map[string]*live
	outputs   []outputValue
}

// live is a resource that exists.
type live struct {
	item       *item
	physical   string
	properties resource.Properties
	attributes map[string]any
	tags       map[string]string
}

type outputValue struct{ key, value, description, export string }

// row is what is said about one logical id.
type row struct {
	logical, physical, typeName string
	status, reason              string
	at                          time.Time
}

// event is one line of a stack's history.
type event struct {
	row
	id      string
	token   string
	ordinal int64
}

// monitoring is a RollbackConfiguration.
type monitoring struct {
	minutes int
	alarms  []trigger
}

type trigger struct{ arn, kind string }

// busy tells whether an operation is going on.
func (st *stack) busy() bool {
	return st.status != reviewInProgress && strings.HasSuffix(st.status, "_IN_PROGRESS")
}

// nudge lets the stack's operation look at the world at once. The lock is held.
func (st *stack) nudge() {
	if st.current != nil {
		select {
		case st.current.wake <- struct{}{}:
		default:
		}
	}
}

// record adds an event. The lock is held.
func (s *Service) record(st *stack, r row, token string) {
	r.at = time.Now()
	st.events = append(st.events, event{row: r, id: s.world.UUID("event"), token: token, ordinal: s.next()})
}

// turn changes a stack's state. The lock is held.
func (s *Service) turn(st *stack, status, reason, token string) {
	st.status, st.reason = status, reason
	s.record(st, row{logical: st.name, physical: st.id, typeName: stackType, status: status, reason: reason}, token)
}

// sortedRows are the rows by logical id.
func (st *stack) sortedRows() []row {
	var rows []row
	for _, name := range slices.Sorted(maps.Keys(st.rows)) {
		rows = append(rows, *st.rows[name])
	}
	return rows
}
