package process

import "syscall"

// attributes gives a process a session of its own, which is a process group
// too. That it dies with the cloud is left to the guardian here.
func attributes(credential *syscall.Credential, _ bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Credential: credential}
}
