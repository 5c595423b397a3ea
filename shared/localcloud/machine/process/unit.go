package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

const wants = "etc/systemd/system/multi-user.target.wants"

// unit is a service as far as it is obeyed here.
type unit struct {
	name        string
	command     []string
	environment []string
	restart     string        // no, always or on-failure
	pause       time.Duration // RestartSec
	burst       int           // StartLimitBurst: so many starts ...
	mixed       bool          // KillMode=mixed
	interval    time.Duration // StartLimitIntervalSec: ... in so much time; 0 is no limit
}

// enabledUnits reads the services that a disk starts at boot, and says what it
// could not read or will not obey. Links never lead out of the disk.
func enabledUnits(disk string) (units []unit, problems []string) {
	root, err := os.OpenRoot(disk)
	if err != nil {
		return nil, []string{err.Error()}
	}
	defer func() { _ = root.Close() }()
	entries, err := fs.ReadDir(root.FS(), wants)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, []string{fmt.Sprintf("units: %v", err)}
	}
	for _, entry := range entries {
		if path.Ext(entry.Name()) != ".service" {
			problems = append(problems, entry.Name()+": only services are started in the local cloud")
			continue
		}
		text, err := readLinked(root, path.Join(wants, entry.Name()))
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", entry.Name(), err))
			continue
		}
		u, notes, err := parseUnit(entry.Name(), text)
		problems = append(problems, notes...)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: not started: %v", entry.Name(), err))
			continue
		}
		units = append(units, u)
	}
	return units, problems
}

// readLinked reads a file or what it links to; an absolute target is meant
// from the disk's root.
func readLinked(root *os.Root, name string) (string, error) {
	target, err := root.Readlink(name)
	switch {
	case err != nil: // no link: the file itself
	case path.IsAbs(target):
		name = strings.TrimPrefix(path.Clean(target), "/")
	default:
		name = path.Join(path.Dir(name), target)
	}
	text, err := root.ReadFile(name)
	return string(text), err
}

// parseUnit reads the keys that are obeyed. Any other key of [Service] is
// noted, because a unit that relies on it would behave differently on AWS.
func parseUnit(name, text string) (u unit, notes []string, err error) {
	// The defaults are systemd's own.
	u = unit{name: name, restart: "no", pause: 100 * time.Millisecond, burst: 5, interval: 10 * time.Second}
	section := ""
	for number, line := range unitLines(text) {
		if strings.HasPrefix(line, "[") {
			section = line
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok {
			return u, notes, fmt.Errorf("line %d: %q is no assignment", number, line)
		}
		known, err := u.set(section, key, value)
		if err != nil {
			return u, notes, fmt.Errorf("line %d: %s: %w", number, key, err)
		}
		if !known && section == "[Service]" {
			notes = append(notes, fmt.Sprintf("%s: line %d: %s=%s has no effect in the local cloud", name, number, key, value))
		}
	}
	if len(u.command) == 0 {
		return u, notes, errors.New("it has no ExecStart")
	}
	return u, notes, nil
}

// unitLines yields lines with their numbers; comments are left out, and a
// backslash at the end joins the next line.
func unitLines(text string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		joined, first := "", 0
		for i, line := range strings.Split(text, "\n") {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
				continue
			}
			if joined == "" {
				first = i + 1
			}
			if before, more := strings.CutSuffix(line, `\`); more {
				joined += before + " "
				continue
			}
			joined += line
			if joined != "" && !yield(first, joined) {
				return
			}
			joined = ""
		}
		if joined != "" {
			yield(first, joined)
		}
	}
}
