package cli

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// Program finds another program of this project: beside the executable that
// runs, so that programs of one build use each other, and then in $PATH. The
// path it returns is absolute.
func Program(name string) (string, error) {
	if own, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(own), name)
		if path, err := exec.LookPath(beside); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrNotFound) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return "", Hint(Cannot("find program", name, err), "install it beside this program or in a directory of $PATH")
	}
	return filepath.Abs(path)
}
