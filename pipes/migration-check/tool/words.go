package tool

import "cmp"

// Words are a rule in a tool's own words. A blank part is as the catalogue has it, which
// is written for folders of SQL.
type Words struct {
	Why     string
	Instead string
}

// WordsFor are those of a tool that is a program, for a rule of this id. What a framework
// has no words for is said as of any program.
func WordsFor(name, id string) Words {
	own, any := words[name][id], words["commands"][id]
	return Words{Why: cmp.Or(own.Why, any.Why), Instead: cmp.Or(own.Instead, any.Instead)}
}

var words = map[string]map[string]Words{
	"django":  djangoWords,
	"alembic": alembicWords,
	"rails":   railsWords,
	// A team's own program: nobody knows in which language its migrations are.
	"commands": {
		"A01":  {Instead: "Add a migration, or bring the declared schema up to date."},
		"D03":  {Instead: "Mend the way back, or take it out to say that there is none."},
		"D04":  {Instead: "Let the way back undo exactly what the migration does."},
		"D05":  {Instead: "Let the way back undo all that the migration does."},
		"D07":  {Instead: "Do not edit merged migrations; let new ones do the same whatever rows and settings they meet."},
		"D08":  {Why: "Every deploy runs the migrations.", Instead: "Let no migration write to the tool's own table."},
		"I04":  {Why: "The tool refuses them, or applies only one of the two.", Instead: "Give one of them the next version."},
		"I07":  {Why: "There is no way back after the release but a backup.", Instead: "Write the way back, or accept the finding."},
		"M205": {Instead: "CREATE INDEX CONCURRENTLY, outside of a transaction, in a migration of its own; drop an INVALID one of that name first."},
		"M207": {Instead: "Use it with CONCURRENTLY, outside of a transaction, in a migration of its own."},
		"M209": {Instead: "Let SET LOCAL lock_timeout = '2s' come first in the transaction, and the deploy try again."},
		"M210": {Instead: "One change per migration."},
	},
}
