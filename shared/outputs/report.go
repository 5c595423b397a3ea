package outputs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// ReadResult gives what another pipe of this pipeline has left as its whole result, which
// also survives steps that run at the same time: each keeps its own file. It is read into
// result; found is false when there is none, and when it must not be believed: then the
// reason says why.
func ReadResult(clone, pipe, pipeline string, result any) (found bool, reason string, err error) {
	name := pipe + ".json"
	ignored := func(format string, args ...any) (bool, string, error) {
		return false, fmt.Sprintf("%s is ignored: %s", path.Join(folder, name), fmt.Sprintf(format, args...)), nil
	}
	text, err := readOwn(clone, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, "", nil
	case errors.Is(err, errSymlink):
		return ignored("it %v", errSymlink)
	case err != nil:
		return false, "", fmt.Errorf("reading the result of %s: %w", pipe, err)
	}
	tracked, err := isTracked(clone, name)
	if err != nil {
		return ignored("cannot tell whether git tracks it: %v", err)
	}
	var e struct {
		Pipe     string          `json:"pipe"`
		Pipeline string          `json:"pipeline"`
		Result   json.RawMessage `json:"result"`
	}
	broken := json.Unmarshal(text, &e)
	switch {
	case tracked:
		return ignored("git tracks it, so a commit wrote it")
	case broken != nil:
		return ignored("%v", broken)
	case e.Pipe != pipe:
		return ignored("it is of %q", e.Pipe)
	case pipeline == "":
		return ignored("this run belongs to no pipeline")
	case e.Pipeline != pipeline:
		return ignored("pipeline %s wrote it, and this is %s", e.Pipeline, pipeline)
	}
	if err := json.Unmarshal(e.Result, result); err != nil {
		return ignored("%v", err)
	}
	return true, "", nil
}
