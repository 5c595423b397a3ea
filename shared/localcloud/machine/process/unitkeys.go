package process

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// set applies one key; known is false for keys that are not obeyed.
func (u *unit) set(section, key, value string) (known bool, err error) {
	switch section {
	case "[Unit]":
		return u.setLimit(key, value)
	case "[Service]":
		return u.setService(key, value)
	}
	return false, nil
}

// setLimit reads how often a unit may be started; the rest of [Unit] is about
// order, and here everything starts at once.
func (u *unit) setLimit(key, value string) (known bool, err error) {
	switch key {
	case "StartLimitIntervalSec":
		u.interval, err = span(value)
	case "StartLimitBurst":
		u.burst, err = strconv.Atoi(value)
	default:
		return false, nil
	}
	return true, err
}

func (u *unit) setService(key, value string) (known bool, err error) {
	switch key {
	case "Type":
		// simple and exec differ in when the unit counts as started, which
		// nothing here asks for.
		return value == "simple" || value == "exec", nil
	case "KillMode":
		u.mixed = value == "mixed"
		return u.mixed || value == "control-group", nil
	case "ExecStart":
		return true, u.setCommand(value)
	case "Environment":
		if value == "" {
			u.environment = nil
			return true, nil
		}
		assignments, err := words(value)
		u.environment = append(u.environment, assignments...)
		return true, err
	case "Restart":
		if !slices.Contains([]string{"no", "always", "on-failure"}, value) {
			return true, fmt.Errorf("%q is not known in the local cloud (no, always, on-failure)", value)
		}
		u.restart = value
		return true, nil
	case "RestartSec":
		u.pause, err = span(value)
		return true, err
	}
	return false, nil
}

func (u *unit) setCommand(value string) error {
	if value == "" {
		u.command = nil
		return nil
	}
	if u.command != nil {
		return errors.New("there is one already")
	}
	if strings.ContainsAny(value, "$%") {
		return errors.New("variables ($) and specifiers (%) are not expanded in the local cloud")
	}
	command, err := words(value)
	if err != nil {
		return err
	}
	if len(command) == 0 || !path.IsAbs(command[0]) {
		return errors.New("the program needs an absolute path, without prefixes")
	}
	u.command = command
	return nil
}

// words splits at spaces; quotes, single or double, hold a word together.
func words(line string) ([]string, error) {
	var all []string
	var word strings.Builder
	var quote rune
	inWord := false
	for _, c := range line {
		switch {
		case c == '\\':
			return nil, errors.New("backslashes are not understood in the local cloud")
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, inWord = c, true
		case quote == 0 && (c == ' ' || c == '\t'):
			if inWord {
				all = append(all, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if inWord {
		all = append(all, word.String())
	}
	return all, nil
}

// span reads a time span: seconds, or numbers with units ("1min 30s").
func span(value string) (time.Duration, error) {
	if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds >= 0 {
		return time.Duration(seconds * float64(time.Second)), nil
	}
	short := strings.NewReplacer(" ", "", "min", "m", "sec", "s").Replace(value)
	d, err := time.ParseDuration(short)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a time span", value)
	}
	return d, nil
}
