package gate

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"bitbucket.org/fearless/pipes/shared/finding"
	"bitbucket.org/fearless/pipes/shared/history"
)

// changes is what comparing needs to know of a change; history.Changes has it.
type changes interface {
	// Before is the path of a file at the base, blank for an added one.
	Before(path string) string
	// Touches tells whether the change wrote a line from first to last.
	Touches(path string, first, last int) bool
	// TakesAway tells whether the change removed or rewrote a line of the base.
	TakesAway(path string, line int) bool
	// File is what happened to a file that is there now.
	File(path string) (history.File, bool)
}

// caused divides the findings of the head into those that the change causes and those that
// were there before. Lines that moved, files that were renamed and line ends that changed
// cause nothing. Both lists are in the order of finding.Sort.
//
// A finding of the head and one of the base are the same
//
//  1. when tool, rule, message and the text of the line are, in the same file: as many at
//     the base as there are, those on lines that the change did not write first;
//  2. when tool, rule and message are, and the change rewrote the one's line as the other's;
//  3. when all of that is the same in another file, whose line the change took away: code
//     that was moved.
func caused(head, base []finding.Finding, c changes) (added, old []finding.Finding) {
	head, base = slices.Clone(head), slices.Clone(base)
	finding.Sort(head)
	finding.Sort(base)
	m := &matching{head: head, base: base, changes: c, headTaken: make([]bool, len(head)), baseTaken: make([]bool, len(base))}
	m.pair(sameText, func(int, int) bool { return true })
	m.pair(sameWords, m.rewritten)
	m.pair(moved, m.movedFrom)
	for i, f := range head {
		if m.headTaken[i] {
			old = append(old, f)
		} else {
			added = append(added, f)
		}
	}
	return added, old
}

// matching pairs findings of the head with findings of the base, each at most once.
type matching struct {
	head, base           []finding.Finding
	headTaken, baseTaken []bool
	changes              changes
}

// pair takes those together that have the same key and agree. A key with a blank file is
// no key: the file was not there at the base.
func (m *matching) pair(key func(f finding.Finding, file string) string, agree func(head, base int) bool) {
	at := map[string][]int{}
	for i, f := range m.base {
		if !m.baseTaken[i] {
			k := key(f, f.File)
			at[k] = append(at[k], i)
		}
	}
	for _, i := range m.untouchedFirst() {
		f := m.head[i]
		k := key(f, m.before(f))
		for n, j := range at[k] {
			if agree(i, j) {
				m.headTaken[i], m.baseTaken[j] = true, true
				at[k] = slices.Delete(at[k], n, n+1)
				break
			}
		}
	}
}

// before is where a finding's file was at the base: for a file that was not there a name
// that no file has.
func (m *matching) before(f finding.Finding) string {
	if f.File == "" {
		return ""
	}
	if path := m.changes.Before(f.File); path != "" {
		return path
	}
	return "\x00"
}

// untouchedFirst are the findings of the head that are not paired yet. Of several equal
// ones those on lines that the change wrote are the new ones.
func (m *matching) untouchedFirst() []int {
	var untouched, touched []int
	for i, f := range m.head {
		switch {
		case m.headTaken[i]:
		case m.changes.Touches(f.File, f.Line, f.Line):
			touched = append(touched, i)
		default:
			untouched = append(untouched, i)
		}
	}
	return append(untouched, touched...)
}

// rewritten tells whether the change replaced the lines around the one finding by those
// around the other.
func (m *matching) rewritten(head, base int) bool {
	file, found := m.changes.File(m.head[head].File)
	if !found {
		return false
	}
	for _, p := range file.Parts {
		if p.Now.Has(m.head[head].Line) && p.Before.Has(m.base[base].Line) {
			return true
		}
	}
	return false
}

// movedFrom tells whether the change wrote the line of the one finding and, in another
// file, took away that of the other.
func (m *matching) movedFrom(head, base int) bool {
	h, b := m.head[head], m.base[base]
	return m.before(h) != b.File && m.changes.Touches(h.File, h.Line, h.Line) && m.changes.TakesAway(b.File, b.Line)
}

// sameText is the key of findings that are the same although lines moved.
func sameText(f finding.Finding, file string) string {
	return strings.Join([]string{f.Tool, f.Rule, file, blanked(f.Message), text(f.Source)}, "\x00")
}

// sameWords is the key of findings on a line that was rewritten: there only the message can
// tell them apart, so nothing in it is blanked.
func sameWords(f finding.Finding, file string) string {
	return strings.Join([]string{f.Tool, f.Rule, file, f.Message}, "\x00")
}

// moved is the key of findings in code that moved to another file.
func moved(f finding.Finding, _ string) string {
	return strings.Join([]string{f.Tool, f.Rule, f.Message, text(f.Source)}, "\x00")
}

// text is a line without what editors change: indentation, and the carriage return of the
// other kind of line end.
func text(line string) string { return strings.Join(strings.Fields(line), " ") }

// literals are the parts of a message that depend on the surroundings: "line 12", "81 > 80",
// "`x` shadows declaration at line 7".
var literals = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("`[^`]*`" + `|"[^"]*"|'[^']*'|[0-9]+`)
})

func blanked(message string) string { return literals().ReplaceAllString(message, "#") }

// onChangedLines divides findings by whether the change wrote one of their lines. One
// without a line counts when its file was touched, one without a file always.
func onChangedLines(all []finding.Finding, c changes) (counted, old []finding.Finding) {
	for _, f := range all {
		_, touched := c.File(f.File)
		switch {
		case f.File == "", f.Line == 0 && touched, c.Touches(f.File, f.Line, max(f.Line, f.EndLine)):
			counted = append(counted, f)
		default:
			old = append(old, f)
		}
	}
	return counted, old
}
