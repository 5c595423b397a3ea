package tool

// Remedies are a tool's own ways out, by rule, in place of the catalogue's, which is
// written in SQL.
func Remedies(name string) map[string]string { return remedies[name] }

var remedies = map[string]map[string]string{
	"django": {
		"A01":  "Run makemigrations, or take the proposed file as it is, and commit it.",
		"D03":  "Where rows have no value for what comes back, such as a NOT NULL field that RemoveField took away: AlterField with null=True or db_default before it. Where there is no way back, leave the reverse out.",
		"M101": "Take the field out of the code with SeparateDatabaseAndState (state only), which needs a default or null in the database; drop the column with the release after that.",
		"M104": "Add the new field beside the old one, write both, copy in batches, and remove the old one two releases later; or keep the column's name with db_column.",
		"M105": "Keep the table's name with Meta.db_table.",
		"M106": "Django drops the default of AddField again. Give the field db_default (Django 5.0 and newer), which stays in the database, or null=True until the old release is gone.",
		"M107": "Release code that always writes it; then AddConstraintNotValid and ValidateConstraint (django.contrib.postgres.operations) with a check, and AlterField in the release after that.",
		"M108": "Give the field db_default (Django 5.0 and newer), which stays in the database, until the old release is gone.",
		"M203": "AddConstraintNotValid in one migration and ValidateConstraint in the next (django.contrib.postgres.operations).",
		"M204": "ForeignKey(db_constraint=False) in this migration; then RunSQL with ADD CONSTRAINT … NOT VALID, and VALIDATE CONSTRAINT in the next.",
		"M205": "AddIndexConcurrently (django.contrib.postgres.operations) in a migration of its own with atomic = False; for a ForeignKey db_index=False and the index after it.",
		"M207": "RemoveIndexConcurrently (django.contrib.postgres.operations) in a migration of its own with atomic = False.",
		"M209": "RunSQL(\"SET LOCAL lock_timeout = '2s'\", migrations.RunSQL.noop) as the first operation, and let the deploy try again.",
		"M210": "One change per migration.",
		"M212": "RunPython in batches in a migration of its own with atomic = False, or a management command.",
	},
	"alembic": {
		"A01":  "Run alembic revision --autogenerate, read what it wrote, and commit it.",
		"M106": "Give the column server_default, or nullable=True until the old release is gone.",
		"M108": "Keep server_default until the old release is gone.",
		"M203": "op.create_check_constraint(…, postgresql_not_valid=True) in one revision, and op.execute(\"ALTER TABLE … VALIDATE CONSTRAINT …\") in the next.",
		"M204": "op.create_foreign_key(…, postgresql_not_valid=True) in one revision, and op.execute(\"ALTER TABLE … VALIDATE CONSTRAINT …\") in the next.",
		"M205": "op.create_index(…, postgresql_concurrently=True) within op.get_context().autocommit_block(), in a revision of its own.",
		"M207": "op.drop_index(…, postgresql_concurrently=True) within op.get_context().autocommit_block(), in a revision of its own.",
		"M209": "op.execute(\"SET LOCAL lock_timeout = '2s'\") first, and let the deploy try again.",
		"M210": "One change per revision.",
	},
	"rails": {
		"A01":  "Run db:migrate and commit the dump that it writes; for what no migration makes, add one.",
		"M101": "Put the column into ignored_columns with this release, and remove it with the next.",
		"M106": "Give the column a default, or null: true until the old release is gone.",
		"M203": "add_check_constraint …, validate: false in one migration, validate_check_constraint in the next.",
		"M204": "add_foreign_key …, validate: false in one migration, validate_foreign_key in the next.",
		"M205": "disable_ddl_transaction! and add_index …, algorithm: :concurrently in a migration of its own.",
		"M207": "disable_ddl_transaction! and remove_index …, algorithm: :concurrently in a migration of its own.",
	},
}
