package zfssim

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// An applier carries out the records of a log on a tree whose files may be
// shared: it writes only to files that it made.
type applier struct {
	dir  string
	head *head
	cur  uint64
	path string
	file *os.File
	end  attributes
	dirs []entry
}

func (a *applier) run(log io.Reader) error {
	var buf [recordSize]byte
	for {
		if _, err := io.ReadFull(log, buf[:]); errors.Is(err, io.EOF) {
			return a.finish()
		} else if err != nil {
			return err
		}
		var rec record
		rec.decode(buf[:], binary.LittleEndian)
		rec.payload = make([]byte, rec.size)
		if _, err := io.ReadFull(log, rec.payload); err != nil {
			return err
		}
		if err := a.record(&rec); err != nil {
			return err
		}
	}
}

func (a *applier) record(rec *record) error {
	switch rec.kind {
	case drrSpill:
		if err := a.closeFile(); err != nil {
			return err
		}
		path, err := a.inside(string(rec.payload))
		if err != nil {
			return err
		}
		return removeAll(path)
	case drrObject:
		if rec.object == 1 {
			return decode(rec.payload, a.head)
		}
		return a.object(rec)
	case drrWrite, drrFree:
		if a.file == nil || a.cur != rec.object {
			return errRecord
		}
		p := rec.payload
		if rec.kind == drrFree {
			p = make([]byte, min(rec.length, maxPayload))
		}
		_, err := a.file.WriteAt(p, int64(rec.offset))
		return err
	}
	return errRecord
}

// inside refuses paths that leave the tree.
func (a *applier) inside(path string) (string, error) {
	if !filepath.IsLocal(path) || path == ".zfs" {
		return "", errors.New("invalid stream (bad path)")
	}
	at := a.dir
	for _, part := range strings.Split(filepath.Dir(path), "/") {
		at = filepath.Join(at, part)
		if info, err := os.Lstat(at); err == nil && info.Mode()&os.ModeSymlink != 0 {
			return "", errors.New("invalid stream (path through a symbolic link)")
		}
	}
	return filepath.Join(a.dir, path), nil
}

func (a *applier) object(rec *record) error {
	if a.cur == rec.object && a.file != nil {
		return nil // sent again where the stream was resumed
	}
	if err := a.closeFile(); err != nil {
		return err
	}
	var e entry
	if err := decode(rec.payload, &e); err != nil {
		return err
	}
	path, err := a.inside(e.Path)
	if err != nil {
		return err
	}
	a.cur = rec.object
	switch e.Kind {
	case "d":
		e.MTime = rec.mtime
		a.dirs = append(a.dirs, e)
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		return os.Chmod(path, 0o700)
	case "l":
		os.Remove(path)
		if err := os.Symlink(e.Link, path); err != nil {
			return err
		}
		e.attributes.Link = true
		return setAttributes(path, e.attributes)
	}
	return a.openFile(path, &e)
}

// openFile replaces the path by a file of its own, with the base's content
// where the stream says that it goes on from there.
func (a *applier) openFile(path string, e *entry) error {
	if info, err := os.Lstat(path); err == nil && e.Keep {
		if !info.Mode().IsRegular() {
			return errChecksum
		}
		if err := copyFile(path, path+"%new", info); err != nil {
			return err
		}
		if err := os.Rename(path+"%new", path); err != nil {
			return err
		}
	} else if err := os.RemoveAll(path); err != nil {
		return err
	}
	os.Chmod(path, 0o600)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	a.file, a.path, a.end = f, path, e.attributes
	return f.Truncate(e.Size)
}

func (a *applier) closeFile() error {
	if a.file == nil {
		return nil
	}
	err := a.file.Close()
	a.file = nil
	return errors.Join(err, setAttributes(a.path, a.end))
}

func (a *applier) finish() error {
	if err := a.closeFile(); err != nil {
		return err
	}
	for i := len(a.dirs) - 1; i >= 0; i-- {
		if err := setAttributes(filepath.Join(a.dir, a.dirs[i].Path), a.dirs[i].attributes); err != nil {
			return err
		}
	}
	return nil
}
