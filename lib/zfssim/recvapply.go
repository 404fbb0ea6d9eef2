package zfssim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func readJSONBytes(data []byte, v any) error { return json.Unmarshal(data, v) }

// complete turns a log that has come whole into a snapshot.
func (r *receiving) complete(t *tx, w *incoming, to *recvTarget) int {
	z := r.z
	d := t.get(w.name)
	if d == nil || d.Partial == nil || d.Partial.Live != w.id {
		return -z.fail(1, "cannot %s: destination '%s' does not exist", r.verb, w.name)
	}
	p := d.Partial
	base := t.partialBase(d)
	if p.From != 0 && base.v == nil {
		return -z.fail(1, "cannot %s: most recent snapshot of %s does not\nmatch incremental source", r.verb, d.name)
	}
	tree, h, err := t.applyLog(w, base)
	if err != nil {
		t.dropPartial(d)
		w.done(t)
		return z.fail(1, "cannot %s: %v", r.verb, err)
	}
	if t.bounded(d) && treeSize(tree) > t.room(d)+t.used(d) {
		t.dropPartial(d)
		w.done(t)
		return z.fail(1, "cannot %s: out of space", r.verb)
	}
	started := time.Now()
	wasNew := d.New
	was := t.unmountTree(t.tree(d.name, -1))
	if base.v != nil && base.d == d {
		for _, v := range t.snapshots(d) {
			if v.txg > base.v.txg && p.Force {
				t.removeVersion(d, v)
			}
		}
	}
	r.settle(t, d, to, p, h, wasNew)
	v := &version{kind: '@', name: p.Snap, guid: p.To, txg: t.txg(d.pool), creation: int64(p.Creation)}
	v.Ref, v.ID, v.Crypt, v.Large = h.Ref, t.nextID(d.pool), d.Crypt != "", d.Large
	t.do(opRemove, t.rel(d.name, "@live"), "")
	t.do(opMove, tree, t.rel(d.name, treeOf(v)))
	t.addVersion(d, v)
	d.Partial, d.New, d.Clean, d.dirty = nil, false, p.To, true
	if d.Volume {
		if code := z.volumeLive(t, d, tree); code != 0 {
			return code
		}
	}
	t.do(opRemove, t.rel(d.name, "@recv"), "")
	w.done(t)
	if code := r.remountReceived(t, d, tree, was, wasNew); code != 0 {
		return code
	}
	if r.o.has('v') {
		secs := time.Since(started).Seconds() + 0.01
		fmt.Fprintf(z.out, "received %s stream in %.2f seconds (%s/sec)\n", bytesText(h.Ref), secs, bytesText(uint64(float64(h.Ref)/secs)))
	}
	return 0
}

// settle gives the dataset what the stream says of it.
func (r *receiving) settle(t *tx, d *ds, to *recvTarget, p *partial, h *head, fresh bool) {
	r.props(d, to.sent, fresh, !to.sub || to.top)
	if h.Volume {
		d.Volume = true
		d.Props["volsize"] = volSize(h)
		if fresh && h.VolBlock != "" {
			d.Props["volblocksize"] = h.VolBlock
		}
	}
	if p.Features&featureLarge != 0 {
		d.Large = true
	}
	if p.Features&featureRaw != 0 {
		d.Crypt = h.Crypt
		if d.Key == nil && h.Key != nil {
			k := *h.Key
			k.Location = "prompt"
			d.Key = &k
		}
	} else if fresh {
		if parent := t.get(parentOf(d.name)); parent != nil && parent.Crypt != "" && d.Crypt == "" && !r.plainAsked() {
			d.Crypt = parent.Crypt
		}
	}
	if d.Origin != "" && fresh {
		if d.pool.Clones == nil {
			d.pool.Clones = map[string]string{}
		}
		d.pool.Clones[d.name] = d.Origin
		d.pool.dirty = true
	}
}

func (r *receiving) plainAsked() bool { return r.set["encryption"] == "off" }

// remountReceived mounts again what was mounted, and a new filesystem unless
// -u was given. The staged tree is still where it was put: nothing is
// committed yet.
func (r *receiving) remountReceived(t *tx, d *ds, tree string, was []*ds, fresh bool) int {
	if fresh && !r.o.has('u') && !d.Volume {
		if v, _ := d.own("canmount"); v.text != "noauto" {
			was = append([]*ds{d}, was...)
		}
	}
	for _, m := range was {
		if t.mountable(m) != "" {
			continue
		}
		var err error
		if m == d {
			err = t.mountFrom(m, tree)
		} else {
			err = t.mount(m)
		}
		if err != nil {
			return r.z.fail(1, "cannot mount '%s': %v", m.name, err)
		}
	}
	return 0
}

func (t *tx) partialBase(d *ds) object {
	p := d.Partial
	if p.From == 0 {
		return object{}
	}
	if p.Origin != "" {
		od, ov := t.lookup(p.Origin)
		return object{od, ov}
	}
	return object{d, t.byGUID(d, p.From)}
}

// applyLog builds the tree of the new snapshot from its base's and the log.
func (t *tx) applyLog(w *incoming, base object) (string, *head, error) {
	dir, err := t.staged()
	if err != nil {
		return "", nil, err
	}
	if base.v != nil {
		if err := linkTree(t.dir(base.d.name, treeOf(base.v)), dir); err != nil {
			return "", nil, err
		}
	}
	if _, err := w.file.Seek(0, io.SeekStart); err != nil {
		return "", nil, err
	}
	a := &applier{dir: dir, head: &head{}}
	if err := a.run(w.file); err != nil {
		return "", nil, err
	}
	return dir, a.head, nil
}

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
		if err := rec.decode(buf[:]); err != nil {
			return err
		}
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
			return json.Unmarshal(rec.payload, a.head)
		}
		return a.object(rec)
	case drrWrite, drrFree:
		if a.file == nil || a.cur != rec.object {
			return errChecksum
		}
		p := rec.payload
		if rec.kind == drrFree {
			p = make([]byte, min(rec.length, maxPayload))
		}
		_, err := a.file.WriteAt(p, int64(rec.offset))
		return err
	}
	return errChecksum
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
	if err := json.Unmarshal(rec.payload, &e); err != nil {
		return err
	}
	path, err := a.inside(e.Path)
	if err != nil {
		return err
	}
	a.cur = rec.object
	switch e.Kind {
	case "d":
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
