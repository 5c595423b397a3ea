package linter

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"bitbucket.org/fearless/pipes/pipes/lint-gate/format"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/finding"
)

// Exit codes of golangci-lint v2.
const (
	golangciFine      = 0
	golangciIssues    = 1
	golangciTimeout   = 4
	golangciNoGoFiles = 5
)

// golangciConfiguration are the names under which it looks for its settings, in
// its order.
var golangciConfiguration = []string{".golangci.yml", ".golangci.yaml", ".golangci.toml", ".golangci.json"}

// golangciArguments make it print everything it finds, whatever the settings of
// the project say about output, limits and filters, and change no file. Its own
// filter for new issues fails open (an unknown revision) or silent (a setting of
// git); what is new is decided by comparison.
var golangciArguments = []string{
	"--path-mode", "abs", "--path-prefix=", "--show-stats=false", "--issues-exit-code", "1",
	"--max-issues-per-linter", "0", "--max-same-issues", "0", "--uniq-by-line=false",
	"--new=false", "--new-from-rev=", "--new-from-merge-base=", "--new-from-patch=", "--whole-files=false",
	"--fix=false", "--allow-parallel-runners", "--color", "never",
}

// runGolangci lints module after module: two at once would share the memory.
func (r *run) runGolangci(ctx context.Context) error {
	if _, err := r.golang(); err != nil {
		return err
	}
	modules, err := r.modules(ctx)
	if err != nil {
		return err
	}
	if len(modules) == 0 && len(r.outcome.Skipped) == 0 {
		r.skip("no go.mod")
	}
	verified := map[string]bool{}
	for _, m := range modules {
		if err := r.golangciModule(ctx, m, verified); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) golangciModule(ctx context.Context, m module, verified map[string]bool) error {
	dir := filepath.Join(r.Dir, filepath.FromSlash(m.dir))
	environ, jobs := r.golangciEnviron(m, runtime.GOMAXPROCS(0))
	settings := []string{"--no-config"}
	if name := r.golangciSettings(m.dir); name != "" {
		settings = []string{"--config", filepath.Join(r.Dir, filepath.FromSlash(name))}
		if !verified[name] {
			if err := r.verify(ctx, environ, name); err != nil {
				return err
			}
			verified[name] = true
		}
	}
	filled, report, err := r.arguments([]string{"--output.json.path={report}"})
	if err != nil {
		return err
	}
	arguments := append([]string{"run"}, settings...)
	arguments = append(arguments, golangciArguments...)
	arguments = append(arguments, filled...)
	if jobs > 0 {
		arguments = append(arguments, "--concurrency", strconv.Itoa(jobs))
	}
	end, err := r.child(ctx, dir, environ, r.linter.program, append(arguments, "./...")...)
	if err != nil {
		return err
	}
	return r.golangciJudge(m, end, report)
}

// golangciSettings is the file that holds for a folder: the nearest one, up to
// the top of the clone. Left to itself, the tool would go on to the top of the
// file system and to the home folder.
func (r *run) golangciSettings(dir string) string {
	for ; ; dir = path.Dir(dir) {
		for _, name := range golangciConfiguration {
			if _, err := os.Stat(filepath.Join(r.Dir, filepath.FromSlash(dir), name)); err == nil {
				return path.Join(dir, name)
			}
		}
		if dir == "." {
			return ""
		}
	}
}

var (
	schemaPlace = regexp.MustCompile(`(?m)^jsonschema: "([^"]*)" does not validate with "[^"]*": (.*)$`)
	tooNew      = regexp.MustCompile(`the Go language version \(go([0-9.]+)\) used to build golangci-lint is lower than the targeted Go version \(([0-9.a-z]+)\)`)
	tooNewGo    = regexp.MustCompile(`go\.(?:mod|work) .*requires go >= ([0-9.a-z]+) \(running go ([0-9.a-z]+)`)
)

// verify holds the settings against their schema: golangci-lint itself ignores a
// key that it does not know, and with it the rule that somebody wanted.
func (r *run) verify(ctx context.Context, environ []string, name string) error {
	end, err := r.child(ctx, r.Dir, environ, r.linter.program, "config", "verify", "--config", filepath.Join(r.Dir, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	if end.code == golangciFine {
		return nil
	}
	text := string(end.stderr)
	var problems []string
	for _, m := range schemaPlace.FindAllStringSubmatch(text, -1) {
		where := strings.Trim(strings.ReplaceAll(m[1], "/", "."), ".")
		if where == "" {
			where = "the top level"
		}
		problems = append(problems, where+": "+strings.ReplaceAll(m[2], "additional properties", "there is no key"))
	}
	if problems == nil {
		problems = []string{strings.TrimPrefix(telling(text), "Error: ")}
	}
	return exit.Invalidf("%s is not what golangci-lint accepts: %s", name, strings.ReplaceAll(strings.Join(problems, "; "), " not allowed", "")).
		Hint("correct it: `golangci-lint config verify` checks the file, `golangci-lint migrate` brings one of version 1 to version 2")
}

// golangciJudge tells findings, code that cannot be analysed, and a tool that
// broke from each other. The exit code alone does not: 1 stands for the first
// two, and a broken run can print "0 issues".
func (r *run) golangciJudge(m module, end ended, report string) error {
	switch end.code {
	case golangciFine, golangciIssues:
	case golangciNoGoFiles:
		r.skip("module " + m.dir + ": none of its Go files is built for " + runtime.GOOS + "/" + runtime.GOARCH)
		return nil
	case golangciTimeout:
		return exit.Unablef("golangci-lint was not done with module %s in the time that run.timeout of its settings allows", m.dir).
			Hint("raise run.timeout or take it out (there is none by default), and keep the cache of this pipe between runs")
	default:
		return r.golangciBroke(m, end)
	}
	before := len(r.outcome.Findings)
	dir := filepath.Join(r.Dir, filepath.FromSlash(m.dir))
	count, err := r.read(format.Must("golangci"), report, dir)
	if err != nil {
		return err
	}
	if end.code == golangciIssues && count == 0 {
		return r.golangciBroke(m, end)
	}
	var kept, unread []finding.Finding
	for _, f := range r.outcome.Findings[before:] {
		if f.Rule == format.Typecheck {
			unread = append(unread, f)
		} else {
			kept = append(kept, f)
		}
	}
	r.outcome.Checked = append(r.outcome.Checked, m.dir)
	if len(unread) > 0 {
		r.unread, r.outcome.Findings = true, r.places(m, unread)
		return r.notAnalysed(m, r.outcome.Findings, unread)
	}
	r.outcome.Findings = append(r.outcome.Findings[:before], kept...)
	r.say(end)
	return nil
}

// golangciBroke explains a run that has not come to its end.
func (r *run) golangciBroke(m module, end ended) error {
	text := string(end.stderr)
	if n := tooNew.FindStringSubmatch(text); n != nil {
		return newer(m, n[2], n[1])
	}
	if n := tooNewGo.FindStringSubmatch(text); n != nil {
		return newer(m, n[1], n[2])
	}
	cause := strings.TrimPrefix(telling(text), "Error: ")
	if _, after, ok := strings.Cut(cause, `stderr: go: `); ok {
		cause = strings.TrimSuffix(strings.TrimSpace(strings.ReplaceAll(strings.TrimSuffix(after, `"`), `\n`, " ")), " ")
		r.Log.Output(r.label(), lastLines(text, shownLines))
		return r.notLoaded(m, cause)
	}
	if strings.Contains(text, "can't load config") || strings.Contains(text, "unknown linters") {
		return exit.Invalidf("the settings of golangci-lint for module %s cannot be used: %s", m.dir, cause).
			Hint("correct the file: `golangci-lint config verify` and `golangci-lint linters` show what it makes of it")
	}
	return r.broke(end)
}

func newer(m module, wanted, have string) error {
	return exit.Unablef("module %s is written for Go %s, and this image has Go %s", m.dir, wanted, have).
		Hint("use a version of this pipe that is built with Go "+wanted+" or newer",
			"or lower the go line of its go.mod, when it is not needed")
}

// golangciEnviron is the environment of a module's run, and how many of the processors
// it may use; 0 is all.
func (r *run) golangciEnviron(m module, processors int) (environ []string, jobs int) {
	var extra []string
	unset := func(name, content string) {
		if value(r.Environ, name) == "" {
			extra = append(extra, name+"="+content)
		}
	}
	flags := value(r.Environ, "GOFLAGS")
	if r.Cache != "" {
		// What is compiled and downloaded is the same for the base; what was found is not.
		unset("GOCACHE", filepath.Join(r.Cache, "go-build"))
		unset("GOLANGCI_LINT_CACHE", r.cacheFolder(Golangci))
		if value(r.Environ, "GOMODCACHE") == "" && value(r.Environ, "GOPATH") == "" {
			extra = append(extra, "GOMODCACHE="+filepath.Join(r.Cache, "go-mod"))
			flags += " -modcacherw" // or the clone could not be removed
		}
	}
	if !m.workspace {
		extra = append(extra, "GOWORK=off")
	}
	if limit, why := r.memory(); limit > 0 {
		jobs = min(max(int(limit/memoryPerJob), 1), processors)
		unset("GOMEMLIMIT", fmt.Sprintf("%dMiB", limit*memoryShare/100>>20))
		if jobs < processors {
			flags += " -p=" + strconv.Itoa(jobs)
		}
		r.Log.Debug("memory: %d MB, %s; %d at a time", limit>>20, why, jobs)
	}
	if flags = strings.TrimSpace(flags); flags != "" {
		extra = append(extra, "GOFLAGS="+flags)
	}
	return r.environ("", extra...), jobs
}

const (
	// memoryShare in percent is what the collector of golangci-lint aims at; the rest
	// is for what it cannot give back, and for the compilers it starts.
	memoryShare = 60
	// memoryPerJob is what each processor at work adds to the need, roughly: large
	// modules need 1.3 GB on one and 1.9 GB on two.
	memoryPerJob = 768 << 20
)
