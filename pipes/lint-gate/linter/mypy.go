package linter

import (
	"context"
	"strings"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Exit code of mypy for what keeps it from checking: broken code, a wrong call,
// and its own faults.
const mypyBlocked = 2

// runMypy checks what the project's configuration names, or else everything.
// Files are never given by name: mypy then does not look at what is excluded.
func runMypy(r *run, ctx context.Context) error {
	p := r.linter.preset
	r.outcome.Checked = p.files(r)
	end, err := r.child(ctx, r.Dir, r.presetEnviron(), r.linter.program, p.arguments...)
	if err != nil {
		return err
	}
	if end.code == mypyBlocked && strings.Contains(string(end.stderr), "Missing target") {
		end, err = r.child(ctx, r.Dir, r.presetEnviron(), r.linter.program, append(p.arguments[:len(p.arguments):len(p.arguments)], ".")...)
		if err != nil {
			return err
		}
	}
	if end.code != mypyBlocked {
		return r.judge(end, end.stdout)
	}
	switch text := string(end.stderr); {
	case p.misconfigured.MatchString(text):
		return r.misconfigured(end)
	case strings.Contains(text, "unrecognized arguments: --output"):
		return exit.Invalidf("this mypy is too old: lint-gate reads the format json, which it has since version 1.11").
			Hint("raise the version of mypy in the project's requirements")
	case text == "":
		return r.unreadable(end, end.stdout) // it names the place on its output
	}
	return r.broke(end)
}
