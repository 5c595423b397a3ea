package process

import (
	"bytes"
	"io"
)

// replacer writes bytes on with every occurrence of a path exchanged.
//
// On a real server an application always stands in /opt/app. Here the disk is
// another directory for every server, and tools write their full path into
// files: a Python virtualenv into each of its scripts, for one. Without the
// exchange, a baked image would run only where it was baked, or worse, use the
// build server's files. Old and new have equal length where binaries could be
// hit; compressed files are not seen through.
type replacer struct {
	to       io.Writer
	old, new []byte
	pending  []byte // may be the beginning of old
}

func newReplacer(to io.Writer, old, new string) *replacer {
	return &replacer{to: to, old: []byte(old), new: []byte(new)}
}

func (r *replacer) Write(p []byte) (int, error) {
	data := append(r.pending, p...)
	for {
		before, after, found := bytes.Cut(data, r.old)
		if !found {
			break
		}
		if err := r.pass(before, r.new); err != nil {
			return 0, err
		}
		data = after
	}
	keep := r.overlap(data)
	if err := r.pass(data[:len(data)-keep]); err != nil {
		return 0, err
	}
	r.pending = bytes.Clone(data[len(data)-keep:])
	return len(p), nil
}

// overlap is how many bytes at the end of data could begin an occurrence.
func (r *replacer) overlap(data []byte) int {
	for n := min(len(r.old)-1, len(data)); n > 0; n-- {
		if bytes.HasPrefix(r.old, data[len(data)-n:]) {
			return n
		}
	}
	return 0
}

func (r *replacer) pass(parts ...[]byte) error {
	for _, part := range parts {
		if _, err := r.to.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// flush writes what turned out to be no beginning.
func (r *replacer) flush() error {
	rest := r.pending
	r.pending = nil
	return r.pass(rest)
}
