package scratch

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// User is who runs a server that must not run as root: the first of these users that this
// machine has, and nil, which is whoever we are, where we are not root. It is false when
// there is none.
func User(names ...string) (who *syscall.Credential, found bool) {
	if os.Geteuid() != 0 {
		return nil, true
	}
	for _, name := range names {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, wrongUID := strconv.ParseUint(account.Uid, 10, 32)
		gid, wrongGID := strconv.ParseUint(account.Gid, 10, 32)
		if wrongUID == nil && wrongGID == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, true
		}
	}
	return nil, false
}
