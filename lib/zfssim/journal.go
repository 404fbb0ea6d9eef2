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
	"strconv"
	"syscall"
)

// An op is one change of the directory. Done twice in a row it is as if done
// once, which is all that replay needs.
type op struct {
	verb byte
	a, b string // paths below the root, or (for opPut and opLink) the content
	c    string // opMount: where what is covered waits
}

const (
	opPut    = 'p' // write the file a with content b
	opMove   = 'm' // rename a to b
	opRemove = 'r' // remove the tree a
	opMkdir  = 'd' // make the directory a and what is above it
	opLink   = 'l' // make a symbolic link a to b
	opAppend = 'a' // write the content b into the file a from the offset c, where it then ends
	opMount  = 'M' // rename a to b; what b was, if not empty, waits in @under beside a
	opUnder  = 'U' // put what waits in a back to b, or make b an empty directory
	opRmdir  = 'D' // remove the directory a if it is empty
)

// commit makes all the ops happen, or none of them: written down and renamed
// into place they are decided, and whoever opens the store next finishes them.
func (s *store) commit(ops []op) error {
	if len(ops) == 0 {
		return nil
	}
	if len(ops) == 1 && ops[0].verb == opPut {
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
		var head [opHead]byte
		head[0] = o.verb
		binary.LittleEndian.PutUint32(head[1:], uint32(len(o.a)))
		binary.LittleEndian.PutUint32(head[5:], uint32(len(o.b)))
		binary.LittleEndian.PutUint32(head[9:], uint32(len(o.c)))
		w.Write(head[:])
		w.WriteString(o.a)
		w.WriteString(o.b)
		w.WriteString(o.c)
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

const opHead = 13

func decodeOp(data []byte) (op, []byte, error) {
	if len(data) < opHead {
		return op{}, nil, errors.New("journal is cut short")
	}
	a := opHead + int(binary.LittleEndian.Uint32(data[1:]))
	b := a + int(binary.LittleEndian.Uint32(data[5:]))
	c := b + int(binary.LittleEndian.Uint32(data[9:]))
	if len(data) < c {
		return op{}, nil, errors.New("journal is cut short")
	}
	o := op{verb: data[0], a: string(data[opHead:a]), b: string(data[a:b]), c: string(data[b:c])}
	return o, data[c:], nil
}

func (s *store) apply(o op) error {
	path := s.abs(o.a)
	switch o.verb {
	case opPut:
		return replaceFile(path, o.b)
	case opAppend:
		return appendAt(path, o.b, o.c)
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
	case opMount:
		return mountOver(path, s.abs(o.b), s.abs(o.c))
	case opUnder:
		return uncover(path, s.abs(o.b))
	case opRmdir:
		os.Remove(path)
		return nil
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

func appendAt(path, content, offset string) error {
	at, err := strconv.ParseInt(offset, 10, 64)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(content), at); err != nil {
		return err
	}
	return f.Truncate(at + int64(len(content)))
}

// move renames. os.Rename would refuse an empty directory in the way.
func move(from, to string) error {
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil // done before
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := syscall.Rename(from, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// mountOver moves from to where it is mounted, and first what is there and
// not empty out of sight.
func mountOver(from, to, under string) error {
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil // done before
	}
	if list, err := os.ReadDir(to); err == nil && len(list) > 0 {
		if err := move(to, under); err != nil {
			return err
		}
	}
	return move(from, to)
}

func uncover(under, at string) error {
	if _, err := os.Lstat(under); err == nil {
		return move(under, at)
	}
	return os.MkdirAll(at, 0o755)
}
