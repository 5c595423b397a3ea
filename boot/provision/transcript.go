package provision

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"bitbucket.org/fearless/pipes/shared/console"
)

// The log is at most 8 MiB. Its beginning is kept because readers follow the
// object as it grows, its end because that is where the error stands.
const (
	maxLog  = 8 << 20
	maxTail = 192 << 10
	maxHead = maxLog - maxTail - 4<<10 // 4 KiB for the lines that say so
	maxLine = 64 << 10                 // longer lines are masked and passed on in pieces
)

// transcript is the growing log. It is line by line so that a secret is seen
// whole before it is masked.
type transcript struct {
	mu      sync.Mutex
	out     io.Writer
	secrets *console.Console // for its masks only
	partial []byte
	head    []byte
	tail    []byte
	dropped int64 // bytes that are neither in head nor in tail
	version int   // grows with head
}

func newTranscript(out io.Writer) *transcript {
	return &transcript{out: out, secrets: console.New(io.Discard, false)}
}

// mask hides a value in everything that is written from now on.
func (t *transcript) mask(value string) { t.secrets.Mask(value) }

// say adds a line of our own.
func (t *transcript) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flush()
	t.add([]byte("boot: " + fmt.Sprintf(format, args...) + "\n"))
}

// Write takes output of the script.
func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.partial = append(t.partial, p...)
	end := bytes.LastIndexByte(t.partial, '\n') + 1
	if end == 0 && len(t.partial) > maxLine {
		end = len(t.partial)
	}
	if end > 0 {
		t.add(t.partial[:end])
		t.partial = append(t.partial[:0], t.partial[end:]...)
	}
	return len(p), nil
}

// flush ends a line that the script left open.
func (t *transcript) flush() {
	if len(t.partial) > 0 {
		t.add(append(t.partial, '\n'))
		t.partial = t.partial[:0]
	}
}

func (t *transcript) add(lines []byte) {
	text := []byte(t.secrets.Masker()(string(lines)))
	_, _ = t.out.Write(text) // a console that is gone must not fail the bake
	if len(t.tail) == 0 && t.dropped == 0 && len(t.head)+len(text) <= maxHead {
		t.head = append(t.head, text...)
		t.version++
		return
	}
	if len(t.tail) == 0 && t.dropped == 0 {
		t.head = append(t.head, "boot: the log is cut here, its end follows when the script has ended\n"...)
		t.version++
	}
	t.tail = append(t.tail, text...)
	if len(t.tail) > 2*maxTail { // not at every line: it moves all of it
		t.trim()
	}
}

// trim cuts the tail at a line.
func (t *transcript) trim() {
	surplus := len(t.tail) - maxTail
	if surplus <= 0 {
		return
	}
	if next := bytes.IndexByte(t.tail[surplus:], '\n'); next >= 0 {
		surplus += next + 1
	}
	t.dropped += int64(surplus)
	t.tail = append([]byte(nil), t.tail[surplus:]...)
}

// growing is what readers may see while the script runs: it only ever gets
// longer. The number changes with it.
func (t *transcript) growing() ([]byte, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.head), t.version
}

// whole is the log with its end; nothing is written after it.
func (t *transcript) whole() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flush()
	t.trim()
	text := bytes.Clone(t.head)
	if t.dropped > 0 {
		text = fmt.Appendf(text, "boot: %d bytes are left out\n", t.dropped)
	}
	return append(text, t.tail...)
}
