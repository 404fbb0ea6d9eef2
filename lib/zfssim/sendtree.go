package zfssim

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// An entry is the payload of an OBJECT record: one path of the tree.
type entry struct {
	Path string `json:"path"`
	Kind string `json:"kind"` // d, f, l
	Size int64  `json:"size,omitempty"`
	Link string `json:"link,omitempty"` // target of a symbolic link
	Keep bool   `json:"keep,omitempty"` // the file continues from what the base has
	attributes
}

// A head is the payload of OBJECT record 1: what is of the dataset, not of a path.
// A copy sends the same head and the same entries: they are what zdigest(5)
// covers. So the time of a directory, which an increment does not bring, stands
// elsewhere in the record.
type head struct {
	Volume   bool   `json:"volume,omitempty"`
	VolSize  string `json:"volsize,omitempty"`
	VolBlock string `json:"volblocksize,omitempty"`
	Ref      uint64 `json:"ref"`
	Crypt    string `json:"crypt,omitempty"`
	Key      *key   `json:"key,omitempty"`
}

// A treeSend writes the difference of two trees as records.
type treeSend struct {
	w        *recordWriter
	toguid   uint64
	from, to string
	object   uint64 // resume: skip what comes before
	offset   uint64
}

func (s *treeSend) run(h head) error {
	if s.object <= 1 {
		payload, err := encode(&h)
		if err != nil {
			return err
		}
		if err := s.record(drrObject, 1, 0, 0, payload); err != nil {
			return err
		}
	}
	changes, err := diffTrees(s.from, s.to)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if err := s.change(c); err != nil {
			return err
		}
	}
	return nil
}

func (s *treeSend) record(kind uint32, object, offset, length uint64, payload []byte) error {
	return s.w.write(&record{kind: kind, object: object, offset: offset, length: length, toguid: s.toguid, payload: payload})
}

func (s *treeSend) change(c change) error {
	if c.number < s.object {
		return nil
	}
	resumed := c.number == s.object && s.offset > 0
	if c.info == nil {
		if resumed {
			return nil
		}
		return s.record(drrSpill, c.number, 0, 0, []byte(c.path))
	}
	e := entry{Path: c.path, Kind: "f", attributes: attributesOf(c.info)}
	switch {
	case c.info.IsDir():
		e.Kind = "d"
	case c.info.Mode()&fs.ModeSymlink != 0:
		e.Kind = "l"
		link, err := os.Readlink(filepath.Join(s.to, c.path))
		if err != nil {
			return err
		}
		e.Link = link
	default:
		e.Size, e.Keep = c.info.Size(), c.old != nil
	}
	r := &record{kind: drrObject, object: c.number, toguid: s.toguid}
	if e.Kind == "d" {
		r.mtime = e.MTime
	}
	if e.Kind != "f" {
		e.MTime = 0
	}
	var err error
	if r.payload, err = encode(&e); err != nil {
		return err
	}
	if err := s.w.write(r); err != nil {
		return err
	}
	if e.Kind != "f" || !c.content {
		return nil
	}
	start := uint64(0)
	if resumed {
		start = s.offset
	}
	return s.content(c, start)
}

// content sends the blocks that differ from the base's file.
func (s *treeSend) content(c change, start uint64) error {
	f, err := os.Open(filepath.Join(s.to, c.path))
	if err != nil {
		return err
	}
	defer f.Close()
	var base *os.File
	if c.old != nil {
		if base, err = os.Open(filepath.Join(s.from, c.path)); err != nil {
			return err
		}
		defer base.Close()
	}
	size := c.info.Size()
	buf, old := make([]byte, streamBlock), make([]byte, streamBlock)
	for at := int64(start); at < size; {
		if base == nil {
			from, _ := nextData(f, at, size)
			if at = max(at, from/streamBlock*streamBlock); at >= size {
				return nil
			}
		}
		n, err := f.ReadAt(buf[:min(streamBlock, size-at)], at)
		if err != nil && err != io.EOF {
			return err
		}
		m := 0
		if base != nil {
			if m, err = base.ReadAt(old[:n], at); err != nil && err != io.EOF {
				return err
			}
		}
		clear(old[m:n])
		if !bytes.Equal(buf[:n], old[:n]) {
			if err := s.block(c.number, uint64(at), buf[:n]); err != nil {
				return err
			}
		}
		at += int64(n)
	}
	return nil
}

func (s *treeSend) block(object, offset uint64, p []byte) error {
	for _, b := range p {
		if b != 0 {
			return s.record(drrWrite, object, offset, uint64(len(p)), p)
		}
	}
	return s.record(drrFree, object, offset, uint64(len(p)), nil)
}
