package check

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/schema"
	"bitbucket.org/fearless/pipes/pipes/migration-check/server"
	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// wanted is question (a): is there a migration missing?
func (c *check) wanted(ctx context.Context) error {
	switch {
	case c.s.CheckCommand != "":
		return c.asked(ctx)
	case c.program != nil && c.s.SchemaFile == "" && c.s.SchemaCommand == "":
		return c.programWanted(ctx)
	case c.s.SchemaFile == "" && c.s.SchemaCommand == "":
		return c.guessed(ctx)
	case c.fromNothing == nil:
		c.notJudged("whether a migration is missing: those that are there do not apply")
		return nil
	}
	text, name, err := c.declared(ctx)
	if err != nil {
		return err
	}
	want, database, err := c.load(ctx, text, name)
	if err != nil {
		return err
	}
	differs := schema.Compare(c.fromNothing, want)
	if len(differs) == 0 {
		c.rt.Console.Success("%s and the migrations make the same schema", name)
		return nil
	}
	old, err := c.oldDrift(ctx)
	if err != nil {
		return err
	}
	if missing := c.report(differs, old, want, name); missing && c.program == nil { // whose migrations are no SQL
		return c.propose(ctx, database, want)
	}
	return nil
}

// declared is the SQL of the schema that the code wants.
func (c *check) declared(ctx context.Context) (text, name string, err error) {
	if c.s.SchemaFile != "" {
		content, err := os.ReadFile(filepath.Join(c.repo.Dir, filepath.FromSlash(c.s.SchemaFile)))
		if err != nil {
			return "", "", exit.Invalidf("SCHEMA_FILE: %w", err)
		}
		return string(content), c.s.SchemaFile, nil
	}
	out, code, err := c.command(ctx, c.s.SchemaCommand)
	if err == nil && code != 0 {
		err = exit.Refusedf("SCHEMA_COMMAND ended with exit code %d", code)
	}
	if err == nil && strings.TrimSpace(out) == "" {
		err = exit.Refusedf("SCHEMA_COMMAND printed nothing")
	}
	return out, "what SCHEMA_COMMAND prints", err
}

// load makes a database of declared SQL. What a dump has beside the schema is passed
// over: commands of psql, rows, owners, and comments on extensions.
func (c *check) load(ctx context.Context, text, name string) (*schema.Snapshot, *server.Database, error) {
	d, err := c.server.Create(ctx, "wanted")
	if err != nil {
		return nil, nil, err
	}
	conn, err := d.Connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, s := range statement.Split(text) {
		if s.IsPsql() || s.Data || s.Has("owner", "to") || s.Is("comment", "on", "extension") || s.Is("create", "schema", "public") {
			continue
		}
		if _, err := conn.Exec(ctx, s.Text); err != nil {
			err = c.server.Explain(err)
			if missing := server.MissingExtension(err); exit.CodeOf(missing) == exit.Unable && len(exit.HintsOf(missing)) > 0 {
				return nil, nil, missing
			}
			return nil, nil, exit.Refusedf("%s:%d cannot be applied to an empty database: %w%s", name, s.Line, err, missingRole(err))
		}
	}
	if _, err := conn.Exec(ctx, "reset all"); err != nil { // a dump empties the search path
		return nil, nil, exit.Unablef("scratch database: %w", err)
	}
	want, err := schema.Of(ctx, conn, c.tool.Bookkeeping()...)
	return want, d, err
}

// oldDrift are the differences that were there at the base, so that they are not this
// change's. A command cannot be asked about the base.
func (c *check) oldDrift(ctx context.Context) ([]schema.Change, error) {
	if c.s.SchemaFile == "" {
		c.notJudged("whether the difference was there at the base: SCHEMA_COMMAND tells of the head only")
		return nil, nil
	}
	content, err := c.repo.File(ctx, c.base.Commit, c.s.SchemaFile)
	if err != nil || c.atBase == nil {
		return nil, nil //nolint:nilerr // there was no such file: nothing had drifted from it
	}
	want, _, err := c.load(ctx, string(content), c.s.SchemaFile+" of the base")
	if err != nil {
		c.notJudged("whether the difference was there at the base: " + err.Error())
		return nil, nil //nolint:nilerr // said
	}
	return schema.Compare(c.atBase, want), nil
}

// report adds a finding for each difference, and tells whether a migration may be missing.
func (c *check) report(differs, old []schema.Change, want *schema.Snapshot, name string) bool {
	file := ""
	if c.s.SchemaFile != "" {
		file = c.s.SchemaFile
	}
	missing := false
	for _, d := range differs {
		line := c.schemaLine(d)
		if slices.ContainsFunc(old, func(o schema.Change) bool { return o.Op == d.Op && o.String() == d.String() }) {
			c.add(rule.Find("A03").Finding(file, line, "%s", difference(d, name)))
			continue
		}
		f := rule.Find("A01").Finding(file, line, "%s", difference(d, name))
		if c.stale(d, want) {
			f.Detail = "The new migrations change it; what is declared is what the base has.\nBring " + name + " up to date with them."
		} else {
			missing = true
		}
		c.add(f)
	}
	return missing
}

// stale tells what is declared as it was at the base, while the change's own migrations
// make it otherwise: no migration is missing then.
func (c *check) stale(d schema.Change, want *schema.Snapshot) bool {
	if c.atBase == nil || len(c.new) == 0 {
		return false
	}
	o := d.Object()
	was, there := c.atBase.Find(o.Kind, o.Name)
	is, declared := want.Find(o.Kind, o.Name)
	return there == declared && was.Definition == is.Definition
}

// difference says which side lacks what.
func difference(d schema.Change, name string) string {
	switch d.Op {
	case schema.Added:
		return d.After.String() + " is in " + name + ", but no migration makes it."
	case schema.Dropped:
		return d.Before.String() + " is made by the migrations, but is not in " + name + "."
	}
	return d.After.String() + " is different: the migrations make " + quoted(d.Before.Definition) + ", " + name + " says " + quoted(d.After.Definition) + "."
}

func quoted(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 160 {
		text = string(runes[:159]) + "…"
	}
	return `"` + text + `"`
}

// schemaLine is where SCHEMA_FILE speaks of an object; 0 where it does not.
func (c *check) schemaLine(d schema.Change) int {
	if c.s.SchemaFile == "" || d.Op == schema.Dropped {
		return 0
	}
	content, err := os.ReadFile(filepath.Join(c.repo.Dir, filepath.FromSlash(c.s.SchemaFile)))
	if err != nil {
		return 0
	}
	words := strings.Split(d.After.Name, ".")
	own, parent := words[len(words)-1], words[max(0, len(words)-2)]
	if d.Kind() != "column" {
		parent = own
	}
	for _, s := range statement.Split(string(content)) {
		if !s.Is("create") && !s.Is("alter") {
			continue
		}
		mentions := func(name string) bool {
			return slices.ContainsFunc(s.Tokens, func(t statement.Token) bool {
				return (t.Kind == statement.Word || t.Kind == statement.Name) && t.Text == name
			})
		}
		if mentions(parent) && mentions(own) {
			return s.LineOf(own)
		}
	}
	return 0
}

// asked lets a command of the team answer.
func (c *check) asked(ctx context.Context) error {
	if c.fromNothing == nil {
		c.notJudged("whether a migration is missing: those that are there do not apply")
		return nil
	}
	return c.askedAt(ctx, c.fresh.URL())
}

// askedAt gives the command the address of a database with all migrations.
func (c *check) askedAt(ctx context.Context, address string) error {
	out, code, err := c.command(ctx, c.s.CheckCommand, "DATABASE_URL="+address)
	switch {
	case err != nil:
		return err
	case code == 0:
		c.rt.Console.Success("CHECK_COMMAND finds no migration missing")
	case code == c.s.CheckMissing:
		c.add(rule.Find("A01").Finding("", 0, "CHECK_COMMAND says that a migration is missing: %s", firstLine(lastWords(out))))
	default:
		return exit.Refusedf("CHECK_COMMAND ended with exit code %d, which is neither 0 nor CHECK_EXIT_MISSING (%d)", code, c.s.CheckMissing)
	}
	return nil
}

// lastWords is the end of a command's output, where the reason is.
func lastWords(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// command runs a line of the team's in the clone, with the pipe's own environment, and
// shows what it prints.
func (c *check) command(ctx context.Context, line string, more ...string) (out string, code int, err error) {
	answer, err := tool.RunLine(ctx, c.repo.Dir, line, append(slices.Clone(c.rt.World.Environ), more...))
	c.rt.Console.Output("command", answer.Err)
	if err != nil || answer.Code == 0 {
		return answer.Out, 0, err
	}
	return answer.Out + answer.Err, answer.Code, nil
}
