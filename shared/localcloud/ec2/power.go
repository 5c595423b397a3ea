package ec2

import (
	"net/http"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/machine"
)

// schedule sets the alarm for the power-on of a new instance. The lock is
// held.
func (s *Service) schedule(i *instance) {
	i.alarm = time.AfterFunc(s.timing.Pending, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.closed && i.state == pending {
			s.powerOn(i)
		}
	})
}

// powerOn starts the machine of an instance. The lock is held; the driver is
// called without it, because starting a process takes its time.
func (s *Service) powerOn(i *instance) {
	i.starting = true
	boot := machine.Boot{
		Instance:  i.id,
		Address:   i.address,
		FirstBoot: i.boots == 0,
		UserData:  i.launch.UserData,
		Metadata:  http.NotFoundHandler(),
		Transport: s.around.Transport,
		Region:    s.world.Region,
		Console:   &i.console,
	}
	i.boots++
	s.spawn(func() {
		if s.around.Metadata != nil {
			boot.Metadata = s.around.Metadata(Guest{service: s, instance: i})
		}
		if s.around.Endpoint != nil {
			boot.Endpoint = s.around.Endpoint()
		}
		m, err := s.machines.Start(boot)
		s.started(i, m, err)
	})
}

// started takes note of a machine that is on, or could not be switched on. An
// instance that was stopped or terminated in the meantime goes down at once.
func (s *Service) started(i *instance, m machine.Machine, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i.starting = false
	if err != nil {
		i.leave(shuttingDown, stateReason{"Server.InternalError", "Server.InternalError: " + err.Error()}, "Server.InternalError")
		s.off(i)
		return
	}
	i.machine, i.ran = m, true
	if i.state == pending {
		i.state = running
	}
	i.console.post()
	s.spawn(func() { s.watch(i, m) })
	if i.state != running || s.closed {
		s.spawn(m.Stop)
	}
}

// watch waits for the power-off, whoever causes it.
func (s *Service) watch(i *instance, m machine.Machine) {
	<-m.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if i.machine != m {
		return // captured was faster: the next machine may be on already
	}
	i.machine = nil
	i.console.post()
	if i.rebooting || s.closed {
		return
	}
	if i.state == running {
		state := stopping
		if i.launch.Shutdown == "terminate" {
			state = shuttingDown
		}
		i.leave(state, stateReason{"Client.InstanceInitiatedShutdown", "Client.InstanceInitiatedShutdown: Instance initiated shutdown"}, "")
	}
	s.off(i)
}

// off settles an instance whose machine is off and destroys the disk of one
// that is on its way out, unless an image is still being made of it. The lock
// is held.
func (s *Service) off(i *instance) {
	s.settle(i)
	if i.state != shuttingDown || i.captures > 0 || i.destroyed || s.closed {
		return
	}
	i.destroyed = true
	s.spawn(func() { s.complain(i, s.machines.Destroy(i.id)) })
}

// complain writes what could not be done for an instance to its console: the
// one place where somebody who wonders would look.
func (s *Service) complain(i *instance, err error) {
	if err != nil {
		_, _ = i.console.Write([]byte("local cloud: " + err.Error() + "\n"))
	}
}

// shutDown brings an instance to stopping or shutting-down. The lock is held.
func (s *Service) shutDown(i *instance, state string) {
	note := "User initiated (" + time.Now().UTC().Format("2006-01-02 15:04:05 MST") + ")"
	i.leave(state, stateReason{"Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"}, note)
	if i.alarm != nil {
		i.alarm.Stop()
	}
	switch {
	case i.machine != nil:
		s.spawn(i.machine.Stop)
	case i.starting, i.rebooting:
		// started and captured look at the state when they are done.
	default:
		s.off(i)
	}
}
