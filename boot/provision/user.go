package provision

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"bitbucket.org/fearless/pipes/shared/contract"
)

// nologin is the shell of a user who never logs in.
const nologin = "/usr/sbin/nologin"

// adders are the programs that create a user: useradd on every distribution
// that we name, adduser on small ones.
var adders = [][]string{
	{"useradd", "--system", "--user-group", "--create-home", "--home-dir", "/home/" + contract.User, "--shell", nologin, contract.User},
	{"adduser", "-S", "-D", "-h", "/home/" + contract.User, "-s", nologin, contract.User},
}

// AddUser creates the user that runs the application unless passwd, the path
// of the user database, has it already.
func AddUser(ctx context.Context, passwd string, out io.Writer) error {
	known, err := hasUser(passwd, contract.User)
	if known || err != nil {
		return err
	}
	for _, argv := range adders {
		program, err := exec.LookPath(argv[0])
		if err != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, program, argv[1:]...)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("cannot create the user %s: %s: %w", contract.User, argv[0], err)
		}
		return nil
	}
	return fmt.Errorf("cannot create the user %s: neither useradd nor adduser is installed", contract.User)
}

func hasUser(passwd, name string) (bool, error) {
	f, err := os.Open(passwd)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), name+":") {
			return true, nil
		}
	}
	return false, lines.Err()
}
