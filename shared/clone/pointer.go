package clone

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// largestPointer is the size that the LFS specification allows a pointer file.
const largestPointer = 1024

// pointer is what git holds instead of a file that Git LFS keeps.
type pointer struct {
	oid  string // SHA-256 of the content, hexadecimal
	size int64  // bytes
}

// readPointer reads a file as a pointer; ok is false when it is none.
// https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
func readPointer(f File) (p pointer, ok bool, err error) {
	r, err := f.Open()
	if err != nil {
		return pointer{}, false, err
	}
	defer func() { _ = r.Close() }()
	text, err := io.ReadAll(io.LimitReader(r, largestPointer+1))
	if err != nil {
		return pointer{}, false, err
	}
	if len(text) > largestPointer || !strings.HasPrefix(string(text), "version https://git-lfs.github.com/spec/") {
		return pointer{}, false, nil
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "oid":
			p.oid, _ = strings.CutPrefix(value, "sha256:")
		case "size":
			if p.size, err = strconv.ParseInt(value, 10, 64); err != nil {
				return pointer{}, false, fmt.Errorf("the size in the LFS pointer is no number: %w", err)
			}
		}
	}
	if len(p.oid) != 64 || strings.Trim(p.oid, "0123456789abcdef") != "" {
		return pointer{}, false, fmt.Errorf("the LFS pointer names no SHA-256")
	}
	return p, true, nil
}
