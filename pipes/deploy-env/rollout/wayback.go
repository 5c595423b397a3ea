package rollout

import (
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/stack"
)

// wayBack ends the log of a release with how it is undone: by the pipe for that, and by the
// one command that does the same when Bitbucket cannot. Who needs it has no time to look
// for names.
func (d *deployer) wayBack(now *stack.Stack) {
	if d.before == nil || d.before.Outcome() != ledger.Live || d.before.Start.Image.ID == now.Parameters[environment.ParameterImage] {
		return
	}
	start := d.before.Start
	d.rt.Console.Info("Should it turn out to be bad: pipe fearless/rollback with ENVIRONMENT: '%s' and COMMIT: 'previous'", d.s.Environment)
	d.rt.Console.Info("Or by hand, to commit %.12s, without Bitbucket and with rights of your own:", start.Commit)
	d.rt.Console.Plain("  %s", stack.ByHand(now, d.op.Region, map[string]string{
		environment.ParameterImage: start.Image.ID, environment.ParameterCommit: start.Commit, environment.ParameterRun: "false",
	}))
}
