package agent_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// account plays the services that a server of a stack talks to, in their own
// protocol. It is part of a host, and guarded by its lock.
type account struct {
	groups    []scalingGroup
	target    func(group string) string // state, reason and description, separated by |
	lifecycle string                    // in the metadata service; "": not found
	living    func() ([]string, error)  // other instances of the role
	refuse    func(action string) string
	stall     string        // an action that is never answered
	delay     time.Duration // how long an upload takes
	order     []string      // what happened, one line each
	asked     []string      // actions, whatever became of them
}

// scalingGroup is a group of the stack shop-staging with this server as i-0abc.
type scalingGroup struct {
	name     string
	created  time.Time
	version  string            // of the launch template
	members  map[string]string // instance: version
	resource string            // logical id, where it is not that of the user data
}

// enroll makes the host a server of a stack whose group was created just now.
func (h *host) enroll(resource string) {
	h.userData.Stack, h.userData.Resource, h.userData.Signal = "shop-staging", resource, true
	h.groups = []scalingGroup{{name: "group-new", created: time.Now(), version: "7", members: map[string]string{"i-0abc": "7"}}}
}

func (h *host) serveLifecycle(w http.ResponseWriter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, "lifecycle")
	if h.lifecycle == "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(w, h.lifecycle)
}

// serveQuery answers what is asked as a form.
func (h *host) serveQuery(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	action := r.PostForm.Get("Action")
	if h.stall == action {
		<-r.Context().Done()
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, action)
	if h.refuse != nil {
		if code := h.refuse(action); code != "" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>not now</Message></Error><RequestId>r-%d</RequestId></ErrorResponse>", code, len(h.asked))
			return
		}
	}
	answer := ""
	switch action {
	case "SignalResource":
		h.order = append(h.order, form(r.PostForm, "Status", "StackName", "LogicalResourceId", "UniqueId"))
	case "CompleteLifecycleAction":
		h.order = append(h.order, form(r.PostForm, "LifecycleActionResult", "AutoScalingGroupName", "LifecycleHookName", "InstanceId"))
	case "DescribeAutoScalingGroups":
		answer = h.describeGroups(r.PostForm)
	case "DescribeTargetHealth":
		answer = h.describeHealth(r.PostForm)
	default:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "<ErrorResponse><Error><Code>InvalidAction</Code></Error></ErrorResponse>")
		return
	}
	fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, answer)
}

func form(f url.Values, names ...string) string {
	words := []string{f.Get("Action")}
	for _, name := range names {
		words = append(words, f.Get(name))
	}
	return strings.Join(words, " ")
}

// describeGroups answers in pages of one group.
func (h *host) describeGroups(f url.Values) string {
	filters := map[string]string{}
	for i := 1; f.Get(fmt.Sprintf("Filters.member.%d.Name", i)) != ""; i++ {
		prefix := fmt.Sprintf("Filters.member.%d.", i)
		filters[f.Get(prefix+"Name")] = f.Get(prefix + "Values.member.1")
	}
	var found []scalingGroup
	for _, g := range h.groups {
		if g.resource == "" {
			g.resource = h.userData.Resource
		}
		if filters["tag:aws:cloudformation:stack-name"] == "shop-staging" && filters["tag:aws:cloudformation:logical-id"] == g.resource {
			found = append(found, g)
		}
	}
	page := 0
	_, _ = fmt.Sscan(f.Get("NextToken"), &page)
	if page >= len(found) {
		return "<AutoScalingGroups/>"
	}
	next := ""
	if page+1 < len(found) {
		next = fmt.Sprintf("<NextToken>%d</NextToken>", page+1)
	}
	return "<AutoScalingGroups><member>" + found[page].xml() + "</member></AutoScalingGroups>" + next
}

func (g scalingGroup) xml() string {
	var b strings.Builder
	template := "<LaunchTemplate><LaunchTemplateId>lt-1</LaunchTemplateId><Version>%s</Version></LaunchTemplate>"
	fmt.Fprintf(&b, "<AutoScalingGroupName>%s</AutoScalingGroupName><CreatedTime>%s</CreatedTime>"+template+"<Instances>",
		g.name, g.created.UTC().Format(time.RFC3339), g.version)
	for id, version := range g.members {
		fmt.Fprintf(&b, "<member><InstanceId>%s</InstanceId>"+template+"</member>", id, version)
	}
	return b.String() + "</Instances>"
}

func (h *host) describeHealth(f url.Values) string {
	answer := strings.Split(h.target(f.Get("TargetGroupArn"))+"||", "|")
	return fmt.Sprintf("<TargetHealthDescriptions><member><Target><Id>%s</Id></Target><TargetHealth><State>%s</State><Reason>%s</Reason><Description>%s</Description></TargetHealth></member></TargetHealthDescriptions>",
		f.Get("Targets.member.1.Id"), answer[0], answer[1], answer[2])
}

// Living plays EC2.
func (h *host) Living(_ context.Context, stack, resource, except string) ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, "Living "+stack+" "+resource+" "+except)
	if h.living == nil {
		return nil, nil
	}
	return h.living()
}

// with changes the account while the server runs.
func (h *host) with(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

// events are those in the order of things that begin with one of the words.
func (h *host) events(words ...string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []string
	for _, e := range h.order {
		if slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(e, w) }) {
			found = append(found, e)
		}
	}
	return found
}

// calls counts how often an action was asked for.
func (h *host) calls(action string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	count := 0
	for _, a := range h.asked {
		if strings.HasPrefix(a, action) {
			count++
		}
	}
	return count
}

// note adds to the order of things.
func (h *host) note(event string) { h.with(func() { h.order = append(h.order, event) }) }
