package tool

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// place is one in a file of the project's, from the top of the work tree.
type place struct {
	file string
	line int
}

var (
	// python has the innermost place last: File "/clone/shop/models.py", line 3, in <module>.
	python = regexp.MustCompile(`File "([^"]+)", line (\d+)`)
	// ruby has it first: /clone/db/migrate/1_a.rb:3:in `change'.
	ruby = regexp.MustCompile(`(?m)^\s*(?:from )?(\S+\.rb):(\d+):in `)
)

// places are where the project's own code was when a program failed, the innermost one
// last.
func places(dir, text string) []place {
	found := python.FindAllStringSubmatch(text, -1)
	calls := ruby.FindAllStringSubmatch(text, -1)
	for i := range calls {
		found = append(found, calls[len(calls)-1-i])
	}
	var all []place
	for _, m := range found {
		name := m[1]
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		line, err := strconv.Atoi(m[2])
		if inside, ok := below(dir, name); ok && err == nil && !strings.Contains(inside, "site-packages/") && !strings.HasPrefix(m[1], "<") {
			all = append(all, place{inside, line})
		}
	}
	return all
}

// where is the innermost place, such as " (shop/models.py:3)". The script that starts the
// program is none: everything comes from there.
func where(dir, text string) string {
	all := places(dir, text)
	if len(all) == 0 || filepath.Base(all[len(all)-1].file) == "manage.py" {
		return ""
	}
	last := all[len(all)-1]
	return fmt.Sprintf(" (%s:%d)", last.file, last.line)
}

// lineIn is the innermost place in one file; 0 is that there is none.
func lineIn(dir, text, file string) int {
	line := 0
	for _, p := range places(dir, text) {
		if p.file == file {
			line = p.line
		}
	}
	return line
}
