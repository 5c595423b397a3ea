package provision

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/procfile"
)

// describe reads the Procfile again, since the script may have written it, and
// leaves image.json for the servers that start from the image.
func (r *run) describe() error {
	f, err := os.Open(r.path(filepath.Join(contract.AppRoot, "Procfile")))
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("the source tree has no Procfile")
	}
	if err != nil {
		return fmt.Errorf("cannot read the Procfile: %w", err)
	}
	defer f.Close()
	processes, err := procfile.Parse("Procfile", f)
	if err != nil {
		return err
	}
	r.result.Processes = procfile.Types(processes)
	image, err := contract.Image{
		Application: r.cfg.Application, Commit: r.cfg.Commit, Processes: r.result.Processes,
	}.Marshal()
	if err != nil {
		return err
	}
	return r.write(contract.ImageFile, image)
}

// unit starts boot at every boot of a server. TimeoutStopSec is the longest
// drain and a minute; KillMode=mixed leaves SIGTERM to boot, which passes it
// on, and SIGKILLs what is left at the end.
var unit = fmt.Sprintf(`[Unit]
Description=Runs the role of this server
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart=%s run
Restart=always
RestartSec=5
KillMode=mixed
TimeoutStopSec=%d

[Install]
WantedBy=multi-user.target
`, contract.Agent, int(contract.MaxDrain)+60)

// install writes the unit and enables it. The link is relative, so that it
// also holds where the disk is a directory.
func (r *run) install() error {
	if _, err := os.Stat(r.path(contract.Agent)); err != nil {
		return fmt.Errorf("boot is not in its place: %w", err)
	}
	if err := r.write(contract.Unit, []byte(unit)); err != nil {
		return err
	}
	link := r.path(contract.Wants)
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return fmt.Errorf("cannot enable boot: %w", err)
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot enable boot: %w", err)
	}
	if err := os.Symlink("../"+contract.UnitName, link); err != nil {
		return fmt.Errorf("cannot enable boot: %w", err)
	}
	return nil
}

func (r *run) write(name string, data []byte) error {
	file := r.path(name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}
