package operation

import (
	"net/http"
	"strings"
)

// schedulerName is the signing name of EventBridge Scheduler, the one service
// with JSON over paths that we speak to.
const schedulerName = "scheduler"

// schedulerActions names its operations by method and path.
var schedulerActions = map[string]string{
	"GET /schedules":           "ListSchedules",
	"POST /schedules/{Name}":   "CreateSchedule",
	"GET /schedules/{Name}":    "GetSchedule",
	"PUT /schedules/{Name}":    "UpdateSchedule",
	"DELETE /schedules/{Name}": "DeleteSchedule",
}

// restJSON names an operation by method and path. The parameters of both path
// and query are the form; an unknown operation is named as it was asked for.
func (o *Operation) restJSON(r *http.Request) {
	o.Protocol, o.Form = RESTJSON, r.URL.Query()
	collection, name, one := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	asked := r.Method + " /" + collection
	if one {
		asked += "/{Name}"
		o.Form.Set("Name", name)
	}
	if o.Action = schedulerActions[asked]; o.Action == "" {
		o.Action = r.Method + " " + r.URL.Path
	}
}
