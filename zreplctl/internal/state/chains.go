package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// maxChains is how large a file of chains grows before another one is begun.
// The one before is kept.
const maxChains = 4 << 20

func chainsName(job string) string { return job + ".chains" }

// NoteChain notes that a stream of several snapshots of a dataset begins. It
// is a note of where to look: whether it is still under way, holds say.
func (d Dir) NoteChain(job, ds string, from, to dataset.GUID) error {
	if d.IsNone() {
		return nil
	}
	if err := d.Make(); err != nil {
		return err
	}
	path := d.Path(chainsName(job))
	if info, err := os.Lstat(path); err == nil && info.Size() > maxChains {
		if err := os.Rename(path, path+".old"); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s\t%v\t%v\n", ds, from, to)
	return errors.Join(err, f.Close())
}

// Chains calls each with the chains that were noted, the oldest first. Lines
// that were not written whole are left out.
func (d Dir) Chains(job string, each func(ds string, from, to dataset.GUID)) error {
	if d.IsNone() {
		return nil
	}
	for _, name := range []string{chainsName(job) + ".old", chainsName(job)} {
		text, err := d.Read(name, 2*maxChains)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			if len(f) != 3 || dataset.CheckName(f[0]) != nil {
				continue
			}
			from, err1 := dataset.ParseGUID(f[1])
			to, err2 := dataset.ParseGUID(f[2])
			if err1 == nil && err2 == nil {
				each(f[0], from, to)
			}
		}
	}
	return nil
}
