package linter

import (
	"os"
	"regexp"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// shownLines is how many lines of a tool's own words go into the log.
const shownLines = 30

// broke is the error for a tool that did not do its work. What it says goes into
// the log, the line that says most into the error.
func (r *run) broke(end ended) *exit.Error {
	text := r.words(end)
	if text == "" {
		return exit.Unablef("%s broke off with exit code %d and without a word", r.label(), end.code).
			Hint("run " + r.linter.Name + " in the clone to see what it does there")
	}
	r.Log.Output(r.label(), lastLines(text, shownLines))
	return exit.Unablef("%s broke off with exit code %d: %s", r.label(), end.code, telling(text)).
		Hint("run " + r.linter.Name + " in the clone: it breaks there in the same way")
}

// misconfigured is the error for a tool that does not accept its configuration.
func (r *run) misconfigured(end ended) *exit.Error {
	text := r.words(end)
	r.Log.Output(r.label(), lastLines(text, shownLines))
	return exit.Invalidf("%s does not accept its configuration: %s", r.linter.Name, telling(text)).
		Hint("correct the file, or the version of the tool it is written for")
}

// say shows what a tool that has done its work says beside its report: an
// unknown key in its configuration, an older language than it knows.
func (r *run) say(end ended) {
	if text := strings.TrimSpace(string(end.stderr)); text != "" {
		r.Log.Output(r.label(), lastLines(text, shownLines))
	}
}

// words are what a tool has said: on its stream for errors, or else the
// beginning of its output.
func (r *run) words(end ended) string {
	if len(end.stderr) > 0 {
		return string(end.stderr)
	}
	file, err := os.Open(end.stdout)
	if err != nil {
		return ""
	}
	defer file.Close()
	data := make([]byte, 4<<10)
	n, _ := file.Read(data)
	return strings.ToValidUTF8(strings.TrimSpace(string(data[:n])), "\uFFFD")
}

// said marks the lines in which tools name a cause, and empty marks those that
// name none.
var (
	said  = regexp.MustCompile(`(?i)(error|exception|cannot|could not|couldn't|failed|invalid|unknown|unrecogni[sz]ed|no such|not found|unexpected)`)
	empty = regexp.MustCompile(`(?i)^(\s*at .*|Traceback .*|\s*File ".*|Oops!.*|ESLint: [0-9.]+|ruff failed|usage:.*|HasCallStack.*|\s*\^+\s*|npm .*|node:.*|\(node:.*|\(Use .*|the above exception.*|during handling.*)$`)
)

// telling is the line of a text that says most about what went wrong: that of
// the exception at the end of a traceback, else the first that names a cause.
func telling(text string) string {
	lines := strings.Split(text, "\n")
	if strings.Contains(text, "Traceback (most recent call last)") {
		for i := len(lines) - 1; i >= 0; i-- {
			if line := strings.TrimSpace(lines[i]); line != "" && !strings.HasPrefix(lines[i], " ") {
				return brief(line)
			}
		}
	}
	first := ""
	for _, line := range lines {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || empty.MatchString(line) {
			continue
		}
		if said.MatchString(trimmed) {
			return brief(trimmed)
		}
		if first == "" {
			first = trimmed
		}
	}
	if first == "" {
		first = strings.TrimSpace(lines[0])
	}
	return brief(first)
}

// brief keeps an error in bounds.
func brief(line string) string {
	const limit = 300
	if r := []rune(line); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return line
}

func lastLines(text string, n int) string {
	lines := strings.Split(text, "\n")
	if len(lines) > n {
		lines = append([]string{"…"}, lines[len(lines)-n:]...)
	}
	return strings.Join(lines, "\n")
}
