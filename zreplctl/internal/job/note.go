package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// readNote reads a file of JSON that a run has left. The error is
// fs.ErrNotExist only if no run has: a file that is there and cannot be read
// says nothing about the runs, and least of all that there were none.
func readNote(dir state.Dir, name string, most int64, into any) error {
	text, err := dir.Read(name, most)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%q is damaged: %w", dir.Where(name), err)
	}
	return nil
}

// unlessMissing is err, or nil if it says that a file was never written.
func unlessMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
