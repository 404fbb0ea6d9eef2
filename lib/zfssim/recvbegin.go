package zfssim

import (
	"fmt"
	"strconv"
	"strings"
)

// A recvTarget is where a substream goes.
type recvTarget struct {
	name string
	snap string
	sent *sentDS // of a compound stream with properties
	top  bool
	sub  bool // part of a compound stream
}

// begin checks a stream against its destination as recv_begin_check does and
// registers the receive. It returns nil and 0 for a stream that is to be read
// and dropped.
func (r *receiving) begin(t *tx, b *beginRecord, rec *record, to *recvTarget) (*incoming, int) {
	z := r.z
	if badName(to.name+"@"+to.snap, takeSnapshot, true) != "" {
		return nil, -z.fail(1, "cannot %s: invalid backup stream", r.verb)
	}
	if b.features&featureResuming != 0 {
		r.verb = "receive resume stream"
	}
	if code := r.fitsType(b, to); code != 0 {
		return nil, code
	}
	if at := t.nearest(to.name); at != nil && !z.permitted(t, at, "receive", "create", "mount") {
		return nil, -z.fail(1, "cannot %s: permission denied", r.verb)
	}
	if p := t.pool(poolOf(to.name)); p != nil && p.lacks(b.features, r.o.has('s')) {
		return nil, -z.fail(1, "cannot %s: pool must be upgraded to receive this stream.", r.verb)
	}
	if b.fromguid != 0 && b.flags&flagClone == 0 {
		return r.beginIncremental(t, b, to)
	}
	d := t.get(to.name)
	resuming := b.features&featureResuming != 0
	switch {
	case resuming:
		return r.beginResume(t, d, b, to)
	case d != nil && !r.o.has('F'):
		return nil, -z.fail(1, "cannot receive new filesystem stream: destination '%s' exists\nmust specify -F to overwrite it", to.name)
	case d != nil:
		return r.beginOver(t, d, b, to)
	}
	return r.beginNew(t, b, to)
}

func (r *receiving) beginNew(t *tx, b *beginRecord, to *recvTarget) (*incoming, int) {
	z := r.z
	pool, parentName := t.pool(poolOf(to.name)), parentOf(to.name)
	if r.o.has('d') && !r.o.has('n') && t.get(r.target) != nil && t.get(parentName) == nil {
		if code := z.createParents(t, parentName, true); code != 0 {
			return nil, code
		}
	}
	parent := t.get(parentName)
	switch {
	case r.o.has('d') && t.get(r.target) == nil:
		return nil, -z.fail(1, "cannot receive: specified fs (%s) does not exist", r.target)
	case pool == nil, parent == nil:
		return nil, -z.fail(1, "cannot open '%s': dataset does not exist\ncannot %s: unable to restore to destination", parentName, r.verb)
	case parent.Volume:
		return nil, -z.fail(1, "cannot %s: parent '%s' is not a filesystem", r.verb, parentName)
	case depthOf(to.name) > maxDepth:
		return nil, -z.fail(1, "cannot %s: dataset nesting depth (%d) is at maximum", r.verb, maxDepth)
	case b.features&featureRaw == 0 && t.keyMissing(parent) && r.set["encryption"] != "off":
		return nil, -z.fail(1, "cannot %s: inherited key must be loaded", r.verb)
	}
	if code := r.fits(t, parent, b); code != 0 {
		return nil, code
	}
	var origin object
	if b.flags&flagClone != 0 {
		od, ov := t.originFor(b.fromguid, to.name)
		if ov == nil {
			return nil, -z.fail(1, "cannot receive: local origin for clone %s@%s does not exist", to.name, to.snap)
		}
		origin = object{od, ov}
	}
	r.tell(b, to)
	if r.o.has('n') {
		return nil, 0
	}
	d := t.addSet(to.name, b.kind == typeZVOL)
	d.New = true
	if origin.v != nil {
		d.Origin = origin.name()
	}
	return r.register(t, d, b, to, origin)
}

// fits refuses where the pool is full.
func (r *receiving) fits(t *tx, d *ds, b *beginRecord) int {
	if t.cannotReserve(d) || t.room(d) == 0 {
		return -r.z.fail(1, "cannot %s: out of space", r.verb)
	}
	return 0
}

func (t *tx) originFor(guid uint64, near string) (*ds, *version) {
	for _, d := range t.tree(poolOf(near), -1) {
		if v := t.byGUID(d, guid); v != nil {
			return d, v
		}
	}
	return nil, nil
}

// beginOver receives a full stream over what is there.
func (r *receiving) beginOver(t *tx, d *ds, b *beginRecord, to *recvTarget) (*incoming, int) {
	z := r.z
	switch {
	case d.Partial != nil:
		return nil, r.partialInTheWay(t, d)
	case len(t.snapshots(d)) > 0:
		return nil, -z.fail(1, "cannot receive new filesystem stream: destination has snapshots (eg. %s)\nmust destroy them to overwrite it", t.snapshots(d)[0].full(d))
	case b.kind == typeZVOL && len(t.children(d.name)) > 0:
		return nil, -z.fail(1, "cannot receive new filesystem stream: destination has children (eg. %s)\ncannot overwrite with a ZVOL", t.children(d.name)[0])
	case d.Origin != "" && b.flags&flagClone == 0 && r.o.has('F'):
		return nil, -z.fail(1, "cannot receive new filesystem stream: destination '%s' is a clone\nmust destroy it to overwrite it", to.name)
	case d.Crypt == "" && b.features&featureRaw != 0, d.Crypt != "":
		return nil, -z.fail(1, "cannot receive new filesystem stream: zfs receive -F cannot be used to destroy an encrypted filesystem or overwrite an unencrypted one with an encrypted one")
	}
	if code := r.fits(t, d, b); code != 0 {
		return nil, code
	}
	r.tell(b, to)
	if r.o.has('n') {
		return nil, 0
	}
	return r.register(t, d, b, to, object{})
}

func (r *receiving) partialInTheWay(t *tx, d *ds) int {
	if t.receivingInto(d) {
		return -r.z.fail(1, "cannot %s: destination '%s' is busy", r.verb, d.name)
	}
	return -r.z.fail(1, "cannot %s: destination %s contains partially-complete state from \"zfs receive -s\".", r.verb, d.name)
}

func (r *receiving) beginIncremental(t *tx, b *beginRecord, to *recvTarget) (*incoming, int) {
	z := r.z
	d := t.get(to.name)
	if d == nil {
		return nil, -z.fail(1, "cannot receive incremental stream: destination '%s' does not exist", to.name)
	}
	if d.Crypt != "" && b.features&featureRaw == 0 && t.keyMissing(d) {
		return nil, -z.fail(1, "cannot %s: inherited key must be loaded", r.verb)
	}
	if b.features&featureResuming != 0 {
		return r.beginResume(t, d, b, to)
	}
	if have := t.find(d, "@"+to.snap); have != nil {
		if have.guid == b.toguid {
			return nil, 0
		}
		return nil, -z.fail(1, "cannot restore to %s: destination already exists", have.full(d))
	}
	if d.Partial != nil {
		return nil, r.partialInTheWay(t, d)
	}
	base := t.byGUID(d, b.fromguid)
	last := t.newest(d)
	switch {
	case base == nil:
		return nil, -z.fail(1, "cannot receive incremental stream: most recent snapshot of %s does not\nmatch incremental source", d.name)
	case !r.o.has('F') && t.changedSince(d, base) > 0:
		return nil, -z.fail(1, "cannot receive incremental stream: destination %s has been modified\nsince most recent snapshot", d.name)
	}
	if why := r.mismatch(t, d, b); why != "" {
		return nil, -z.fail(1, "cannot receive incremental stream: %s", why)
	}
	if code := r.fits(t, d, b); code != 0 {
		return nil, code
	}
	r.tell(b, to)
	if r.o.has('n') {
		return nil, 0
	}
	if code := r.heldLater(t, d, base, last); code != 0 {
		return nil, code
	}
	return r.register(t, d, b, to, object{d, base})
}

// mismatch compares the stream's flags with what the dataset was received with.
func (r *receiving) mismatch(t *tx, d *ds, b *beginRecord) string {
	raw := b.features&featureRaw != 0
	switch {
	case d.Large && b.features&featureLarge == 0:
		return "incremental send stream requires -L (--large-block), to match previous receive."
	case d.Crypt == "" && raw:
		return "cannot perform raw receive on top of existing unencrypted dataset"
	}
	return ""
}

// beginResume goes on with a partial receive that the stream fits exactly.
func (r *receiving) beginResume(t *tx, d *ds, b *beginRecord, to *recvTarget) (*incoming, int) {
	z := r.z
	switch {
	case d == nil:
		return nil, -z.fail(1, "cannot receive resume stream: destination '%s' does not exist", to.name)
	case t.trait.resumeOver && (d.Partial == nil || !d.New && len(t.snapshots(d)) == 0) && b.fromguid == 0 && !r.o.has('F'):
		return nil, -z.fail(1, "cannot receive resume stream: Resuming recv on existing destination '%s'\nmust specify -F to overwrite it", d.name)
	case d.Partial == nil || !d.Partial.Keep:
		return nil, -z.fail(1, "cannot receive resume stream: kernel modules must be upgraded to receive this stream.")
	}
	if t.receivingInto(d) {
		return nil, -z.fail(1, "cannot receive resume stream: destination '%s' is busy", d.name)
	}
	p := d.Partial
	at, err := decodeResumePoint(r.first.payload)
	if err != nil {
		return nil, -z.fail(1, "cannot receive: invalid stream (bad magic number)")
	}
	have := t.resumeToken(d)
	k, _ := decodeToken(have)
	if k == nil || p.To != b.toguid || p.From != b.fromguid || at.Object != k.Object || at.Offset != k.Offset {
		return nil, -z.fail(1, "cannot receive resume stream: kernel modules must be upgraded to receive this stream.")
	}
	r.tell(b, to)
	if r.o.has('n') {
		return nil, 0
	}
	p.Keep, p.Force = r.o.has('s'), r.o.has('F')
	w, err := t.startLog(d, false)
	if err != nil {
		return nil, -z.fail(1, "cannot receive resume stream: %v", err)
	}
	return w, 0
}

// register makes the dataset's partial state and opens its log.
func (r *receiving) register(t *tx, d *ds, b *beginRecord, to *recvTarget, base object) (*incoming, int) {
	d.Partial = &partial{
		From: b.fromguid, To: b.toguid, ToName: b.toname, Snap: to.snap, Features: b.features,
		Flags: b.flags, Creation: b.creation, Keep: r.o.has('s'), Force: r.o.has('F'),
	}
	if base.v != nil && base.d != d {
		d.Partial.Origin = base.name()
	}
	d.dirty = true
	w, err := t.startLog(d, true)
	if err != nil {
		return nil, -r.z.fail(1, "cannot %s: %v", r.verb, err)
	}
	return w, 0
}

// tell prints what -v and -n say of a stream.
func (r *receiving) tell(b *beginRecord, to *recvTarget) {
	if !r.o.has('v') {
		return
	}
	kind, lead := "full", "receiving"
	if b.fromguid != 0 {
		kind = "incremental"
	}
	if r.o.has('n') {
		lead = "would receive"
	}
	fmt.Fprintf(r.z.out, "%s %s stream of %s into %s@%s\n", lead, kind, b.toname, to.name, to.snap)
}

func volSize(h *head) string {
	if _, err := strconv.ParseUint(h.VolSize, 10, 64); err != nil {
		return "0"
	}
	return strings.TrimSpace(h.VolSize)
}

// heldLater stops a -F that would have to destroy a held snapshot.
func (r *receiving) heldLater(t *tx, d *ds, base, last *version) int {
	if last == base || !r.o.has('F') {
		return 0
	}
	for _, v := range t.snapshots(d) {
		if v.txg > base.txg && len(v.Holds) > 0 {
			return -r.z.fail(1, "cannot %s: dataset is busy", r.verb)
		}
	}
	return 0
}
