// Package check answers two questions about a change: should it come with a database
// migration, and do the migrations that it brings work?
//
// It tries them on a throw-away PostgreSQL. What was seen there goes to pure code that
// judges it (packages rule and folder, and verdict.go).
package check

import (
	"path"
	"path/filepath"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/statement"
	"bitbucket.org/fearless/pipes/shared/bitbucket"
	"bitbucket.org/fearless/pipes/shared/history"
	"bitbucket.org/fearless/pipes/shared/install"
	"bitbucket.org/fearless/pipes/shared/pipe"
	"bitbucket.org/fearless/pipes/shared/settings"
)

// Name is the name of the pipe.
const Name = "migration-check"

// What to do.
const (
	ActionCheck   = "check"
	ActionInstall = "install"
)

// Settings are the variables of migration-check.
type Settings struct {
	pipe.Settings
	Bitbucket bitbucket.Settings

	Action  string        `envconfig:"ACTION" default:"check" allowed:"check,install" desc:"What to do: check the change, or install this program into .fearless/bin of the clone, for steps in whose image the project's own tool applies the migrations."`
	With    settings.List `envconfig:"WITH" example:"lint-gate" desc:"Further programs of the image to install."`
	Folder  string        `envconfig:"MIGRATIONS_PATH" default:"migrations" example:"db/migrations" desc:"Folder of the migrations, from the top of the clone."`
	Tool    string        `envconfig:"TOOL" default:"golang-migrate" allowed:"golang-migrate,sql,django,alembic,rails,commands" desc:"Who applies the migrations: golang-migrate, which is built in; sql, for folders of Flyway, dbmate, goose, Prisma and sqlx, whose files are applied in their order; django, alembic or rails, by themselves, in a step with an image of yours (ACTION: install); or commands, for other programs."`
	Program string        `envconfig:"PROGRAM" example:"DB_HOST=$PGHOST python backend/manage.py" desc:"How django, alembic or rails is called, from the top of the clone. It gets the scratch database in DATABASE_URL and in PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE. Default: python manage.py, alembic, bin/rails."`
	List    string        `envconfig:"LIST_COMMAND" example:"./migrate list" desc:"For TOOL: commands. Prints the migrations in their order, one a line: its id, and its file."`
	Up      string        `envconfig:"UP_COMMAND" example:"./migrate up $MIGRATION" desc:"For TOOL: commands. Applies what is pending, up to the id in MIGRATION unless that is blank."`
	Down    string        `envconfig:"DOWN_COMMAND" example:"./migrate down $MIGRATION" desc:"For TOOL: commands. Takes back the last migration, whose id is in MIGRATION; that of the one before it is in MIGRATION_BEFORE. Default: there is no way back."`
	Engine  string        `envconfig:"ENGINE" allowed:"postgresql,mysql,sqlite" desc:"The database that the migrations are for; mysql is MariaDB's, too. Default: that of the address in SCRATCH_DATABASE_URL, else postgresql."`
	Table   string        `envconfig:"MIGRATIONS_TABLE" default:"schema_migrations" desc:"The table in which golang-migrate, or the tool of TOOL: commands, keeps what is applied."`
	Base    string        `envconfig:"BASE" example:"main" desc:"Branch, commit or tag to compare with. Default: the destination of the pull request, else the main branch, and on that the commit before."`
	FailOn  settings.List `envconfig:"FAIL_ON" default:"missing,broken,unsafe" allowed:"missing,broken,unsafe,warning" desc:"Verdicts that fail the check. What could not be judged always does."`

	SchemaFile    string        `envconfig:"SCHEMA_FILE" example:"db/schema.sql" desc:"SQL of the schema that the code wants, such as a dump."`
	SchemaCommand string        `envconfig:"SCHEMA_COMMAND" example:"cat out/schema.sql" desc:"Command that prints such SQL. It runs in the clone, in the pipe's container."`
	CheckCommand  string        `envconfig:"CHECK_COMMAND" example:"./manage.py makemigrations --check" desc:"Command that tells whether a migration is missing. It gets DATABASE_URL of a database with all migrations applied."`
	CheckMissing  int           `envconfig:"CHECK_EXIT_MISSING" default:"1" desc:"The exit code with which CHECK_COMMAND says that one is missing. 0 says that none is; others are errors."`
	ModelPaths    settings.List `envconfig:"MODEL_PATHS" example:"app/models/**" desc:"Files whose change probably needs a migration, when nothing of the above is set. Default: where frameworks keep models."`

	SeedFile   string            `envconfig:"SEED_FILE" example:"db/seed.sql" desc:"SQL with rows for the schema of the base, on which the new migrations are tried. Default: generated rows."`
	Large      settings.List     `envconfig:"LARGE_TABLES" example:"orders, public.events" desc:"Tables that are large or busy. With it, what blocks others is a warning only."`
	Extensions settings.List     `envconfig:"EXTENSIONS" example:"pg_trgm" desc:"Extensions that an administrator has made in production, made before the migrations."`
	Roles      settings.List     `envconfig:"ROLES" example:"readonly" desc:"Roles that migrations grant to, made before the migrations."`
	Scratch    string            `envconfig:"SCRATCH_DATABASE_URL" inherit:"true" secret:"true" desc:"An empty server of this step to use in place of the private one, such as a service container with an extension of yours. Never production: databases are made and dropped there."`
	Binaries   string            `envconfig:"POSTGRES_BIN" example:"/usr/lib/postgresql/15/bin" desc:"Folder of initdb and postgres. Default: where distributions keep them."`
	Statement  settings.Duration `envconfig:"STATEMENT_TIMEOUT" default:"1m" desc:"How long one statement, or file, may run on the scratch database."`
	Disk       settings.Size     `envconfig:"DISK_LIMIT" default:"2GiB" desc:"How much disk the scratch database may take."`

	DestinationBranch string `envconfig:"BITBUCKET_PR_DESTINATION_BRANCH" context:"true" desc:"Where the pull request leads to."`
	DestinationCommit string `envconfig:"BITBUCKET_PR_DESTINATION_COMMIT" context:"true" desc:"The tip of that branch, sometimes shortened to 12 digits."`
}

// Check finds what is wrong with the settings together, or beyond their types.
func (s *Settings) Check(r *settings.Report) {
	for _, p := range []struct{ name, path string }{
		{"MIGRATIONS_PATH", s.Folder}, {"SCHEMA_FILE", s.SchemaFile}, {"SEED_FILE", s.SeedFile},
	} {
		if p.path != "" && !filepath.IsLocal(filepath.FromSlash(strings.TrimSuffix(p.path, "/"))) {
			r.Problemf(p.name, "%q leads out of the clone; expected: a path below it", p.path)
		}
	}
	s.checkTool(r)
	install.Check(r, s.Action == ActionInstall, s.With)
	if s.dialect() != statement.PostgreSQL && s.Tool != "golang-migrate" && s.Tool != "sql" {
		r.Problemf("ENGINE", "TOOL %s is tried on PostgreSQL only; on other databases: golang-migrate and sql", s.Tool)
	}
	var given []string
	for _, p := range []struct{ name, value string }{{"SCHEMA_FILE", s.SchemaFile}, {"SCHEMA_COMMAND", s.SchemaCommand}, {"CHECK_COMMAND", s.CheckCommand}} {
		if p.value != "" {
			given = append(given, p.name)
		}
	}
	if len(given) > 1 {
		r.Problemf(given[1], "%s is set, too; they answer the same question", given[0])
	}
	if s.CheckMissing < 1 || s.CheckMissing > 255 {
		r.Problemf("CHECK_EXIT_MISSING", "%d is not an exit code of a command that says no; expected: 1 to 255", s.CheckMissing)
	}
	for _, pattern := range s.ModelPaths {
		if _, err := path.Match(strings.ReplaceAll(pattern, "**", "*"), ""); err != nil {
			r.Problemf("MODEL_PATHS", "%q is not a pattern", pattern)
		}
	}
}

// checkTool finds settings that the tool does not use, or lacks.
func (s *Settings) checkTool(r *settings.Report) {
	for _, p := range []struct{ name, value string }{{"LIST_COMMAND", s.List}, {"UP_COMMAND", s.Up}} {
		if s.Tool == "commands" && p.value == "" {
			r.Problemf(p.name, "is missing; TOOL: commands needs it")
		}
	}
	for _, p := range []struct{ name, value string }{{"LIST_COMMAND", s.List}, {"UP_COMMAND", s.Up}, {"DOWN_COMMAND", s.Down}} {
		if s.Tool != "commands" && p.value != "" {
			r.Problemf(p.name, "is for TOOL: commands; this is TOOL: %s", s.Tool)
		}
	}
	if program := s.Tool == "django" || s.Tool == "alembic" || s.Tool == "rails"; s.Program != "" && !program {
		r.Problemf("PROGRAM", "is for TOOL: django, alembic and rails; this is TOOL: %s", s.Tool)
	}
}

// want is what the settings tell about the base.
func (s *Settings) want() history.Want {
	return history.Want{
		Base: s.Base, PullRequest: s.Bitbucket.PullRequest > 0, DestinationBranch: s.DestinationBranch, DestinationCommit: s.DestinationCommit,
		Branch: s.Branch, Commit: s.Commit,
	}
}
