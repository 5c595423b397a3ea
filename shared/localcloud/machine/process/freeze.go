package process

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Freeze copies the disk and names the copy by a digest of its paths, modes,
// links and bytes, made in the same pass. It is a real copy: hard links would
// let a running server change an image.
func (d *Driver) Freeze(instance string) (content string, err error) {
	end, err := d.begin()
	if err != nil {
		return "", err
	}
	defer end()
	found, err := d.disk(instance)
	if err != nil {
		return "", err
	}
	found.mu.Lock()
	defer found.mu.Unlock()
	if err := found.off(); err != nil {
		return "", fmt.Errorf("freeze a disk: %w", err)
	}
	content, err = d.keep(found)
	if err != nil {
		return "", fmt.Errorf("freeze the disk of %s: %w", instance, err)
	}
	return content, nil
}

func (d *Driver) keep(found *disk) (content string, err error) {
	temporary, err := os.MkdirTemp(filepath.Join(d.root, "contents"), "new-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, removeTree(temporary)) }()
	sum := sha256.New()
	job := copying{
		from: found.path(), to: filepath.Join(temporary, "disk"),
		old: found.path(), new: d.frozenPath(), digest: sum,
	}
	if err := job.run(); err != nil {
		return "", err
	}
	content = hex.EncodeToString(sum.Sum(nil))
	kept, err := d.contentPath(content)
	if err != nil {
		return "", err
	}
	if _, err := os.Lstat(kept); err == nil {
		return content, nil // an equal disk was frozen before
	}
	return content, os.Rename(job.to, kept)
}
