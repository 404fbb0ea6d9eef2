package zfssim

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// An op is one change of the directory. Done twice in a row it is as if done
// once, which is all that replay needs.
type op struct {
	verb byte
	a, b string // paths below the root, or (for opPut and opLink) the content
}

const (
	opPut    = 'p' // write the file a with content b
	opMove   = 'm' // rename a to b
	opRemove = 'r' // remove the tree a
	opMkdir  = 'd' // make the directory a and what is above it
	opLink   = 'l' // make a symbolic link a to b
)

// commit makes all the ops happen, or none of them: written down and renamed
// into place they are decided, and whoever opens the store next finishes them.
func (s *store) commit(ops []op) error {
	if len(ops) == 0 {
		return nil
	}
	if len(ops) == 1 && ops[0].verb != opRemove {
		return s.apply(ops[0])
	}
	if err := s.writeJournal(ops); err != nil {
		return err
	}
	return s.replay()
}

func (s *store) writeJournal(ops []op) error {
	f, err := os.Create(s.path("journal.new"))
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<16)
	for _, o := range ops {
		var head [9]byte
		head[0] = o.verb
		binary.LittleEndian.PutUint32(head[1:], uint32(len(o.a)))
		binary.LittleEndian.PutUint32(head[5:], uint32(len(o.b)))
		w.Write(head[:])
		w.WriteString(o.a)
		w.WriteString(o.b)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	os.Remove(s.path("journal.done"))
	return os.Rename(s.path("journal.new"), s.path("journal"))
}

// replay carries out the journal, if there is one. journal.done has one byte
// for each op that is known to be finished: an op that moves something may be
// undone by a later one, so that starting over would not be the same.
func (s *store) replay() error {
	data, err := os.ReadFile(s.path("journal"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	done, err := os.OpenFile(s.path("journal.done"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer done.Close()
	skip, err := done.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	for n := int64(0); len(data) > 0; n++ {
		o, rest, err := decodeOp(data)
		if err != nil {
			return err
		}
		data = rest
		if n < skip {
			continue
		}
		if err := s.apply(o); err != nil {
			return err
		}
		if _, err := done.Write([]byte{'.'}); err != nil {
			return err
		}
	}
	return os.Remove(s.path("journal"))
}

func decodeOp(data []byte) (op, []byte, error) {
	if len(data) < 9 {
		return op{}, nil, errors.New("journal is cut short")
	}
	a := int(binary.LittleEndian.Uint32(data[1:]))
	b := int(binary.LittleEndian.Uint32(data[5:]))
	if len(data) < 9+a+b {
		return op{}, nil, errors.New("journal is cut short")
	}
	o := op{verb: data[0], a: string(data[9 : 9+a]), b: string(data[9+a : 9+a+b])}
	return o, data[9+a+b:], nil
}

func (s *store) apply(o op) error {
	path := s.abs(o.a)
	switch o.verb {
	case opPut:
		return replaceFile(path, o.b)
	case opMove:
		return move(path, s.abs(o.b))
	case opRemove:
		return removeAll(path)
	case opMkdir:
		return os.MkdirAll(path, 0o755)
	case opLink:
		os.Remove(path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.Symlink(o.b, path)
	}
	return fmt.Errorf("journal has an unknown verb %q", o.verb)
}

// abs leaves absolute paths (a mountpoint under an alternative root) alone.
func (s *store) abs(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return s.path(path)
}

func replaceFile(path, content string) error {
	tmp := path + ".new"
	err := os.WriteFile(tmp, []byte(content), 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		err = os.WriteFile(tmp, []byte(content), 0o644)
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// move renames, making room: an empty directory in the way is what a
// mountpoint looks like before something is mounted on it.
func move(from, to string) error {
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil // done before
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.Rename(from, to)
}
