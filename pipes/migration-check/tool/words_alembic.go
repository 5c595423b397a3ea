package tool

// alembicWords name what Alembic and SQLAlchemy have.
var alembicWords = map[string]Words{
	"A01":  {Instead: "Run alembic revision --autogenerate, read what it wrote, and commit it."},
	"D03":  {Instead: "Mend downgrade(); where there is no way back, let it raise NotImplementedError."},
	"D04":  {Instead: "Let downgrade() undo exactly what upgrade() does."},
	"D05":  {Instead: "Let downgrade() undo all that upgrade() does."},
	"I04":  {Why: "alembic upgrade head refuses several heads.", Instead: "Run alembic merge heads and commit what it writes."},
	"I05":  {Why: "After the merge alembic upgrade head refuses two heads.", Instead: "Update the branch, and let down_revision name that revision."},
	"I07":  {Instead: "Write downgrade(), or accept the finding."},
	"M101": {Instead: "Take the column out of the models with this release, and op.drop_column with the release after that; it needs a server_default or NULL meanwhile."},
	"M102": {Instead: "Take the table out of the models with this release, and op.drop_table with the release after that."},
	"M104": {Instead: "Keep the column's name (mapped_column(\"old_name\", …)); or add the new column, write both, copy in batches, and drop the old one two releases later."},
	"M105": {Instead: "Keep the table's name in __tablename__; or op.rename_table and op.execute(\"CREATE VIEW …\") of the old name in the same revision."},
	"M106": {Instead: "Give the column a server_default, or nullable=True until the old release is gone."},
	"M107": {Instead: "Release code that always writes it; then op.create_check_constraint(…, postgresql_not_valid=True), op.execute(\"ALTER TABLE … VALIDATE CONSTRAINT …\") in the next revision, " +
		"and op.alter_column(…, nullable=False) after that."},
	"M108": {Instead: "Keep the server_default until the old release is gone."},
	"M118": {Instead: "sa.Identity(always=False) first."},
	"M202": {Instead: "op.add_column without it, op.alter_column(…, server_default=…) after, and fill old rows in batches."},
	"M203": {Instead: "op.create_check_constraint(…, postgresql_not_valid=True) in one revision, and op.execute(\"ALTER TABLE … VALIDATE CONSTRAINT …\") in the next; " +
		"then op.alter_column(…, nullable=False) reads nothing."},
	"M204": {Instead: "op.create_foreign_key(…, postgresql_not_valid=True) in one revision, and op.execute(\"ALTER TABLE … VALIDATE CONSTRAINT …\") in the next."},
	"M205": {Instead: "op.create_index(…, postgresql_concurrently=True) within op.get_context().autocommit_block(), in a revision of its own."},
	"M206": {Instead: "op.create_index(…, unique=True, postgresql_concurrently=True) within op.get_context().autocommit_block(), " +
		"and op.execute(\"ALTER TABLE … ADD CONSTRAINT … UNIQUE USING INDEX …\") in the next revision."},
	"M207": {Instead: "op.drop_index(…, postgresql_concurrently=True) within op.get_context().autocommit_block(), in a revision of its own."},
	"M209": {Instead: "op.execute(\"SET LOCAL lock_timeout = '2s'\") first, and let the deploy try again."},
	"M210": {Instead: "One change per revision, and transaction_per_migration=True in env.py."},
	"M211": {Instead: "One op.execute(\"ALTER TABLE …\") with commas."},
	"M212": {Instead: "Batches within op.get_context().autocommit_block(), in a revision of its own, or a job outside of the revisions."},
	"M215": {Instead: "op.create_index(…, postgresql_concurrently=True) on its columns first."},
	"M217": {Instead: "op.create_check_constraint(…, postgresql_not_valid=True) that matches, op.execute(\"ALTER TABLE … VALIDATE CONSTRAINT …\"), then attach."},
	"M218": {Instead: "sqlalchemy.dialects.postgresql.JSONB."},
}
