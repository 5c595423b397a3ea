package tool

// railsWords name what Active Record has.
var railsWords = map[string]Words{
	"A01":  {Instead: "Run bin/rails db:migrate and commit the dump that it writes; for what no migration makes, add one."},
	"A03":  {Instead: "Run bin/rails db:migrate on the base and commit the dump in a change of its own."},
	"D03":  {Instead: "Mend down, or what change turns round; where there is no way back, raise ActiveRecord::IrreversibleMigration."},
	"D04":  {Instead: "Let down, or the down of reversible, undo exactly what up does."},
	"D05":  {Instead: "Let down, or the down of reversible, undo all that up does."},
	"I04":  {Why: "bin/rails db:migrate refuses them (DuplicateMigrationVersionError).", Instead: "Give one of them a later time in its name."},
	"I07":  {Instead: "Write down, or use reversible; or accept the finding."},
	"M101": {Instead: "Put the column into ignored_columns with this release, and remove_column with the next."},
	"M104": {Instead: "Keep the column's name and use alias_attribute; or add the new column, write both, copy in batches, read the new one, and remove the old one two releases later."},
	"M105": {Instead: "Keep the table's name with self.table_name; or rename_table and execute \"CREATE VIEW …\" of the old name in the same migration."},
	"M106": {Instead: "Give the column a default that stays, or null: true until the old release is gone."},
	"M107": {Instead: "Release code that always writes it; then add_check_constraint …, validate: false, validate_check_constraint in the next migration, and change_column_null after that."},
	"M203": {Instead: "add_check_constraint …, validate: false in one migration, validate_check_constraint in the next; then change_column_null reads nothing."},
	"M204": {Instead: "add_foreign_key …, validate: false in one migration, validate_foreign_key in the next; add_reference without foreign_key before it."},
	"M205": {Instead: "disable_ddl_transaction! and add_index …, algorithm: :concurrently in a migration of its own; add_reference with index: {algorithm: :concurrently}."},
	"M206": {Instead: "disable_ddl_transaction! and add_index …, unique: true, algorithm: :concurrently in a migration of its own; where it must be a constraint, " +
		"add_unique_constraint …, using_index: in the next (Rails 7.1 and newer)."},
	"M207": {Instead: "disable_ddl_transaction! and remove_index …, algorithm: :concurrently in a migration of its own."},
	"M209": {Instead: "execute \"SET LOCAL lock_timeout = '2s'\" first, or variables: {lock_timeout: 2s} in config/database.yml, and let the deploy try again."},
	"M211": {Instead: "change_table …, bulk: true."},
	"M212": {Instead: "in_batches in a migration of its own with disable_ddl_transaction!, or in a job."},
	"M215": {Instead: "add_index …, algorithm: :concurrently first (in a migration with disable_ddl_transaction!)."},
	"M217": {Instead: "add_check_constraint …, validate: false that matches, validate_check_constraint, then attach."},
	"M218": {Instead: "t.jsonb."},
}
