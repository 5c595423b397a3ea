package gate

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Loosening is one way in which a change made the configuration of golangci-lint milder.
type Loosening struct {
	File string `json:"file"`
	What string `json:"what"`
}

// standard are the linters of golangci-lint that are on unless a configuration says else.
var standard = []string{"errcheck", "govet", "ineffassign", "staticcheck", "unused"}

// isGolangciConfig tells the files that golangci-lint reads its configuration from.
func isGolangciConfig(file string) bool {
	name := path.Base(file)
	return slices.Contains([]string{".golangci.yml", ".golangci.yaml", ".golangci.toml", ".golangci.json"}, name)
}

// config is what decides how much a configuration of version 2 lets golangci-lint say.
type config struct {
	Run struct {
		Tests *bool `yaml:"tests"`
	} `yaml:"run"`
	Linters struct {
		Default    string         `yaml:"default"`
		Enable     []string       `yaml:"enable"`
		Disable    []string       `yaml:"disable"`
		Settings   map[string]any `yaml:"settings"`
		Exclusions exclusions     `yaml:"exclusions"`
	} `yaml:"linters"`
	Formatters struct {
		Enable     []string       `yaml:"enable"`
		Settings   map[string]any `yaml:"settings"`
		Exclusions exclusions     `yaml:"exclusions"`
	} `yaml:"formatters"`
	Issues   map[string]any `yaml:"issues"`
	Severity struct {
		Default string `yaml:"default"`
		Rules   []any  `yaml:"rules"`
	} `yaml:"severity"`
}

type exclusions struct {
	Generated string   `yaml:"generated"`
	Presets   []string `yaml:"presets"`
	Rules     []any    `yaml:"rules"`
	Paths     []string `yaml:"paths"`
	Except    []string `yaml:"paths-except"`
}

// loosened compares two configurations; a nil one is golangci-lint's own. It errs on the
// side of saying something. What it cannot read, it says so too.
func loosened(file string, before, now []byte) []Loosening {
	say := func(what ...string) []Loosening {
		var all []Loosening
		for _, w := range what {
			all = append(all, Loosening{file, w})
		}
		return all
	}
	if path.Ext(file) == ".toml" {
		return say("it changed, and TOML cannot be compared: look at the change")
	}
	var b, n config
	if err := yaml.Unmarshal(before, &b); err != nil {
		return nil // what was no configuration cannot become milder
	}
	if err := yaml.Unmarshal(now, &n); err != nil {
		return say("it cannot be read any more: " + firstLine(err.Error()))
	}
	var all []string
	all = append(all, lostLinters(&b, &n)...)
	all = append(all, grown("linters.exclusions", &b.Linters.Exclusions, &n.Linters.Exclusions)...)
	all = append(all, lost("formatters.enable", b.Formatters.Enable, n.Formatters.Enable)...)
	all = append(all, grown("formatters.exclusions", &b.Formatters.Exclusions, &n.Formatters.Exclusions)...)
	if on(b.Run.Tests) && !on(n.Run.Tests) {
		all = append(all, "run.tests is off: test files are not checked any more")
	}
	for _, key := range slices.Sorted(maps.Keys(n.Issues)) {
		if strings.HasPrefix(key, "new") && canonical(n.Issues[key]) != canonical(b.Issues[key]) {
			all = append(all, fmt.Sprintf("issues.%s is %s", key, canonical(n.Issues[key])))
		}
	}
	if rank := severityRank(n.Severity.Default); rank < severityRank(b.Severity.Default) {
		all = append(all, fmt.Sprintf("severity.default is %s", n.Severity.Default))
	}
	all = append(all, gained("severity.rules", anys(b.Severity.Rules), anys(n.Severity.Rules))...)
	all = append(all, milder("linters.settings", b.Linters.Settings, n.Linters.Settings)...)
	return say(all...)
}

func on(flag *bool) bool { return flag == nil || *flag }

func firstLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}

// severityRank orders golangci-lint's free words as the gate reads them.
func severityRank(word string) int {
	switch strings.ToLower(word) {
	case "info", "note", "hint", "low":
		return 0
	case "warning", "warn", "medium", "minor":
		return 1
	}
	return 2
}

// lostLinters are the linters that were on and are not any more.
func lostLinters(b, n *config) []string {
	names := slices.Concat(standard, b.Linters.Enable, b.Linters.Disable, n.Linters.Enable, n.Linters.Disable)
	slices.Sort(names)
	var all []string
	if b.Linters.Default == "all" && n.Linters.Default != "all" {
		all = append(all, fmt.Sprintf("linters.default went from all to %s", orStandard(n.Linters.Default)))
	}
	for _, name := range slices.Compact(names) {
		if b.runs(name) && !n.runs(name) {
			all = append(all, fmt.Sprintf("the linter %s does not run any more", name))
		}
	}
	return all
}

func orStandard(word string) string {
	if word == "" {
		return "standard"
	}
	return word
}

// runs tells whether a linter is on. Which ones "fast" stands for only golangci-lint knows;
// it counts as those that are named.
func (c *config) runs(linter string) bool {
	if slices.Contains(c.Linters.Disable, linter) {
		return false
	}
	if slices.Contains(c.Linters.Enable, linter) {
		return true
	}
	switch orStandard(c.Linters.Default) {
	case "all":
		return true
	case "standard":
		return slices.Contains(standard, linter)
	}
	return false
}

// grown tells what is excluded that was not.
func grown(where string, b, n *exclusions) []string {
	var all []string
	strictness := []string{"disable", "strict", "lax"} // how much each excludes
	rank := func(word string) int { return max(slices.Index(strictness, word), 0) + boolInt(word == "") }
	if rank(n.Generated) > rank(b.Generated) {
		all = append(all, fmt.Sprintf("%s.generated is %s", where, n.Generated))
	}
	all = append(all, gained(where+".presets", b.Presets, n.Presets)...)
	all = append(all, gained(where+".rules", anys(b.Rules), anys(n.Rules))...)
	all = append(all, gained(where+".paths", b.Paths, n.Paths)...)
	return append(all, lost(where+".paths-except", b.Except, n.Except)...)
}

func boolInt(b bool) int {
	if b {
		return 1 // strict is what nothing stands for
	}
	return 0
}

// gained and lost compare lists as sets; a thing that is listed twice is there once.
func gained(where string, b, n []string) []string {
	var all []string
	for _, item := range n {
		if !slices.Contains(b, item) {
			all = append(all, fmt.Sprintf("%s has %s now", where, item))
		}
	}
	return all
}

func lost(where string, b, n []string) []string {
	var all []string
	for _, item := range b {
		if !slices.Contains(n, item) {
			all = append(all, fmt.Sprintf("%s has %s no more", where, item))
		}
	}
	return all
}

// anys are the canonical texts of list items.
func anys(list []any) []string {
	var all []string
	for _, item := range list {
		all = append(all, canonical(item))
	}
	return all
}

// canonical is a value as JSON, whose keys are in order.
func canonical(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// The words with which the settings of linters begin that exclude something, or demand it.
var (
	excluding = []string{"exclude", "ignore", "skip", "allow", "disable", "except"}
	demanding = []string{"enable", "forbid", "deny", "rules", "checks", "require", "check", "blocked"}
	// reversed are limits whose lower values let more pass.
	reversed = []string{"under", "min-len", "report-under"}
)

// milder walks through the settings of linters. They have no common scheme; what a key
// demands or excludes is told by its first word, and a larger limit allows more.
func milder(where string, b, n any) []string {
	key := where[strings.LastIndex(where, ".")+1:]
	if isMap(b) || isMap(n) {
		before, _ := b.(map[string]any)
		now, _ := n.(map[string]any)
		return milderMap(where, before, now)
	}
	if isList(b) || isList(n) {
		before, _ := b.([]any)
		now, _ := n.([]any)
		return milderList(where, key, before, now)
	}
	if now, is := n.(bool); is {
		before, _ := b.(bool)
		if before && !now && begins(key, demanding) || !before && now && begins(key, excluding) {
			return []string{fmt.Sprintf("%s is %t", where, now)}
		}
		return nil
	}
	if milderNumber(key, b, n) {
		return []string{fmt.Sprintf("%s went from %v to %v", where, b, n)}
	}
	return nil
}

func isMap(value any) bool {
	_, is := value.(map[string]any)
	return is
}

func isList(value any) bool {
	_, is := value.([]any)
	return is
}

// milderNumber compares limits; of many, nothing and less means that there is none.
func milderNumber(key string, b, n any) bool {
	from, was := number(b)
	to, is := number(n)
	switch {
	case !was || !is || from == to:
		return false
	case from > 0 && to <= 0:
		return true
	}
	return (to > from) != begins(key, reversed)
}

func milderMap(where string, b, n map[string]any) []string {
	keys := slices.Concat(slices.Collect(maps.Keys(b)), slices.Collect(maps.Keys(n)))
	slices.Sort(keys)
	var all []string
	for _, key := range slices.Compact(keys) {
		all = append(all, milder(where+"."+key, b[key], n[key])...)
	}
	return all
}

func milderList(where, key string, b, n []any) []string {
	switch {
	case begins(key, excluding):
		return gained(where, anys(b), anys(n))
	case begins(key, demanding):
		all := lost(where, anys(b), anys(n))
		for _, item := range anys(n) {
			// "-SA1019" among staticcheck's checks takes one out.
			if strings.HasPrefix(item, `"-`) && !slices.Contains(anys(b), item) {
				all = append(all, fmt.Sprintf("%s has %s now", where, item))
			}
		}
		return all
	}
	return nil
}

func begins(key string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(key, w) })
}

// number reads the kinds of numbers that a YAML reader makes.
func number(value any) (float64, bool) {
	switch v := value.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
