package tool_test

import (
	"regexp"
	"testing"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/pipes/migration-check/tool"
)

// foreign are words that a tool's users do not know: files and settings of golang-migrate,
// psql, and what only other frameworks have.
var foreign = map[string]*regexp.Regexp{
	"django":   regexp.MustCompile(`alembic|\bop\.|downgrade|revision|rails|add_index|disable_ddl|ignored_columns|:concurrently|server_default`),
	"alembic":  regexp.MustCompile(`[Dd]jango|makemigrations|RunPython|RunSQL|db_default|AddIndex|SeparateDatabase|null=True|rails|add_index|disable_ddl|ignored_columns|:concurrently`),
	"rails":    regexp.MustCompile(`[Dd]jango|makemigrations|RunPython|RunSQL|db_default|AddIndex|SeparateDatabase|null=True|alembic|\bop\.|downgrade|server_default`),
	"commands": regexp.MustCompile(`[Dd]jango|makemigrations|RunPython|RunSQL|db_default|AddIndex|SeparateDatabase|alembic|\bop\.|downgrade|server_default|rails|add_index|disable_ddl|ignored_columns`),
}

var (
	folders = regexp.MustCompile(`golang-migrate|\.up\.|\.down\.|schema_migrations|psql|(up|down) (file|migration)|(one|this|its|the|per|a) file\b|COPY|no-tx-wrap`)
	bare    = regexp.MustCompile(`\b(CREATE|ALTER|ADD CONSTRAINT|VALIDATE|CHECK \(|SET LOCAL|NOT VALID|CONCURRENTLY)\b`)
	through = regexp.MustCompile(`RunSQL|op\.execute|\bexecute "`)
)

// TestWords holds what is said about each rule against the tool of which it is said: no
// words of another one, and no SQL that would not go through the framework.
func TestWords(t *testing.T) {
	t.Parallel()
	for name, strange := range foreign {
		for _, r := range rule.Catalogue {
			if rule.Applies(r.ID, name) == "" {
				continue
			}
			said := tool.WordsFor(name, r.ID)
			why, instead := said.Why, said.Instead
			if why == "" {
				why = r.Why
			}
			if instead == "" {
				instead = r.Instead
			}
			for _, wrong := range []*regexp.Regexp{strange, folders} {
				if found := wrong.FindString(why + "\n" + instead); found != "" {
					t.Errorf("%s, %s: %q has no meaning there: %s %s", name, r.ID, found, why, instead)
				}
			}
			if found := bare.FindString(instead); found != "" && name != "commands" && !through.MatchString(instead) {
				t.Errorf("%s, %s: %q is SQL, and not a way of the framework: %s", name, r.ID, found, instead)
			}
		}
	}
	for name := range foreign {
		if said := tool.WordsFor(name, "D04"); said.Instead == "" || said.Instead == rule.Find("D04").Instead {
			t.Errorf("%s speaks of files: %+v", name, said)
		}
	}
}
