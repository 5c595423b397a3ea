package process

import (
	"os"
	"syscall"
)

// writing opens a file that somebody may run soon, and closes it before a
// child of this process can inherit it: a program that is open for writing
// anywhere cannot be run ("text file busy"), and a shell that meets such a
// shutdown goes on to the host's. The lock is the one that every fork of this
// process takes.
func writing(path string, mode os.FileMode, write func(*os.File) error) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		_ = file.Close() // the first error tells more
		return err
	}
	return file.Close()
}

func writeFile(path string, data []byte, mode os.FileMode) error {
	return writing(path, mode, func(file *os.File) error {
		_, err := file.Write(data)
		return err
	})
}
