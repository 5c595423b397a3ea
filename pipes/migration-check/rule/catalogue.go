// Package rule is the catalogue of what migration-check objects to, and the judgement
// over what a migration was seen to do. It is pure: traces and snapshots go in,
// findings come out.
package rule

import (
	"fmt"

	"bitbucket.org/fearless/pipes/shared/finding"
)

// Tool is the name under which findings are reported.
const Tool = "migration-check"

// Rule is one entry of the catalogue. The first letter of its id says what it is about:
// I the folder, D whether a migration works, M1 the old release on the new schema, M2
// what waits while the migration runs, A question (a).
type Rule struct {
	ID       string
	Severity finding.Severity
	Title    string // what it catches
	Why      string // one sentence
	Instead  string // the safe way
}

// Finding makes one of the rule.
func (r Rule) Finding(file string, line int, format string, args ...any) finding.Finding {
	return finding.Finding{
		Tool: Tool, Rule: r.ID, Severity: r.Severity, File: file, Line: line,
		Message: fmt.Sprintf(format, args...),
		Detail:  r.Why + "\n" + r.Instead,
		URL:     "https://bitbucket.org/fearless/migration-check#" + r.ID,
	}
}

// Find looks a rule up; an unknown id is a mistake of ours.
func Find(id string) Rule {
	r, ok := byID[id]
	if !ok {
		panic("no rule " + id)
	}
	return r
}

// Known tells whether a rule has this id.
func Known(id string) bool {
	_, ok := byID[id]
	return ok
}

var byID = func() map[string]Rule {
	all := map[string]Rule{}
	for _, r := range Catalogue {
		if _, twice := all[r.ID]; twice {
			panic("two rules " + r.ID)
		}
		all[r.ID] = r
	}
	return all
}()

// Short names, so that a rule is one line of a table.
const (
	e = finding.Error
	w = finding.Warning
	i = finding.Info
)

// Catalogue is every rule, in the order of ids.
var Catalogue = []Rule{
	{"A01", e, "the schema that the code wants is not what the migrations make", "The new release would meet a database that it does not expect.", "Add a migration; the proposed SQL is a start. Or bring the declared schema up to date."},
	{"A02", w, "code that models the data changed, and no migration was added", "This is a guess from file names.", "Add the migration, or say in the newest commit's message: `Migration: none - <reason>`."},
	{"A03", w, "the declared schema and the migrations differed before this change", "The difference is not of this change's making.", "Settle it in a change of its own."},
	{"A04", w, "an accept comment that accepts nothing", "A comment without a reason, past its date, or without a finding misleads the next reader.", "Remove it, or write `fearless:accept <rule> until=<date> <reason>`."},

	{"D01", e, "the migrations do not apply to an empty database", "New environments and tests cannot be set up.", "Mend the migration, if it was never applied; else add one before the next release."},
	{"D02", e, "the new migrations do not apply to the base's schema with rows in it", "The release would fail in production.", "Mend the migration."},
	{"D03", e, "a down migration fails", "There is no way back after the release.", "Mend it, or remove it to say that there is no way back."},
	{"D04", e, "up and down again does not lead back to the schema before", "The next up, or the old release, meets a schema that nobody has tried.", "Let the down file undo exactly what the up file does."},
	{"D05", e, "a second up after the down fails or leads elsewhere", "A release that was rolled back could not be released again.", "Let the down file undo all that the up file does."},
	{"D06", w, "rows or values are not the same afterwards", "Data may be lost in production, where no down brings it back.", "Copy before you drop; check that casts keep every value; accept the finding when the loss is intended."},
	{"D07", e, "an empty database and one at the base's version do not lead to the same schema", "Tests then run on another schema than production has.", "Do not edit merged migrations; make new ones independent of session settings that older ones leave behind."},
	{"D08", e, "a second run is not without effect", "Every deploy runs the migrations.", "Let each migration leave the bookkeeping of the tool alone."},
	{"D09", e, "two runs at once disturb each other", "Two deploys, or two servers that migrate at start, may run at the same time.", "Do not take or release advisory locks in migrations."},
	{"D10", e, "it works only as superuser", "The role that applies migrations in production usually is none.", "Have an administrator do this part once (EXTENSIONS, ROLES), or write it so that the owner of the database may do it."},

	{"I01", e, "a merged migration was edited", "It will not run again where it has run already, so databases would differ.", "Restore it, and put the change into a new migration."},
	{"I02", e, "a merged migration was deleted or renamed", "Databases that stand at its version could go neither up nor down.", "Restore it; undo what it did in a new migration."},
	{"I03", e, "a new migration is older than a merged one", "Databases that have passed its version never run it.", "Give it a version above all merged ones."},
	{"I04", e, "two migrations have the same version", "The tool refuses the folder, or applies only one of them.", "Give one of them the next version."},
	{"I05", e, "the destination branch has another migration of this version by now", "After the merge two migrations would share it.", "Update the branch and give the migration the next version."},
	{"I06", w, "the version does not fit the others", "A gap or a mixture of numbering schemes leads to an order that nobody meant.", "Follow the scheme of the folder."},
	{"I07", w, "the down migration is missing or empty, although others have one", "golang-migrate goes down past it without a word and changes nothing.", "Add it; where there is no way back, write a comment that says so and accept the finding."},
	{"I08", w, "the up migration is empty", "It is recorded as applied and does nothing.", "Fill or remove it."},
	{"I09", w, "a file that the tool passes over or misreads", "It looks like a migration, but it is never applied, or fails where it is.", "Correct the name or the encoding, or move it out of the folder."},
	{"I10", e, "a file that cannot be sent to the server as it is", "Transactions left open and commands of psql do not do what they seem to.", "Close every BEGIN with COMMIT or leave both out; write SQL instead of psql's commands; INSERT instead of COPY … FROM stdin."},
	{"I11", w, "a file that goes with the migrations was not updated with them", "Other tools of the project work from it.", "Generate it anew in the same commit."},
	{"I12", i, "code and a contract step in one change", "Old servers still run while the migration does, and need what it takes away.", "Release the code that does without it first."},

	{"M101", e, "column dropped", "Servers of the old release still name it in their queries.", "Release code that does not use it, then drop it with the release after that."},
	{"M102", e, "table or view dropped", "Queries of the old release fail.", "Release code that does not use it, then drop it with the release after that."},
	{"M103", e, "schema dropped or renamed", "Every name in it vanishes for the old release.", "Copy, switch, drop: in three releases."},
	{"M104", e, "column renamed", "The old name is gone while old servers run, and the new one is while a rollback is.", "Add the new column, write both, copy in batches, read the new one, drop the old one two releases later."},
	{"M105", e, "table renamed", "Queries of the old release name the old one.", "Rename and create a view of the old name in the same transaction, or keep the name."},
	{"M106", e, "new column that must be given and has no default in the database", "Every INSERT of the old release leaves it out and fails; a default of the framework is none of the database.", "Add it with a default, or without NOT NULL; tighten it when the old release is gone."},
	{"M107", e, "existing column becomes NOT NULL", "The old release may still write NULL.", "Release code that always writes it; then CHECK … NOT VALID, VALIDATE, SET NOT NULL."},
	{"M108", e, "default dropped from a column that must be given", "INSERTs of the old release rely on it.", "Keep it until the old release is gone."},
	{"M109", e, "type of a column changed to one that takes less, or another family", "Values, casts and parameters of the old release fail on it.", "Add a new column, write both, copy, switch."},
	{"M110", w, "new constraint on an existing table", "The old release may write rows that it forbids.", "Release code that obeys it first."},
	{"M111", w, "column may be NULL now", "Code of the old release may not expect it.", "Release code that can read NULL first."},
	{"M112", e, "value of an enum removed or renamed", "The old release still writes or compares it.", "Only ever add values; map names in the code."},
	{"M113", i, "value added to an enum", "The old release may meet a value that it does not know.", "Release code that tolerates it first."},
	{"M114", e, "function or procedure dropped, or called otherwise now", "Calls of the old release fail.", "Add a new one beside it; drop the old one with the release after."},
	{"M115", e, "column of a view removed, renamed or retyped", "Queries of the old release name it.", "Add a new view beside it."},
	{"M116", e, "right revoked, row security switched on or a policy changed", "The old release gets errors, or silently fewer rows.", "Grant and add policies first, and try them as the application's role."},
	{"M117", w, "trigger added", "Writes of the old release behave differently or fail.", "Release it switched off, or make sure that it can neither raise nor change rows."},
	{"M118", e, "column becomes generated or GENERATED ALWAYS", "INSERTs of the old release that name it fail.", "GENERATED BY DEFAULT first."},
	{"M119", w, "foreign key dropped, or deletes along with its parent now", "Rows vanish, or stay behind, without the old release knowing.", "Say in the change why that is right, and accept the finding."},
	{"M120", i, "order of columns changed", "`SELECT *` and INSERTs without column names of the old release mix up values.", "Name columns in queries."},

	{"M201", e, "existing table is written anew", "Nobody can read or write it for as long as that takes.", "Add a new column, fill it in batches, switch; or build a new table and swap."},
	{"M202", e, "existing table is written anew for a new column", "A volatile default, serial, identity or stored generated column is computed for every row while nobody can read or write the table.", "Add the column without it, set the default after, fill old rows in batches."},
	{"M203", e, "existing table is read as a whole while nobody can use it", "SET NOT NULL and ADD CHECK look at every row under the strongest lock.", "ADD CONSTRAINT … CHECK (…) NOT VALID in one migration, VALIDATE CONSTRAINT in the next; then SET NOT NULL takes no time."},
	{"M204", e, "foreign key is checked while both tables cannot be written", "All rows are compared before it is there.", "ADD CONSTRAINT … NOT VALID in one migration, VALIDATE CONSTRAINT in the next."},
	{"M205", e, "index is built while the table cannot be written", "CREATE INDEX blocks writes until it is done.", "CREATE INDEX CONCURRENTLY, alone in its file; drop an INVALID one of that name first."},
	{"M206", e, "constraint builds its index while nobody can use the table", "UNIQUE, PRIMARY KEY and EXCLUDE build one under the strongest lock.", "CREATE UNIQUE INDEX CONCURRENTLY in one migration, ADD CONSTRAINT … USING INDEX in the next."},
	{"M207", w, "there is a form that does not block", "DROP INDEX, REINDEX, DETACH PARTITION and REFRESH block the table.", "Use it with CONCURRENTLY, alone in its file."},
	{"M208", e, "CONCURRENTLY together with other statements", "It cannot run in a transaction, and several statements in one file are one.", "Put it into a file of its own."},
	{"M209", w, "strong lock without lock_timeout", "While it waits for a long query, everybody waits behind it.", "Begin the file with SET LOCAL lock_timeout = '2s', and let the deploy try again."},
	{"M210", w, "more work while a strong lock is held", "Locks are kept to the end of the transaction; two tables locked in one can also lead to a deadlock.", "One change per file."},
	{"M211", i, "several ALTER TABLE read the same table", "Each reads it once more.", "One ALTER TABLE with commas."},
	{"M212", w, "rows of an existing table are changed in the migration", "It takes as long as there are rows, keeps their locks to the end, and other servers wait.", "Change them in batches from a job, outside of the schema's migration."},
	{"M213", e, "TRUNCATE, or CASCADE", "It takes away more than its text names.", "Name what is to go, one by one."},
	{"M214", e, "VACUUM FULL, CLUSTER, SET UNLOGGED or LOCK TABLE", "Nobody can use the table meanwhile.", "Use a tool that rebuilds beside it, such as pg_repack; leave locks to the statements that need them."},
	{"M215", w, "foreign key without an index on its columns", "Every delete in the parent table reads the whole child table.", "Create the index concurrently first."},
	{"M216", w, "domain with a constraint created or altered", "Every column of the domain is checked, under the strongest lock of its table.", "A CHECK on the column."},
	{"M217", w, "partition attached that has to be read first", "Nobody can write it meanwhile.", "Add a matching CHECK … NOT VALID, validate it, then attach."},
	{"M218", w, "new column of type json", "json knows no equality: SELECT DISTINCT and GROUP BY fail.", "jsonb."},
	{"M219", w, "setting of the session leaks into the next migrations", "golang-migrate applies all files in one session.", "SET LOCAL, and names written with their schema."},

	{"M304", i, "several changes of the schema in one file, in MySQL", "Each commits at once, so a file that fails in the middle is half applied, and nothing takes it back.", "One change per file."},
	{"M401", e, "SQLite deletes rows that refer to a table which is dropped to be built anew", "With foreign keys on, DROP TABLE deletes the table's rows first, with all that ON DELETE CASCADE brings; golang-migrate's transaction keeps PRAGMA foreign_keys from helping.", "ALTER TABLE … ADD, DROP or RENAME COLUMN; or x-no-tx-wrap=true, with PRAGMA foreign_keys = OFF, BEGIN and COMMIT in the file."},
}
