package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// nobody is the user and group that owns nothing, on every Linux. It has a
// name, which some programs insist on.
const nobody = 65534

// user is whom guests run as when the cloud is root. A nil *user means: as
// whoever runs the cloud.
type user struct{ uid, gid int }

// guestUser decides whom guests run as. A provision script expects to be root
// on a server of its own; as root on somebody's computer it would provision
// that. In a container root may run the cloud, but guests are still nobody.
func guestUser(uid int, contained bool) (*user, error) {
	switch {
	case uid != 0:
		return nil, nil
	case !contained:
		return nil, errors.New("the local cloud refuses to run as root outside of a container: run it as an ordinary user")
	}
	return &user{nobody, nobody}, nil
}

func (u *user) credential() *syscall.Credential {
	if u == nil {
		return nil
	}
	return &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.gid)} // no other groups
}

func (u *user) own(path string) error {
	if u == nil {
		return nil
	}
	return os.Lchown(path, u.uid, u.gid)
}

func (u *user) ownTree(root string) error {
	if u == nil {
		return nil
	}
	return filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return u.own(path)
	})
}

// reaches checks that the user may enter every folder on the way to path.
func (u *user) reaches(path string) error {
	if u == nil {
		return nil
	}
	for dir := path; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("guests run as user %d and cannot enter %s (mode %04o)", u.uid, dir, info.Mode().Perm())
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}
