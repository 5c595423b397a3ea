// Package console writes the log of a pipe: one stream, the look of the
// official pipes, secrets masked in the writer.
//
// Colours are always on: Bitbucket shows them although there is no terminal.
// Every message is one write, so lines of concurrent callers never mix.
package console

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// SGR sequences, the only control sequences that reach the log.
const (
	blue   = "\x1b[34m"
	yellow = "\x1b[33m"
	green  = "\x1b[32m"
	red    = "\x1b[31m"
	grey   = "\x1b[90m"
	bold   = "\x1b[1m"
	reset  = "\x1b[0m"
)

// Console is safe for concurrent use.
type Console struct {
	mu    sync.Mutex
	w     io.Writer
	debug bool
	masks *masks
}

// New writes to w; debug lets Debug lines through.
func New(w io.Writer, debug bool) *Console {
	return &Console{w: w, debug: debug, masks: &masks{}}
}

// Info says what is being done.
func (c *Console) Info(format string, args ...any) {
	c.labelled(blue, "INFO: ", fmt.Sprintf(format, args...))
}

// Warn says what is not as it should be, but does not stop us.
func (c *Console) Warn(format string, args ...any) {
	c.labelled(yellow, "WARNING: ", fmt.Sprintf(format, args...))
}

// Debug says what only the pipe's developers need; DEBUG shows it.
func (c *Console) Debug(format string, args ...any) {
	if c.debug {
		c.labelled(grey, "DEBUG: ", fmt.Sprintf(format, args...))
	}
}

// Success says what has been achieved.
func (c *Console) Success(format string, args ...any) {
	c.marked(green, "✔ ", fmt.Sprintf(format, args...))
}

// Fail says what has not.
func (c *Console) Fail(format string, args ...any) {
	c.marked(red, "✖ ", fmt.Sprintf(format, args...))
}

// Heading starts a new part of the log.
func (c *Console) Heading(format string, args ...any) {
	first, rest := cut(c.clean(fmt.Sprintf(format, args...)))
	c.write("\n" + bold + first + reset + "\n" + indented("", rest))
}

// Plain writes lines as they are, for tables and plans.
func (c *Console) Plain(format string, args ...any) {
	c.write(c.clean(fmt.Sprintf(format, args...)) + "\n")
}

// Output shows text of another machine or program, line by line behind a
// label. Of its control sequences only colours stay, and of a progress bar
// that overwrites itself only what would be left to see.
//
// A last line without its end is written as it is: who reads a stream keeps
// it until the rest arrives. That matters for secrets, too, since a value
// that is split over two calls is not recognised.
func (c *Console) Output(label, text string) {
	text = strings.TrimSuffix(text, "\n")
	if text == "" {
		return
	}
	prefix := "  "
	if label != "" {
		prefix += grey + c.clean(label) + " |" + reset + " "
	}
	var b strings.Builder
	for line := range strings.SplitSeq(c.clean(text), "\n") {
		b.WriteString(strings.TrimRight(prefix+line, " "))
		if strings.Contains(line, "\x1b[") {
			b.WriteString(reset)
		}
		b.WriteByte('\n')
	}
	c.write(b.String())
}

// labelled colours the label only: what follows may be long.
func (c *Console) labelled(colour, label, text string) {
	first, rest := cut(c.clean(text))
	c.write(colour + label + reset + first + "\n" + indented("  ", rest))
}

// marked colours the first line, since a verdict is looked for.
func (c *Console) marked(colour, mark, text string) {
	first, rest := cut(c.clean(text))
	c.write(colour + mark + first + reset + "\n" + indented("  ", rest))
}

// clean is what every text goes through: control sequences first, because
// taking one out may put a secret together.
func (c *Console) clean(text string) string {
	return c.masks.apply(sanitize(strings.TrimRight(text, "\n")))
}

func (c *Console) write(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// A log that cannot be written must not stop the work it tells of.
	_, _ = io.WriteString(c.w, text)
}

func cut(text string) (first, rest string) {
	first, rest, _ = strings.Cut(text, "\n")
	return first, rest
}

func indented(by, text string) string {
	if text == "" {
		return ""
	}
	return by + strings.ReplaceAll(text, "\n", "\n"+by) + "\n"
}
