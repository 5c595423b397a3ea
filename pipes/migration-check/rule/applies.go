package rule

import "strings"

// Tools are the values of TOOL, in the order of the page that tells which rule applies.
var Tools = []string{"golang-migrate", "sql", "django", "alembic", "rails", "commands"}

// What a rule is worth with a tool.
const (
	full = "yes"
	none = ""
)

// Applies tells whether a rule is judged when a tool applies the migrations: "yes", blank
// for no, or in which form.
func Applies(id, tool string) string {
	if tool == "golang-migrate" || tool == "sql" {
		return full
	}
	if forms, special := byTool[id]; special {
		if form, known := forms[tool]; known {
			return form
		}
		return forms["*"]
	}
	if strings.HasPrefix(id, "I") {
		return none
	}
	return full
}

// byTool are the rules that tools with programs of their own do not share; "*" is any
// that is not named.
var byTool = map[string]map[string]string{
	"A01":  {"django": "makemigrations --check", "alembic": "alembic check", "rails": "db:schema:dump", "*": "CHECK_COMMAND"},
	"A03":  {"django": full, "alembic": full, "rails": full, "*": none},
	"D08":  {"*": "fails only"},
	"D09":  {"*": none},
	"I01":  {"*": full},
	"I02":  {"*": full},
	"I04":  {"django": "several leaves", "alembic": "several heads", "rails": full, "*": none},
	"I05":  {"django": "two leaves after the merge", "alembic": "two heads after the merge", "*": none},
	"I07":  {"django": "an operation without a reverse", "alembic": "no downgrade()", "rails": "IrreversibleMigration", "*": none},
	"I09":  {"django": "a folder without __init__.py", "*": none},
	"I12":  {"*": full},
	"M208": {"*": none},
	"M216": {"*": none},
	"M219": {"*": none},
	"M304": {"*": none},
	"M401": {"*": none},
}
