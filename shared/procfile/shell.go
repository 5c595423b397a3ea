package procfile

import (
	"regexp"
	"strings"
)

// Shell is the argument for sh -c. A simple command replaces the shell (exec),
// so that the process which is watched is the program itself. A line with
// operators (a && b), assignments (A=1 b) or shell keywords is left alone:
// exec would run its first part only, or fail.
func (p Process) Shell() string {
	word, _, _ := strings.Cut(p.Command, " ")
	if assignment.MatchString(word) || keyword[word] || compound(p.Command) {
		return p.Command
	}
	return "exec " + p.Command
}

var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// keyword holds the words that are no program, or whose effect ends with the
// shell. What is missing here fails loudly ("exec: x: not found").
var keyword = words(`exec cd export set unset eval . source trap ulimit umask read shift wait
	: command if for while until case function { ! time return exit`)

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// compound reports an operator outside quotes: ; | & ( or a newline.
// The & of a redirection (2>&1, >&2) is none.
func compound(line string) bool {
	var quote, previous rune
	escaped := false
	for _, r := range line {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case r == '&' && (previous == '>' || previous == '<'):
		case r == '(' && previous == '$': // $(command) is an argument
			return compoundAfterSubstitution(line)
		case strings.ContainsRune(";|&(\n", r):
			return true
		}
		previous = r
	}
	return false
}

// compoundAfterSubstitution decides for a line with $(…): what stands inside
// would need a parser, so any operator anywhere counts. Too careful is
// harmless: the shell then stays as the parent of the program.
func compoundAfterSubstitution(line string) bool {
	return strings.ContainsAny(line, ";|&")
}
