package tool

// djangoWords name what Django has: operations of django.db.migrations, and those of
// django.contrib.postgres.operations where it says so.
var djangoWords = map[string]Words{
	"A01": {Instead: "Run makemigrations, or take the proposed file as it is, and commit it."},
	"D03": {Instead: "Where rows have no value for what comes back, such as a NOT NULL field that RemoveField took away: AlterField with null=True or db_default before it. " +
		"Where there is no way back, leave the reverse out."},
	"D04": {Instead: "Let reverse_code, or reverse_sql, undo exactly what the operation does."},
	"D05": {Instead: "Let reverse_code, or reverse_sql, undo all that the operation does."},
	"D07": {Instead: "Do not edit merged migrations; let a squash make exactly what those make that it replaces, and no RunPython depend on rows or settings."},
	"I04": {Why: "migrate refuses several leaves.", Instead: "Run makemigrations --merge and commit what it writes."},
	"I05": {Why: "After the merge migrate refuses two leaves.", Instead: "Update the branch, and let this migration depend on that one."},
	"I07": {Instead: "Give it a reverse (reverse_code=migrations.RunPython.noop where nothing needs to be undone), or accept the finding."},
	"I09": {Why: "Django takes migrations from packages only, and passes over the rest without a word.", Instead: "Add the __init__.py."},
	"M101": {Instead: "Take the field out of the code with SeparateDatabaseAndState (state_operations only), which needs a default or null in the database; " +
		"drop the column with the release after that."},
	"M102": {Instead: "Take the model out of the code with DeleteModel in the state_operations of SeparateDatabaseAndState; drop the table with the release after that."},
	"M104": {Instead: "Keep the column's name with db_column; or add the new field beside the old one, write both, copy in batches, and remove the old one two releases later."},
	"M105": {Instead: "Keep the table's name with Meta.db_table."},
	"M106": {Instead: "Django drops the default of AddField again. Give the field db_default (Django 5.0 and newer), which stays in the database, or null=True until the old release is gone."},
	"M107": {Instead: "Release code that always writes it; then AddConstraintNotValid and ValidateConstraint (django.contrib.postgres.operations) with a check that it is not null, " +
		"and AlterField in the release after that."},
	"M108": {Instead: "Give the field db_default (Django 5.0 and newer), which stays in the database, until the old release is gone."},
	"M118": {Instead: "Add a GeneratedField of another name, and read that; drop the old field when the old release is gone."},
	"M201": {Instead: "Add a new field beside it, write both, copy in batches (RunPython with atomic = False, or a management command), and switch."},
	"M202": {Instead: "Add the field with null=True and without that default; set the default, and fill old rows in batches, afterwards. For a GeneratedField: a plain field that the code writes."},
	"M203": {Instead: "AddConstraintNotValid in one migration and ValidateConstraint in the next (django.contrib.postgres.operations); behind such a check AlterField to NOT NULL reads nothing."},
	"M204": {Instead: "ForeignKey(db_constraint=False) in this migration; then RunSQL with ADD CONSTRAINT … NOT VALID, and in the next one RunSQL with VALIDATE CONSTRAINT."},
	"M205": {Instead: "AddIndexConcurrently (django.contrib.postgres.operations) in a migration of its own with atomic = False; for a ForeignKey db_index=False, and the index after it; " +
		"for a UniqueConstraint SeparateDatabaseAndState, with RunSQL of CREATE UNIQUE INDEX CONCURRENTLY."},
	"M206": {Instead: "In a migration of its own with atomic = False, SeparateDatabaseAndState: this operation as the state, and RunSQL with CREATE UNIQUE INDEX CONCURRENTLY, " +
		"then ADD CONSTRAINT … UNIQUE USING INDEX."},
	"M207": {Instead: "RemoveIndexConcurrently (django.contrib.postgres.operations) in a migration of its own with atomic = False."},
	"M209": {Instead: "RunSQL(\"SET LOCAL lock_timeout = '2s'\", migrations.RunSQL.noop) as the first operation, and let the deploy try again."},
	"M211": {Instead: "One RunSQL whose ALTER TABLE does both, with SeparateDatabaseAndState; or constraints that are not valid at first (AddConstraintNotValid)."},
	"M212": {Instead: "RunPython in batches in a migration of its own with atomic = False, or a management command."},
	"M215": {Instead: "Leave db_index as it is, or add the index first (AddIndexConcurrently)."},
	"M217": {Instead: "RunSQL with a matching ADD CONSTRAINT … NOT VALID, another one with VALIDATE CONSTRAINT, then attach."},
	"M218": {Instead: "models.JSONField, which is jsonb."},
}
