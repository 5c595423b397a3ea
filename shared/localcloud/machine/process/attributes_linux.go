package process

import "syscall"

// attributes gives a process a session of its own, which is a process group
// too, and lets it die with the cloud.
func attributes(credential *syscall.Credential, outlive bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true, Credential: credential}
	if !outlive {
		attr.Pdeathsig = syscall.SIGKILL
	}
	return attr
}
