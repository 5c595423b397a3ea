package agent

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	// aliveFor is the age at which a process counts as started: what cannot
	// find its database or its port has failed by then.
	aliveFor = 20 * time.Second
	// commandBound ends one try of the ready command.
	commandBound = 10 * time.Second

	pollSoon  = time.Second     // until the server is ready
	pollLater = 5 * time.Second // from then on
)

// condition is one thing that must hold for the server to be ready. It returns
// why it does not hold, or "". The texts stay the same while nothing changes,
// because every change is logged.
type condition func(context.Context) string

// watch asks the conditions in order, again and again.
type watch struct {
	staff      *staff
	reports    *reports
	ballot     *ballot
	conditions []condition
}

func (w *watch) run(ctx context.Context) {
	w.staff.tried.Wait() // else the first report is that nothing runs yet
	for {
		hopeless := w.staff.hopeless()
		reason := hopeless
		if reason == "" {
			reason = w.ask(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		w.reports.set(reason == "", reason, w.staff.states())
		w.ballot.turn(ctx, reason == "", hopeless)
		pause := pollLater
		if reason != "" {
			pause = pollSoon
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// ask returns the reason of the first condition that does not hold.
func (w *watch) ask(ctx context.Context) string {
	for _, holds := range w.conditions {
		if reason := holds(ctx); reason != "" {
			return reason
		}
	}
	return ""
}

// conditions are: the processes run, the health path answers, the load balancer
// agrees, and then the ready command. Without one, age takes its place for all
// processes that no load balancer vouches for.
func (a *agent) conditions(staff *staff, calls map[string]Call) []condition {
	list := []condition{staff.running}
	web, ok := calls["web"]
	if ok && a.userData.HealthPath != "" {
		list = append(list, newHealth(a.HTTP, a.address, web.Port, a.userData.HealthPath).ask)
	}
	vouched := ""
	if len(a.userData.TargetGroups) > 0 {
		vouched = "web"
		list = append(list, (&balancer{
			api: a.cloud.Balancer, instance: a.instance, groups: a.userData.TargetGroups, path: a.userData.HealthPath, port: web.Port,
		}).ask)
	}
	if a.userData.Ready == "" {
		return append(list, staff.aged(vouched))
	}
	command := staff.members[0].call
	command.Shell = a.userData.Ready
	return append(list, (&readyCommand{start: a.Start, call: command, staff: staff}).ask)
}

// running holds while every process does.
func (s *staff) running(context.Context) string {
	for _, m := range s.members {
		if state, _ := m.now(); !state.Running {
			return fmt.Sprintf("%s ended: %s", state.Type, state.Exit)
		}
	}
	return ""
}

// aged holds when every process but one has been running for aliveFor.
func (s *staff) aged(except string) condition {
	return func(context.Context) string {
		for _, m := range s.members {
			if state, started := m.now(); state.Type != except && time.Since(started) < aliveFor {
				return fmt.Sprintf("%s has been running for less than %s", state.Type, aliveFor)
			}
		}
		return ""
	}
}

// hopeless names the process that ends again and again, "" while there is none.
func (s *staff) hopeless() string {
	for _, m := range s.members {
		m.mu.Lock()
		state, short, started := m.state, m.short, m.started
		m.mu.Unlock()
		if short >= hopelessAfter && (!state.Running || time.Since(started) < steady) {
			return fmt.Sprintf("%s ends again and again: %s", state.Type, state.Exit)
		}
	}
	return ""
}

// restarts counts those of all processes.
func (s *staff) restarts() int {
	count := 0
	for _, state := range s.states() {
		count += state.Restarts
	}
	return count
}

// readyCommand asks the application's own command. Once it has succeeded it is
// not asked again until a process was restarted.
type readyCommand struct {
	start Starter
	call  Call
	staff *staff
	since int // restarts when it succeeded, plus one; 0: it never did
}

func (r *readyCommand) ask(ctx context.Context) string {
	restarts := r.staff.restarts() + 1
	if r.since == restarts {
		return ""
	}
	var said bytes.Buffer
	r.call.Out = &said
	process, err := r.start(r.call)
	if err != nil {
		return "the ready command cannot be started: " + err.Error()
	}
	life := await(process)
	select {
	case <-life.over:
		process.End(time.Second)
	case <-time.After(commandBound):
		process.End(time.Second)
		<-life.over
		return fmt.Sprintf("the ready command did not end within %s", commandBound)
	case <-ctx.Done():
		process.End(time.Second)
		<-life.over
		return "the server was told to stop"
	}
	if life.how != nil {
		return strings.TrimSuffix(fmt.Sprintf("the ready command fails: %s: %s", life.how, lastLine(said.String())), ": ")
	}
	r.since = restarts
	return ""
}

// lastLine is where programs say what is wrong.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

func onPort(port int) string {
	if port == 0 {
		return ""
	}
	return " with PORT " + strconv.Itoa(port)
}
