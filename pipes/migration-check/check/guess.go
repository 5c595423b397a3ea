package check

import (
	"context"
	"path"
	"regexp"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/migration-check/rule"
	"bitbucket.org/fearless/pipes/shared/exit"
)

// models is where frameworks keep what becomes tables.
var models = []string{
	"**/models/**", "**/models.py", "**/entity/**", "**/entities/**", "**/*.entity.ts", "**/schema.prisma", "**/ent/schema/**",
	"app/models/**", "db/schema.rb", "**/structure.sql", "**/schema.sql", "**/queries/*.sql",
}

// trailer silences the guess, and nothing else.
var trailer = regexp.MustCompile(`(?mi)^Migration:\s*none\s*-\s*(\S.*)$`)

// guessed is the last resort for question (a): files that model data changed, and no
// migration came with them.
func (c *check) guessed(ctx context.Context) error {
	c.notJudged("whether the schema is what the code wants: set SCHEMA_FILE, SCHEMA_COMMAND or CHECK_COMMAND")
	if len(c.new) > 0 {
		return nil
	}
	patterns := []string(c.s.ModelPaths)
	if len(patterns) == 0 {
		patterns = models
	}
	for _, f := range c.changes.Files {
		if c.isMigration(f.Path) || strings.HasSuffix(f.Path, "_test.go") || !matchesAny(patterns, f.Path) {
			continue
		}
		message, err := c.repo.Message(ctx, c.repo.Head)
		if err != nil {
			return exit.Unablef("%w", err)
		}
		if m := trailer.FindStringSubmatch(message); m != nil {
			c.rt.Console.Info("no migration with the change of %s: %s", f.Path, m[1])
			return nil
		}
		c.add(rule.Find("A02").Finding(f.Path, 0, "%s models data and has changed; no migration was added.", f.Path))
		return nil
	}
	return nil
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if matches(strings.Split(p, "/"), strings.Split(name, "/")) {
			return true
		}
	}
	return false
}

// matches knows ** for any number of folders, and what path.Match knows within one.
func matches(pattern, name []string) bool {
	switch {
	case len(pattern) == 0:
		return len(name) == 0
	case pattern[0] == "**" && len(pattern) == 1:
		return len(name) > 0
	case pattern[0] == "**":
		for at := range len(name) + 1 {
			if matches(pattern[1:], name[at:]) {
				return true
			}
		}
		return false
	case len(name) == 0:
		return false
	}
	ok, err := path.Match(pattern[0], name[0])
	return err == nil && ok && matches(pattern[1:], name[1:])
}
