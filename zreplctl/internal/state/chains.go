package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// maxChains is how large a file of chains grows before another one is begun.
// The one before is kept.
const maxChains = 4 << 20

// chainsName is the file of one receiver: no other can fill it. Neither name
// holds an @.
func chainsName(job, id string) string { return job + "@" + id + chainsEnd }

const chainsEnd = ".chains"

// Chain is a stream of several snapshots that began once.
type Chain struct {
	Dataset  string
	From, To dataset.GUID
	Bookmark bool // the job keeps bookmarks of what has arrived, and no holds
}

// line begins with a line break: one that a full disk cut does not spoil it.
func (c Chain) line() string {
	kept := "hold"
	if c.Bookmark {
		kept = "bookmark"
	}
	return fmt.Sprintf("\n%s\t%v\t%v\t%s\n", c.Dataset, c.From, c.To, kept)
}

func parseChain(line string) (c Chain, ok bool) {
	f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
	if len(f) != 4 || dataset.CheckName(f[0]) != nil {
		return c, false
	}
	from, err1 := dataset.ParseGUID(f[1])
	to, err2 := dataset.ParseGUID(f[2])
	return Chain{f[0], from, to, f[3] == "bookmark"}, err1 == nil && err2 == nil
}

// NoteChain notes that a stream of several snapshots of a dataset begins, to
// the receiver that id names. It is a note of where to look: whether the stream
// is still under way, holds and bookmarks say. The note is on disk before the
// stream begins.
func (d Dir) NoteChain(job, id string, c Chain) error {
	if d.IsNone() {
		return nil
	}
	if err := d.Make(); err != nil {
		return err
	}
	path := d.Path(chainsName(job, id))
	lock, err := d.lock(chainsName(job, id))
	if err != nil {
		return err
	}
	defer lock.Close()
	if info, err := os.Lstat(path); err == nil && info.Size() > maxChains {
		if err := os.Rename(path, path+".old"); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return d.unusable(err)
	}
	_, err = f.WriteString(c.line())
	return d.unusable(errors.Join(err, f.Sync(), f.Close()))
}

// Chains calls each with all chains that jobs have noted, the oldest of each
// receiver first. Lines that were not written whole are left out.
func (d Dir) Chains(each func(Chain)) error {
	if d.IsNone() {
		return nil
	}
	entries, err := os.ReadDir(d.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		name := strings.TrimSuffix(entry.Name(), ".old")
		of, id, ok := strings.Cut(strings.TrimSuffix(name, chainsEnd), "@")
		if !ok || name != chainsName(of, id) {
			continue
		}
		// A directory is read in the order of names: X before X.old.
		if older := entry.Name() != name; older && there(filepath.Join(d.path, name)) {
			continue
		}
		for _, file := range []string{name + ".old", name} {
			if err := d.readChains(file, each); err != nil {
				return err
			}
		}
	}
	return nil
}

// ChainsOf calls each with the chains that files of one owner note.
func (d Dir) ChainsOf(l Left, each func(Chain)) error {
	for _, file := range l.Files {
		if !strings.HasSuffix(strings.TrimSuffix(file, ".old"), chainsEnd) {
			continue
		}
		if err := d.readChains(file, each); err != nil {
			return err
		}
	}
	return nil
}

func (d Dir) readChains(file string, each func(Chain)) error {
	text, err := d.Read(file, 2*maxChains)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if c, ok := parseChain(line); ok {
			each(c)
		}
	}
	return nil
}
