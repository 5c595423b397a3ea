package linter

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"bitbucket.org/fearless/pipes/shared/finding"
)

// longestSource is how much of a line is kept as the source of a finding.
const longestSource = 1000

// fill gives findings the text of their line, as the linter saw it: a comparison
// with the base needs it. Each file is read once.
func fill(dir string, findings []finding.Finding) {
	wanted := map[string]map[int][]int{}
	for i, f := range findings {
		if f.Source != "" || f.File == "" || f.Line <= 0 {
			continue
		}
		if wanted[f.File] == nil {
			wanted[f.File] = map[int][]int{}
		}
		wanted[f.File][f.Line] = append(wanted[f.File][f.Line], i)
	}
	for name, lines := range wanted {
		file, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			continue // a finding without its line still counts
		}
		scanner := bufio.NewScanner(file)
		scanner.Buffer(nil, 1<<20)
		for line := 1; scanner.Scan(); line++ {
			for _, i := range lines[line] {
				findings[i].Source = shortened(strings.TrimRight(scanner.Text(), "\r"))
			}
		}
		_ = file.Close()
	}
}

func shortened(line string) string {
	if len(line) > longestSource {
		line = line[:longestSource]
	}
	return strings.ToValidUTF8(line, "\uFFFD")
}

func number(n int) string { return strconv.Itoa(n) }
