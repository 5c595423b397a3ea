package finding

import (
	"fmt"
	"slices"
	"strings"
)

// SGR sequences of the log.
const (
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	blue   = "\x1b[34m"
	grey   = "\x1b[90m"
	bold   = "\x1b[1m"
	reset  = "\x1b[0m"
)

// Lengths in the log, in columns of a terminal. A line of generated code may
// be a megabyte long, and what is worth seeing is around the finding.
const (
	widestSource  = 150
	widestMessage = 1000
)

// Log is where findings are printed: a console.
type Log interface {
	Plain(format string, args ...any)
}

// Print writes findings grouped by file, in the order of Sort, each with its
// line of source and a caret below its column. What is not text in them is
// shown as what it is, and does nothing to the log.
func Print(log Log, findings []Finding) {
	sorted := slices.Clone(findings)
	Sort(sorted)
	for len(sorted) > 0 {
		file := sorted[0].File
		end := slices.IndexFunc(sorted, func(f Finding) bool { return f.File != file })
		if end < 0 {
			end = len(sorted)
		}
		log.Plain("%s", group(sorted[:end]))
		sorted = sorted[end:]
	}
}

// group is the text about one file.
func group(findings []Finding) string {
	width := 0
	for _, f := range findings {
		width = max(width, len(position(f)))
	}
	name := visible(findings[0].File)
	if name == "" {
		name = "the change as a whole"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s%s: %s\n", bold, name, reset, Counted(findings))
	for _, f := range findings {
		write(&b, f, width)
	}
	return b.String()
}

// position is the place within the file.
func position(f Finding) string {
	switch {
	case f.Line <= 0:
		return ""
	case f.Column <= 0:
		return fmt.Sprint(f.Line)
	}
	return fmt.Sprintf("%d:%d", f.Line, f.Column)
}

// write is one finding: what, the line of source, why, where to read on.
func write(b *strings.Builder, f Finding, width int) {
	message, more, _ := strings.Cut(f.said(), "\n")
	fmt.Fprintf(b, "  %-*s", width, position(f))
	if width > 0 {
		b.WriteString("  ")
	}
	fmt.Fprintf(b, "%s%s%s  %s", colour(f.Severity), f.Severity, reset, shortened(visible(message), widestMessage))
	if id := f.ID(); id != "" {
		fmt.Fprintf(b, "  %s%s%s", grey, visible(id), reset)
	}
	b.WriteByte('\n')

	const indent = "      "
	if strings.TrimSpace(f.Source) != "" {
		line, caret := excerpt(f.Source, f.Column-1, widestSource)
		fmt.Fprintf(b, "%s%s| %s%s\n", indent, grey, reset, line)
		if caret >= 0 {
			fmt.Fprintf(b, "%s%s| %s%s%s^%s\n", indent, grey, reset, strings.Repeat(" ", caret), colour(f.Severity), reset)
		}
	}
	for _, text := range []string{more, f.Detail, f.URL} {
		for line := range strings.Lines(strings.TrimSpace(text)) {
			if line = strings.TrimRight(line, " \t\r\n"); line != "" {
				fmt.Fprintf(b, "%s%s\n", indent, shortened(visible(line), widestMessage))
			}
		}
	}
}

func colour(s Severity) string {
	switch s {
	case Error:
		return red
	case Warning:
		return yellow
	}
	return blue
}
