package tool

import (
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// mostPrinted is how many bytes of output are kept; who prints without end is ended.
	mostPrinted = 64 << 20
	// patience is how long output is waited for that something left behind keeps open.
	patience = 5 * time.Second
)

// printed is what a command prints, as two streams and as one in the order in which they
// come. The streams are read here, and not by the command's Wait, which would wait for
// whatever inherits them.
type printed struct {
	out, failed stream
	reading     sync.WaitGroup

	mu   sync.Mutex // guards what follows
	all  strings.Builder
	over bool // more than the most
}

type stream struct {
	from, in *os.File
	text     strings.Builder
}

func newPrinted() (*printed, error) {
	p := &printed{}
	for _, s := range []*stream{&p.out, &p.failed} {
		var err error
		if s.from, s.in, err = os.Pipe(); err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

// read begins, once the command has its ends.
func (p *printed) read() {
	for _, s := range []*stream{&p.out, &p.failed} {
		_ = s.in.Close() // ours; the command has its own
		p.reading.Go(func() { p.copy(s) })
	}
}

// copy reads a stream to its end. Who is not read any more is told so by the system.
func (p *printed) copy(s *stream) {
	defer s.from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := s.from.Read(buffer)
		s.text.Write(buffer[:n])
		if !p.add(buffer[:n]) || err != nil {
			return
		}
	}
}

// add tells whether there may be more.
func (p *printed) add(text []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all.Write(text)
	p.over = p.over || p.all.Len() > mostPrinted
	return !p.over
}

// end waits for the rest when the command has ended.
func (p *printed) end() {
	for _, s := range []*stream{&p.out, &p.failed} {
		_ = s.from.SetReadDeadline(time.Now().Add(patience)) // it is closed, or will be
	}
	p.reading.Wait()
}

func (p *printed) close() {
	for _, s := range []*stream{&p.out, &p.failed} {
		if s.in != nil {
			_ = s.in.Close()
			_ = s.from.Close()
		}
	}
}
