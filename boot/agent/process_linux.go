package agent

import "syscall"

// attributes also end a process when boot dies without having said goodbye:
// the next boot would find its port taken.
func attributes(credential *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: credential, Pdeathsig: syscall.SIGTERM}
}
