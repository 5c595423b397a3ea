package agent

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"bitbucket.org/fearless/pipes/shared/console"
)

// The tail is what a pipe shows when a server does not become ready: 256 KB
// are some thousand lines.
const (
	tailSize = 256 << 10
	maxLine  = 16 << 10 // longer lines are passed on in pieces
)

// journal takes the lines of all processes and of boot. They go to standard
// output, that is to the system's journal, as they are; the tail also has the
// time, and hides the secrets among the settings, because it leaves the server.
type journal struct {
	mu      sync.Mutex
	out     io.Writer
	secrets *console.Console // for its masks only
	tail    []byte
	version int
}

func newJournal(out io.Writer) *journal {
	return &journal{out: out, secrets: console.New(io.Discard, false)}
}

func (j *journal) mask(value string) { j.secrets.Mask(value) }

// say adds a line of boot's own.
func (j *journal) say(format string, args ...any) {
	j.line("boot", fmt.Appendf(nil, format, args...))
}

// process is where a process writes to; every line gets its name.
func (j *journal) process(name string) io.Writer { return &lines{journal: j, name: name} }

func (j *journal) line(name string, text []byte) {
	line := make([]byte, 0, len(name)+len(text)+3)
	line = append(append(append(append(line, name...), ": "...), text...), '\n')
	j.mu.Lock()
	defer j.mu.Unlock()
	_, _ = j.out.Write(line) // a journal that is gone must not end the processes
	j.tail = time.Now().UTC().AppendFormat(j.tail, "15:04:05 ")
	j.tail = append(j.tail, line...)
	j.version++
	if len(j.tail) > 2*tailSize {
		j.tail = append([]byte(nil), lastLines(j.tail)...)
	}
}

// recent is the tail with its secrets hidden. The number changes with it.
func (j *journal) recent() (string, int) {
	j.mu.Lock()
	text, version := string(lastLines(j.tail)), j.version
	j.mu.Unlock()
	return j.secrets.Masker()(text), version
}

// lastLines are the whole lines among the last tailSize bytes.
func lastLines(text []byte) []byte {
	if len(text) <= tailSize {
		return text
	}
	text = text[len(text)-tailSize:]
	return text[bytes.IndexByte(text, '\n')+1:]
}

// lines cuts a stream into lines.
type lines struct {
	journal *journal
	name    string
	partial []byte
}

// Write is called by one goroutine at a time.
func (l *lines) Write(p []byte) (int, error) {
	l.partial = append(l.partial, p...)
	for {
		end := bytes.IndexByte(l.partial, '\n')
		if end < 0 && len(l.partial) < maxLine {
			return len(p), nil
		}
		rest := end + 1
		if end < 0 || end > maxLine {
			end, rest = maxLine, maxLine
		}
		l.journal.line(l.name, bytes.TrimRight(l.partial[:end], "\r"))
		l.partial = append(l.partial[:0], l.partial[rest:]...)
	}
}

// flush passes on a last line without an end, once its writer has ended.
func flush(out io.Writer) {
	if l, ok := out.(*lines); ok && len(l.partial) > 0 {
		l.journal.line(l.name, l.partial)
		l.partial = l.partial[:0]
	}
}
