package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Op is what became of an object.
type Op string

// The operations.
const (
	Added   Op = "added"
	Dropped Op = "dropped"
	Changed Op = "changed"
	Renamed Op = "renamed"
)

// Change is one difference between two snapshots of one database, or of two.
type Change struct {
	Op            Op
	Before, After Object // the zero Object where there is none
}

// Object is the one that is there: after, when there are two.
func (c Change) Object() Object {
	if c.Op == Dropped {
		return c.Before
	}
	return c.After
}

// Kind is that of the object.
func (c Change) Kind() string { return c.Object().Kind }

// String says it for people, in one line.
func (c Change) String() string {
	switch c.Op {
	case Renamed:
		return fmt.Sprintf("%s renamed to %s", c.Before, c.After.Name)
	case Changed:
		return fmt.Sprintf("%s changed from %q to %q", c.After, short(c.Before.Definition), short(c.After.Definition))
	case Added:
		if text := short(c.After.Definition); text != "" {
			return fmt.Sprintf("%s added: %s", c.After, text)
		}
	}
	return fmt.Sprintf("%s %s", c.Object(), c.Op)
}

// short keeps a definition to one line.
func short(definition string) string {
	text := strings.Join(strings.Fields(definition), " ")
	if runes := []rune(text); len(runes) > 120 {
		text = string(runes[:119]) + "…"
	}
	return text
}

// Compare lists what differs, sorted by kind and name, without telling renames: for two
// databases, whose objects have nothing but their names in common. Parts of a relation
// that is missing or new as a whole are left out.
func Compare(before, after *Snapshot) []Change {
	var changes []Change
	for _, o := range before.Objects {
		now, ok := after.Find(o.Kind, o.Name)
		switch {
		case !ok:
			changes = append(changes, Change{Op: Dropped, Before: o})
		case now.Definition != o.Definition:
			changes = append(changes, Change{Op: Changed, Before: o, After: now})
		}
	}
	for _, o := range after.Objects {
		if _, ok := before.Find(o.Kind, o.Name); !ok {
			changes = append(changes, Change{Op: Added, After: o})
		}
	}
	return sorted(withoutParts(changes))
}

// Follow is Compare for two moments of one database (or of a clone of it), where an
// object keeps its oid when it gets another name. The parts of a renamed relation count
// as renamed with it, unless they changed besides.
func Follow(before, after *Snapshot) []Change {
	type identity struct {
		kind        string
		oid, number int64
	}
	id := func(o Object) (identity, bool) {
		switch o.Kind {
		case "grant", "inheritance", "comment":
			return identity{}, false // no oid of their own
		}
		return identity{o.Kind, o.OID, o.Number}, true
	}
	old := map[identity]Object{}
	for _, o := range before.Objects {
		if key, ok := id(o); ok {
			old[key] = o
		}
	}
	moved := map[Key]bool{} // renamed, by the old name
	var changes []Change
	for _, o := range after.Objects {
		if _, same := before.Find(o.Kind, o.Name); same {
			continue
		}
		key, ok := id(o)
		was, known := old[key]
		if !ok || !known {
			continue
		}
		if _, still := after.Find(was.Kind, was.Name); still {
			continue
		}
		moved[was.Key()], moved[o.Key()] = true, true
		changes = append(changes, Change{Op: Renamed, Before: was, After: o})
	}
	names := names(changes)
	for _, c := range Compare(before, after) {
		switch {
		case c.Op == Changed && names.Replace(c.Before.Definition) == c.After.Definition:
		case c.Op == Changed || !moved[c.Object().Key()]:
			changes = append(changes, c)
		}
	}
	return sorted(withoutParts(changes))
}

// names turns the old names of renamed things into the new ones, as the server does
// in the definitions that mention them.
func names(renamed []Change) *strings.Replacer {
	var pairs []string
	for _, c := range renamed {
		pairs = append(pairs, c.Before.Name, c.After.Name)
	}
	return strings.NewReplacer(pairs...)
}

// withoutParts drops what goes without saying: the columns of a dropped table, the
// index of a renamed one.
func withoutParts(changes []Change) []Change {
	whole := map[Op]map[string]bool{Added: {}, Dropped: {}, Renamed: {}}
	renamed := map[string]string{}
	for _, c := range changes {
		if !isRelation(c.Kind()) && c.Kind() != "schema" {
			continue
		}
		switch c.Op {
		case Renamed:
			renamed[c.Before.Name] = c.After.Name
		case Added, Dropped:
			whole[c.Op][c.Object().Name] = true
		}
	}
	return slices.DeleteFunc(changes, func(c Change) bool {
		if c.Op == Renamed {
			to, part := renamed[c.Before.Parent]
			return part && to == c.After.Parent && last(c.Before.Name) == last(c.After.Name)
		}
		return c.Op != Changed && whole[c.Op][c.Object().Parent]
	})
}

func isRelation(kind string) bool {
	switch kind {
	case "table", "view", "materialized view", "foreign table":
		return true
	}
	return false
}

// last is the name without what it is part of.
func last(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

func sorted(changes []Change) []Change {
	slices.SortStableFunc(changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Kind(), b.Kind()), cmp.Compare(a.Object().Name, b.Object().Name), cmp.Compare(a.Op, b.Op))
	})
	return changes
}
