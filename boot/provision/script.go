package provision

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
)

// ScriptCall is one program to be run.
type ScriptCall struct {
	Argv    []string // program and arguments, absolute
	Dir     string
	Environ []string
	Out     io.Writer // takes standard output and standard error
}

// command is how a script is called: directly when it is executable, through
// the interpreter its first line names, and else by sh.
func command(script string) ([]string, error) {
	info, err := os.Stat(script)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	line, err := firstLine(script)
	if err != nil {
		return nil, err
	}
	interpreter, named := strings.CutPrefix(line, "#!")
	switch {
	case strings.HasSuffix(line, "\r"):
		// The system would look for an interpreter called "sh\r".
		return nil, errors.New("its lines end the Windows way (CRLF), save it with LF")
	case info.Mode()&0o111 != 0 && (named || strings.HasPrefix(line, "\x7fELF")):
		return []string{script}, nil
	case named && strings.TrimSpace(interpreter) != "":
		// Like the system, everything after the first blank is one argument.
		program, argument, _ := strings.Cut(strings.TrimSpace(interpreter), " ")
		if argument = strings.TrimSpace(argument); argument != "" {
			return []string{program, argument, script}, nil
		}
		return []string{program, script}, nil
	}
	return []string{"/bin/sh", script}, nil
}

func firstLine(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	start := make([]byte, 256) // what Linux looks at, too
	n, err := io.ReadFull(f, start)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", err
	}
	line, _, _ := bytes.Cut(start[:n], []byte("\n"))
	return string(line), nil
}
