package agent

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
)

// readMark reads what this or another server noted on this disk; without a
// file it is the zero value. An image can carry the notes of the server that
// it was made from, so every mark holds the instance's id.
func readMark[T any](file string) (T, error) {
	var mark T
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return mark, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &mark)
	}
	return mark, err
}

// writeMark replaces the file at once: half a mark is worse than none.
func writeMark(file string, mark any) error {
	data, err := json.Marshal(mark)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err == nil {
		err = os.WriteFile(file+".new", data, 0o644)
	}
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	return err
}
