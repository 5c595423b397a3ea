package recall

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// objection is something that speaks against a commit, and what can be done about it.
type objection struct {
	text  string
	hints []string
}

// aim makes a target of a commit. Its image is still to be looked up.
func (f *facts) aim(commit string) *target {
	t := &target{commit: commit}
	if standing, r := ledger.StandingOf(f.proven, commit); standing == ledger.Proven {
		t.proof = r
	}
	return t
}

// choose decides what is to be done to bring a commit back, or what speaks against it.
// What runs already needs no proof.
func (f *facts) choose(t *target) (next step, against []objection, err error) {
	if s := f.servers; s != nil && !s.Status.Busy() && s.Status != stack.UpdateFailed && s.Status != stack.UpdateRollbackFailed &&
		!s.Status.Dead() && f.position().live.Commit == t.commit {
		return stepNone, nil, nil
	}
	if against = f.judge(t); len(against) > 0 {
		return "", against, nil
	}
	next, err = f.next(t.version())
	return next, nil, err
}

// judge finds all that speaks against going back to a commit. The image must have been
// looked up, when the commit was proven.
func (f *facts) judge(t *target) []objection {
	if t.proof == nil {
		return []objection{f.unproven(t.commit)}
	}
	var against []objection
	against = append(against, f.held(t)...)
	against = append(against, f.notTheImage(t)...)
	if t.image != nil {
		against = append(against, f.misfit(t)...)
	}
	return append(against, f.incompatible(t)...)
}

// unproven says how far a commit came that was never seen to come through.
func (f *facts) unproven(commit string) objection {
	where := f.s.ProvenIn
	standing, r := ledger.StandingOf(f.proven, commit)
	switch standing {
	case ledger.Failing:
		return objection{text: fmt.Sprintf("commit %.12s never came to life in %s: the last time it was tried, %s, it was %s (%s)",
			commit, where, moment(r.Start.Time), r.Outcome(), cmp.Or(r.End.Failure, "no cause is known"))}
	case ledger.Unproven:
		return objection{
			text: fmt.Sprintf("commit %.12s was live in %s from %s, but nobody saw it come through: it is live, unproven", commit, where, moment(r.At)),
			hints: []string{"if it is known to be good, release it as any other: pipe fearless/deploy-env with ENVIRONMENT: '" +
				f.s.Environment + "' and COMMIT: '" + commit + "'"},
		}
	}
	o := objection{text: fmt.Sprintf("commit %.12s was never live in %s", commit, where)}
	if f.s.Environment != where {
		if elsewhere, _ := ledger.StandingOf(f.here, commit); elsewhere == ledger.Proven {
			o.text += fmt.Sprintf(", only in %s", f.s.Environment)
			o.hints = append(o.hints, "if that is proof enough: PROVEN_IN: '"+f.s.Environment+"'")
		}
	}
	return o
}

// held objects to a commit that was rolled away from itself.
func (f *facts) held(t *target) []objection {
	for _, hold := range ledger.Held(f.here) {
		same := hold.Image.ID != "" && hold.Image.ID == t.proof.Start.Image.ID
		if hold.Commit != t.commit && !same {
			continue
		}
		how := "is"
		if hold.Commit != t.commit {
			how = fmt.Sprintf("has the image of commit %.12s, which is", hold.Commit)
		}
		return []objection{{
			text: fmt.Sprintf("commit %.12s %s held in %s since %s by %s: %s", t.commit, how, f.s.Environment, moment(hold.Time), hold.By.Who,
				cmp.Or(hold.Reason, "no reason was given")),
			hints: []string{"if it is good after all: ACTION: 'lift-hold', COMMIT: '" + hold.Commit + "', REASON: '…', and then the rollback"},
		}}
	}
	return nil
}

// notTheImage holds the image against what the ledger says of it: whoever can write into
// the account must not choose what production runs.
func (f *facts) notTheImage(t *target) []objection {
	was, is := t.proof.Start.Image, t.image
	again := "bake and release the commit again, which makes another image: pipe fearless/ami-bake, then fearless/deploy-env, each with COMMIT: '" + t.commit + "'"
	switch {
	case is == nil:
		return []objection{{fmt.Sprintf("image %s of commit %.12s is gone", was.ID, t.commit), []string{again}}}
	case is.State != image.Available:
		return []objection{{fmt.Sprintf("image %s of commit %.12s is %s%s", was.ID, t.commit, is.State, because(is.Reason)), []string{again}}}
	}
	var differs []string
	for _, part := range []struct{ what, was, is string }{
		{"owner", was.Owner, is.Owner}, {"root snapshot", was.RootSnapshot, is.RootSnapshot}, {"inputs", was.Inputs, is.Tags[image.TagInputs]},
	} {
		if part.was != part.is {
			differs = append(differs, fmt.Sprintf("%s %s, recorded %s", part.what, cmp.Or(part.is, "none"), cmp.Or(part.was, "none")))
		}
	}
	if len(differs) == 0 {
		return nil
	}
	return []objection{{
		fmt.Sprintf("image %s is not the one that was live with commit %.12s: %s", was.ID, t.commit, strings.Join(differs, "; ")),
		[]string{"find out who changed it", again},
	}}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

// misfit holds the image against the live template: it must know what the servers will be
// told, have the processes of their roles, and answer where the balancer asks.
func (f *facts) misfit(t *target) []objection {
	var against []objection
	say := func(hint, format string, args ...any) {
		o := objection{text: fmt.Sprintf(format, args...)}
		if hint != "" {
			o.hints = []string{hint}
		}
		against = append(against, o)
	}
	deploy := "deploy the commit with an environment file that fits it: pipe fearless/deploy-env, COMMIT: '" + t.commit + "'"
	speaks, err := strconv.Atoi(t.image.Tags[image.TagContract])
	if err != nil {
		say(deploy, "image %s does not say which contract its boot agent speaks (tag %s: %q)", t.image.ID, image.TagContract, t.image.Tags[image.TagContract])
	}
	text := t.image.Tags[image.TagProcesses]
	processes := strings.Fields(text)
	whole := len([]rune(text)) < image.LongestTag // a longer list is cut off: what is not in it may exist
	for _, role := range f.roles {
		if err == nil && role.Contract > speaks {
			say(deploy, "role %s is told things by contract %d, and the boot agent of image %s speaks contract %d", role.Name, role.Contract, t.image.ID, speaks)
		}
		for _, process := range role.Processes { // a role without a list runs all that there are
			if whole && !slices.Contains(processes, process) {
				say(deploy, "role %s runs the process type %s, which the Procfile of commit %.12s does not have (it has %s)",
					role.Name, process, t.commit, cmp.Or(strings.Join(processes, ", "), "none"))
			}
		}
		before := t.proof.Start.Health[role.Name]
		if before != "" && role.Health != "" && before != role.Health && !slices.Contains([]string(f.s.AcceptHealth), role.Health) {
			say("if it answers there with 200: ACCEPT_HEALTH: '"+role.Health+"'",
				"the balancer asks servers of role %s at %s now, and commit %.12s was live with %s", role.Name, role.Health, t.commit, before)
		}
	}
	return against
}

// moment is a time for people.
func moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }
