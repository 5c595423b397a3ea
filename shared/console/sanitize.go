package console

import (
	"regexp"
	"strings"
	"sync"
)

// sequences are the terminal control sequences other programs write: CSI
// (colours, cursor), OSC (titles, links; ended by BEL or ST) and two-letter
// ones. The expression is compiled at its first use: start-up is counted.
var sequences = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\\\)?|\x1b[ -/]*[0-~]?")
})

// sanitize removes control characters and sequences other than SGR, and
// carries out carriage returns.
func sanitize(text string) string {
	if strings.IndexFunc(text, isControl) < 0 {
		return text
	}
	text = sequences().ReplaceAllStringFunc(text, func(s string) string {
		if isSGR(s) {
			return s
		}
		return ""
	})
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if strings.Contains(text, "\r") {
		text = overwritten(text)
	}
	return strings.Map(func(r rune) rune {
		if isControl(r) && r != '\x1b' {
			return -1
		}
		return r
	}, text)
}

// isSGR recognises colours and nothing else that ends in m.
func isSGR(s string) bool {
	return strings.HasPrefix(s, "\x1b[") && strings.HasSuffix(s, "m") && strings.Trim(s[2:len(s)-1], "0123456789;:") == ""
}

// overwritten keeps the last text a terminal would show of each line.
func overwritten(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		lines[i] = line[strings.LastIndexByte(line, '\r')+1:]
	}
	return strings.Join(lines, "\n")
}

// isControl tells C0, DEL and C1 characters apart from text; lines and tabs
// are text.
func isControl(r rune) bool {
	return (r < ' ' && r != '\n' && r != '\t') || (r >= 0x7f && r < 0xa0)
}
