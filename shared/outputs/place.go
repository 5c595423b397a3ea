// Package outputs hands the results of a pipe to what comes after it in the
// pipeline: files in the clone for the same step and for artifacts, and
// Bitbucket's own file of output variables where it can be written.
//
// A pipe has no outputs by itself, so we write
//
//	.fearless/outputs.env   KEY='value' lines, made to be sourced by a shell
//	.fearless/<pipe>.json   the whole result, for programs
//
// Who writes outputs.env chooses which image a later pipe deploys. So it
// carries the pipeline it belongs to, and Read ignores a file of another
// pipeline and one that came with the commit.
package outputs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
	"sync"
)

// The names inside the clone.
const (
	folder    = ".fearless"
	variables = "outputs.env"
)

// Summary is the variable with the last pipe's result in one line.
const Summary = "FEARLESS_SUMMARY"

// longestSummary keeps the summary fit for a build status or a chat message.
const longestSummary = 300

// Variable is one output.
type Variable struct{ Name, Value string }

// Place is where the outputs of one pipeline go.
type Place struct {
	Dir           string // the clone
	Pipeline      string // UUID of the pipeline, blank outside of one
	VariablesPath string // Bitbucket's file of output variables, may be blank
}

// envelope is what <pipe>.json looks like.
type envelope struct {
	Pipe     string            `json:"pipe"`
	Pipeline string            `json:"pipeline"`
	Summary  string            `json:"summary"`
	Outputs  map[string]string `json:"outputs"`
	Result   any               `json:"result,omitempty"`
}

var variableName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) })

// Write stores the result of a pipe and tells which files it wrote. Variables
// join those that earlier pipes of the same pipeline left; what another
// pipeline left is replaced. Bitbucket's own file is a bonus: where it cannot
// be written, it is not among the files, and that is all.
func (p Place) Write(pipe, summary string, vars []Variable, result any) (files []string, err error) {
	summary = oneLine(summary)
	values := make(map[string]string, len(vars))
	for _, v := range vars {
		if !variableName().MatchString(v.Name) || strings.Contains(v.Value, "\x00") {
			return nil, fmt.Errorf("output %q: not a name and a value that a shell can hold", v.Name)
		}
		values[v.Name] = v.Value
	}
	var report bytes.Buffer
	encoder := json.NewEncoder(&report)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(envelope{pipe, p.Pipeline, summary, values, result}); err != nil {
		return nil, fmt.Errorf("the result as JSON: %w", err)
	}

	dir, err := openFolder(p.Dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	vars = append(vars[:len(vars):len(vars)], Variable{Summary, summary})
	if err := dir.write(variables, p.merge(dir, vars)); err != nil {
		return nil, err
	}
	files = append(files, path.Join(folder, variables))
	if err := dir.write(pipe+".json", report.Bytes()); err != nil {
		return files, err
	}
	files = append(files, path.Join(folder, pipe+".json"))
	if p.appendVariables(vars) {
		files = append(files, p.VariablesPath)
	}
	return files, nil
}

// merge puts new variables over those the same pipeline wrote before. A file
// that cannot be understood is not ours any more and is replaced.
func (p Place) merge(dir *directory, vars []Variable) []byte {
	var all []Variable
	if text, err := dir.read(variables); err == nil {
		if pipeline, old, err := parse(text); err == nil && pipeline == p.Pipeline {
			all = old
		}
	}
	for _, v := range vars {
		all = set(all, v)
	}
	return format(p.Pipeline, all)
}

func set(all []Variable, v Variable) []Variable {
	for i := range all {
		if all[i].Name == v.Name {
			all[i] = v
			return all
		}
	}
	return append(all, v)
}

// appendVariables adds KEY=VALUE lines to Bitbucket's file. It has no quoting,
// so values of several lines are left out.
func (p Place) appendVariables(vars []Variable) bool {
	if p.VariablesPath == "" {
		return false
	}
	file, err := os.OpenFile(p.VariablesPath, os.O_APPEND|os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	var text strings.Builder
	if unfinished(file) {
		text.WriteByte('\n')
	}
	for _, v := range vars {
		if !strings.ContainsAny(v.Value, "\r\n") {
			fmt.Fprintf(&text, "%s=%s\n", v.Name, v.Value)
		}
	}
	_, err = file.WriteString(text.String())
	return err == nil
}

// unfinished tells whether somebody left the last line without its end.
func unfinished(file *os.File) bool {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err = file.ReadAt(last, info.Size()-1)
	return err == nil && last[0] != '\n'
}

// oneLine makes a summary of one line that fits.
func oneLine(text string) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > longestSummary {
		return string(runes[:longestSummary-1]) + "…"
	}
	return string(runes)
}
