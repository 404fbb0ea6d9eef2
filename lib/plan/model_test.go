package plan

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// model is a dataset as ZFS keeps it, as far as sending and receiving go. What
// it holds is a number: equal numbers are equal contents.
type model struct {
	snaps     []msnap // oldest first
	marks     []dataset.Version
	head      uint64 // contents now
	dirty     uint64 // writes since the newest snapshot
	partial   *mstream
	fresh     bool // made by a receive that is not complete
	holder    bool // placeholder
	encrypted bool
	txg       uint64
	deferred  map[dataset.GUID]bool
}

type msnap struct {
	v       dataset.Version
	content uint64
	written uint64 // between the snapshot before and this one
}

// mstream is what zfs send would write.
type mstream struct {
	from, to dataset.GUID
	name     string
	content  uint64
	raw      bool
}

// world makes guids and contents that never repeat.
type world struct {
	rng  *rand.Rand
	last uint64
}

func (w *world) next() uint64 { w.last++; return w.last }

func (m *model) write(w *world) { m.head = w.next(); m.dirty++ }

func (m *model) tick() uint64 { m.txg++; return m.txg }

func (m *model) find(name string) int {
	return slices.IndexFunc(m.snaps, func(s msnap) bool { return s.v.Name == name })
}

func (m *model) findGUID(g dataset.GUID) int {
	return slices.IndexFunc(m.snaps, func(s msnap) bool { return s.v.GUID == g })
}

func (m *model) snapshot(w *world, name string) {
	if m.find(name) >= 0 {
		return
	}
	v := dataset.Version{Kind: dataset.Snapshot, Name: name, GUID: dataset.GUID(w.next() * 1000003), CreateTXG: m.tick()}
	m.snaps = append(m.snaps, msnap{v: v, content: m.head, written: m.dirty})
	m.dirty = 0
}

// The base of a partial receive has a clone, dataset/%recv, and stays.
func (m *model) destroy(i int) {
	if m.partial != nil && m.partial.from == m.snaps[i].v.GUID {
		return
	}
	w := m.snaps[i].written
	m.snaps = slices.Delete(m.snaps, i, i+1)
	if i < len(m.snaps) {
		m.snaps[i].written += w
	} else {
		m.dirty += w
	}
}

// rollback goes back to snapshot i as zfs rollback -r: what is newer goes, and
// bookmarks with it.
func (m *model) rollback(i int) {
	m.snaps = m.snaps[:i+1]
	m.head, m.dirty = m.snaps[i].content, 0
	txg := m.snaps[i].v.CreateTXG
	m.marks = slices.DeleteFunc(m.marks, func(v dataset.Version) bool { return v.CreateTXG > txg })
}

func (m *model) bookmark(i int) {
	v := m.snaps[i].v
	name := fmt.Sprintf("m_%d", v.GUID)
	if slices.ContainsFunc(m.marks, func(b dataset.Version) bool { return b.Name == name }) {
		return
	}
	m.marks = append(m.marks, dataset.Version{Kind: dataset.Bookmark, Name: name, GUID: v.GUID, CreateTXG: v.CreateTXG})
}

// writtenSince is the property written@snapshot.
func (m *model) writtenSince(i int) uint64 {
	n := m.dirty
	for _, s := range m.snaps[i+1:] {
		n += s.written
	}
	return n
}

func (m *model) versions() []dataset.Version {
	var out []dataset.Version
	for _, s := range m.snaps {
		out = append(out, s.v)
	}
	return append(out, m.marks...)
}

// send makes the streams of one zfs send: full without from, -i, or -I.
func (m *model) send(from *dataset.Version, to dataset.Version, all bool) ([]mstream, error) {
	end := m.findGUID(to.GUID)
	if end < 0 || m.snaps[end].v.Name != to.Name {
		return nil, fmt.Errorf("send: no snapshot %s", to)
	}
	s := m.snaps[end]
	if from == nil {
		return []mstream{{to: s.v.GUID, name: s.v.Name, content: s.content, raw: m.encrypted}}, nil
	}
	if from.CreateTXG >= s.v.CreateTXG {
		return nil, fmt.Errorf("send: %s is not earlier than %s", from, to)
	}
	if !slices.Contains(m.versions(), *from) {
		return nil, fmt.Errorf("send: no version %s", from)
	}
	if !all {
		return []mstream{{from: from.GUID, to: s.v.GUID, name: s.v.Name, content: s.content, raw: m.encrypted}}, nil
	}
	if from.Kind != dataset.Snapshot {
		return nil, errors.New("send: -I from a bookmark")
	}
	var out []mstream
	prev := from.GUID
	for _, s := range m.snaps[m.findGUID(from.GUID)+1 : end+1] {
		out = append(out, mstream{from: prev, to: s.v.GUID, name: s.v.Name, content: s.content, raw: m.encrypted})
		prev = s.v.GUID
	}
	return out, nil
}

// receive takes one stream, cut in the middle where cut is set. recv is nil
// where there is no such dataset yet; the dataset is returned.
func receive(recv *model, s mstream, resume, force, cut bool) (*model, error) {
	if err := receivable(recv, s, resume, force); err != nil {
		return recv, err
	}
	if recv == nil {
		recv = &model{fresh: true, txg: 1, encrypted: s.raw}
	}
	if cut {
		recv.partial = &s
		return recv, nil
	}
	v := dataset.Version{Kind: dataset.Snapshot, Name: s.name, GUID: s.to, CreateTXG: recv.tick()}
	recv.snaps = append(recv.snaps, msnap{v: v, content: s.content, written: 1})
	recv.head, recv.dirty, recv.partial, recv.fresh, recv.holder = s.content, 0, nil, false, false
	return recv, nil
}

// receivable is what OpenZFS checks before and after a stream without -F, or
// with it onto a dataset without snapshots.
func receivable(recv *model, s mstream, resume, force bool) error {
	switch {
	case recv == nil && (s.from != 0 || resume):
		return errors.New("destination does not exist")
	case recv == nil:
		return nil
	case resume && (recv.partial == nil || recv.partial.to != s.to || recv.partial.from != s.from):
		return errors.New("kernel modules must be upgraded: the stream is not the one that was cut")
	case !resume && recv.partial != nil:
		return errors.New("destination contains partially-complete state")
	case recv.find(s.name) >= 0:
		return errors.New("destination snapshot exists")
	case s.from == 0 && recv.fresh && resume:
		return nil
	case s.from == 0 && (!force || !recv.holder || len(recv.snaps) > 0 || recv.encrypted):
		return errors.New("destination exists")
	case s.from == 0:
		return nil
	}
	at := recv.findGUID(s.from)
	switch {
	case at < 0:
		return errors.New("most recent snapshot does not match incremental source")
	case s.raw && at < len(recv.snaps)-1: // openzfs#15314
		return errors.New("not the newest")
	case recv.writtenSince(at) > 0:
		return errors.New("destination has been modified since most recent snapshot")
	case recv.head != recv.snaps[at].content:
		panic("model: not modified, and not the same")
	}
	return nil
}

// abort is zfs receive -A.
func abort(recv *model) *model {
	if recv.fresh {
		return nil
	}
	recv.partial = nil
	return recv
}

// input tells a plan what there is, as the tools would see it.
func input(src, dst *model) Input {
	in := Input{Source: "src/a", Target: "dst/a", Sender: src.versions(), Encrypted: src.encrypted,
		Send: dataset.SendOptions{Raw: src.encrypted, LargeBlocks: true}, Deferred: src.deferred}
	if dst == nil {
		return in
	}
	r := &Receiver{Versions: dst.versions(), Placeholder: dst.holder, Encrypted: dst.encrypted, Written: WrittenBytes(dst.dirty)}
	if dst.partial != nil {
		r.Partial = &Partial{To: dst.partial.to, From: dst.partial.from, Ours: true} // whatever the policy is by now
	}
	in.Receiver = r
	if base, ok := Needs(in); ok {
		r.WrittenBase = WrittenBytes(dst.writtenSince(dst.find(base.Name)))
	}
	return in
}

// execute carries steps out, and cuts the stream of number cutAt (counted over
// all streams; -1: none) in the middle.
func execute(src, dst *model, r Result, cutAt int) (*model, error) {
	n := 0
	for _, step := range r.Steps {
		streams, err := src.send(step.From, *step.To, step.Compound())
		if err != nil {
			return dst, err
		}
		if len(streams) != len(step.Brings) {
			return dst, fmt.Errorf("%s brings %d snapshots, not %d", step, len(streams), len(step.Brings))
		}
		for i, s := range streams {
			if s.to != step.Brings[i].GUID {
				return dst, fmt.Errorf("%s brings %d, not %s", step, s.to, step.Brings[i])
			}
			cut := n == cutAt
			if dst, err = receive(dst, s, step.Kind == Resume, step.Force, cut); err != nil {
				return dst, fmt.Errorf("%s: %w", step, err)
			}
			if n++; cut {
				return dst, nil
			}
		}
	}
	return dst, nil
}
