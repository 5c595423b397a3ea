package clone

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitattributes"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// attributes are the rules of a repository's .gitattributes files, the weakest first.
//
// The library reads the rules and matches patterns; which rule wins is decided here,
// since its matcher stops early when a stronger rule sets some other attribute.
type attributes struct {
	rules []gitattributes.MatchAttribute
}

// read adds the rules of the folder dir.
func (a *attributes) read(tree *object.Tree, dir string) error {
	entry, err := tree.FindEntry(".gitattributes")
	if errors.Is(err, object.ErrEntryNotFound) || err == nil && !entry.Mode.IsFile() {
		return nil
	}
	if err != nil {
		return err
	}
	file, err := tree.TreeEntryFile(entry)
	if err != nil {
		return fmt.Errorf(".gitattributes of %q: %w", dir, err)
	}
	content, err := file.Contents()
	if err != nil {
		return fmt.Errorf(".gitattributes of %q: %w", dir, err)
	}
	var domain []string
	if dir != "" {
		domain = strings.Split(dir, "/")
	}
	for line := range strings.Lines(content) {
		// A line that git itself would ignore (a bad name, a macro in a sub-folder)
		// is ignored here as well.
		rule, err := gitattributes.ParseAttributesLine(line, domain, false)
		if err == nil && rule.Pattern != nil {
			a.rules = append(a.rules, rule)
		}
	}
	return nil
}

// value is the last word of the rules on one attribute of one path.
func (a *attributes) value(name, attribute string) (set bool, value string) {
	if len(a.rules) == 0 {
		return false, ""
	}
	parts := strings.Split(name, "/")
	for _, rule := range a.rules {
		for _, attr := range rule.Attributes {
			if attr.Name() == attribute && rule.Pattern.Match(parts) {
				set, value = attr.IsSet() || attr.IsValueSet(), attr.Value()
			}
		}
	}
	return set, value
}

// ignored reports whether an archive leaves the path out.
func (a *attributes) ignored(name string) bool {
	set, _ := a.value(name, "export-ignore")
	return set
}

// lfs reports whether the path's content is kept in Git LFS.
func (a *attributes) lfs(name string) bool {
	_, value := a.value(name, "filter")
	return value == "lfs"
}
