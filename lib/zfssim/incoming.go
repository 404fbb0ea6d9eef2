package zfssim

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A partial is a receive that is under way, or was cut and can be resumed.
// Its records lie in @recv/log as they came; a dataset is changed only when
// they are complete.
type partial struct {
	From     uint64 `json:"from,omitempty"`
	To       uint64 `json:"to"`
	ToName   string `json:"toname"`
	Snap     string `json:"snap"`
	Features uint64 `json:"features"`
	Flags    uint32 `json:"flags,omitempty"`
	Creation uint64 `json:"creation"`
	Keep     bool   `json:"keep,omitempty"` // -s
	Force    bool   `json:"force,omitempty"`
	Live     string `json:"live,omitempty"` // the file whose lock its receiver holds
	Origin   string `json:"origin,omitempty"`
	KeyGUID  uint64 `json:"keyguid,omitempty"` // of a raw stream
	IVSet    uint64 `json:"ivset,omitempty"`
}

// An incoming is the receiving process's side of a partial.
type incoming struct {
	name string
	file *os.File
	log  *bufio.Writer
	lock *os.File // receiving/X, locked as long as this process lives
	id   string

	fresh bool   // the dataset is made by this receive
	some  bool   // the log has a record
	room  uint64 // bytes that still fit
}

var errNoSpace = errors.New("out of space")

// startLog registers the process as the receiver of d. The state that it
// refers to is committed by the caller, so that a file here without a dataset
// that names it means nothing.
func (t *tx) startLog(d *ds, fresh bool) (*incoming, error) {
	dir := t.path("receiving")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	lock, err := os.CreateTemp(dir, "")
	if err != nil {
		return nil, err
	}
	if err := flock(lock, syscall.LOCK_EX); err != nil {
		return nil, err
	}
	if _, err := lock.WriteString(d.name); err != nil {
		return nil, err
	}
	w := &incoming{name: d.name, lock: lock, id: filepath.Base(lock.Name())}
	if err := os.MkdirAll(t.dir(d.name, "@recv"), 0o755); err != nil {
		return nil, err
	}
	path := t.dir(d.name, "@recv", "log")
	flags := os.O_RDWR | os.O_CREATE
	if fresh {
		flags |= os.O_TRUNC
	}
	if w.file, err = os.OpenFile(path, flags, 0o644); err != nil {
		return nil, err
	}
	end := int64(0)
	if !fresh {
		_, end = scanLog(w.file)
	}
	if err := w.file.Truncate(end); err != nil {
		return nil, err
	}
	if _, err := w.file.Seek(end, io.SeekStart); err != nil {
		return nil, err
	}
	w.fresh, w.some = d.New, end > 0
	w.room = math.MaxUint64
	if t.bounded(d) {
		w.room = t.room(d)
	}
	w.log = bufio.NewWriterSize(w.file, 1<<15) // small: what is in it dies with the process
	d.Partial.Live = w.id
	d.dirty = true
	return w, nil
}

// append logs a record, in this machine's byte order.
func (w *incoming) append(raw []byte, order binary.ByteOrder, rec *record) error {
	n := uint64(len(rec.payload))
	if n > w.room {
		return errNoSpace
	}
	w.room -= n
	w.some = true
	if order == binary.ByteOrder(binary.BigEndian) {
		raw = make([]byte, recordSize)
		rec.encode(raw)
	}
	if _, err := w.log.Write(raw); err != nil {
		return err
	}
	_, err := w.log.Write(rec.payload)
	return err
}

func (w *incoming) flush() error { return w.log.Flush() }

func (w *incoming) close() {
	w.file.Close()
	w.lock.Close()
}

// done forgets the process's registration.
func (w *incoming) done(t *tx) { t.do(opRemove, "receiving/"+w.id, "") }

// scanLog finds where the whole records of a log end and how far they came.
func scanLog(f *os.File) (at resumePoint, end int64) {
	at = resumePoint{Object: 1}
	info, err := f.Stat()
	if err != nil {
		return at, 0
	}
	var buf [recordSize]byte
	for {
		if _, err := f.ReadAt(buf[:], end); err != nil {
			return at, end
		}
		var rec record
		rec.decode(buf[:], binary.LittleEndian)
		next := end + recordSize + int64(rec.size)
		if next > info.Size() {
			return at, end
		}
		end = next
		at = resumePoint{rec.object, 0}
		if rec.kind == drrWrite || rec.kind == drrFree {
			at.Offset = rec.offset + rec.length
		}
	}
}

// resumeToken is the property of a dataset with a partial receive that can go on.
func (t *tx) resumeToken(d *ds) string {
	p := d.Partial
	if p == nil || !p.Keep {
		return ""
	}
	f, err := os.Open(t.dir(d.name, "@recv", "log"))
	if err != nil {
		return ""
	}
	defer f.Close()
	at, end := scanLog(f)
	k := token{
		From: p.From, To: p.To, ToName: p.ToName, Object: at.Object, Offset: at.Offset, Bytes: uint64(end),
		Large: p.Features&featureLarge != 0, Embed: p.Features&featureEmbed != 0,
		Compress: p.Features&featureCompressed != 0, Raw: p.Features&featureRaw != 0,
	}
	return k.encode()
}

// receivingInto reports whether a living process receives into d.
func (t *tx) receivingInto(d *ds) bool {
	if d.Partial == nil || d.Partial.Live == "" {
		return false
	}
	_, err := os.Lstat(t.path("receiving", d.Partial.Live))
	return err == nil && !abandoned(t.path("receiving", d.Partial.Live))
}

// dropPartial throws away what was received, and a dataset that is nothing else.
func (t *tx) dropPartial(d *ds) {
	if d.New {
		t.removeSet(d)
		return
	}
	d.Partial, d.dirty = nil, true
	t.do(opRemove, t.rel(d.name, "@recv"), "")
}

// reapReceives ends the receives of processes that died: resumable ones keep
// what they have, others vanish. The store is locked exclusively.
func (s *store) reapReceives() error {
	list, _ := os.ReadDir(s.path("receiving"))
	for _, e := range list {
		path := s.path("receiving", e.Name())
		if !abandoned(path) {
			continue
		}
		name, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		t := &tx{store: s, write: true, pools: map[string]*pool{}, sets: map[string]*ds{}, kids: map[string][]string{}}
		if d := t.findPartial(string(name), e.Name()); d != nil {
			if d.Partial.Keep {
				d.Partial.Live, d.dirty = "", true
			} else {
				t.dropPartial(d)
			}
		} else if n := string(name); n != "" && t.get(n) == nil && t.pool(poolOf(n)) != nil {
			t.do(opRemove, t.rel(n), "") // died before it was registered as a dataset
		}
		t.do(opRemove, "receiving/"+e.Name(), "")
		if err := t.finish(); err != nil {
			return err
		}
	}
	return nil
}

// findPartial finds the dataset that names the receiver id; it may have been
// renamed since.
func (t *tx) findPartial(name, id string) *ds {
	if name == "" || strings.ContainsAny(name, "@#") {
		return nil
	}
	if d := t.get(name); d != nil && d.Partial != nil && d.Partial.Live == id {
		return d
	}
	for _, d := range t.tree(poolOf(name), -1) {
		if d.Partial != nil && d.Partial.Live == id {
			return d
		}
	}
	return nil
}

func (z *cmd) abortReceive(o *options, name string) int {
	return z.change(func(t *tx) int {
		if why := badName(name, takeSet, false); why != "" {
			return -z.fail(1, "cannot open '%s': %s", name, why)
		}
		d := t.get(name)
		switch {
		case d == nil:
			z.usage("cannot open '%s': dataset does not exist", name)
			return -2
		case d.Partial == nil || !d.Partial.Keep:
			return -z.fail(1, "'%s' does not have any resumable receive state to abort", name)
		case t.receivingInto(d):
			return -z.fail(1, "cannot destroy '%s/%%recv': dataset is busy", name)
		case !z.permitted(t, d, "destroy", "mount"):
			return -z.fail(1, "cannot destroy '%s': %s", name, z.denied)
		}
		t.dropPartial(d)
		return 0
	})
}
