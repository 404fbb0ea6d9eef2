package zfssim

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A recvTarget is where a stream goes.
type recvTarget struct {
	name   string
	snap   string
	sent   *sentDS // what a package says of it
	says   *sentSnap
	origin object
	parent *ds
	top    bool
	sub    bool // part of a package that is not of one filesystem
}

func (to *recvTarget) full() string { return to.name + "@" + to.snap }

// place finds out where a stream goes, as zfs_receive_one begins.
func (r *receiving) place(t *tx, rec *record, p *packaged) (*recvTarget, int) {
	z, b := r.z, &rec.begin
	fs, _, _ := strings.Cut(b.toname, "@")
	recursive := false
	if p != nil {
		fs, recursive = p.fs, p.sent != nil && p.sent.Replicate
	}
	full, why := r.destination(b, fs, recursive)
	switch {
	case why != "":
		return nil, -z.fail(1, "cannot receive: %s", why)
	case badName(full, takeSnapshot, false) != "":
		return nil, -z.fail(1, "cannot receive: invalid name")
	}
	origin, why := r.originOf(t, b, full)
	if why != "" {
		return nil, -z.fail(1, "cannot receive: %s", why)
	}
	if b.features&featureResuming != 0 {
		r.verb = "receive resume stream"
	}
	full = r.elsewhere(t, b, p, full)
	ref := p.find(b.toguid)
	to := &recvTarget{sent: ref.set, says: ref.snap, origin: origin, sub: recursive}
	to.name, to.snap, _ = strings.Cut(full, "@")
	return to, 0
}

// begin checks a stream against its destination, as libzfs and then the kernel
// do (recv_begin_check), and registers the receive. It returns nil and 0 for a
// stream that is to be read and dropped.
func (r *receiving) begin(t *tx, b *beginRecord, rec *record, to *recvTarget) (*incoming, int) {
	z := r.z
	d := t.get(to.name)
	switch {
	case b.wantsNew(r.set) && d != nil:
		return r.beginOver(t, d, b, rec, to)
	case b.wantsNew(r.set):
		return r.beginNew(t, b, rec, to)
	case d == nil && r.verb == "receive resume stream":
		return nil, -z.fail(1, "cannot receive resume stream: destination '%s' does not exist", to.name)
	case d == nil:
		return nil, -z.fail(1, "cannot receive incremental stream: destination '%s' does not exist", to.name)
	case b.features&featureResuming != 0:
		return r.beginResume(t, d, b, rec, to)
	}
	return r.beginIncremental(t, d, b, rec, to)
}

// ready ends what libzfs does before it calls the kernel. It reports whether
// the kernel is not to be called, because of a fault or of -n.
func (r *receiving) ready(t *tx, b *beginRecord, rec *record, to *recvTarget) (code int, done bool) {
	z := r.z
	r.tell(b, to)
	if r.top == "" {
		r.top = to.name
	}
	to.top = r.top == to.name
	if b.kind != typeZFS && b.kind != typeZVOL {
		return -z.fail(1, "cannot %s: invalid record type: 0x%d", r.verb, b.kind), true
	}
	if code := r.fitsType(b, to); code != 0 {
		return code, true
	}
	if r.o.has('n') {
		return 0, true
	}
	if at := t.nearest(to.name); at != nil && !z.permitted(t, at, "receive", "create", "mount") {
		return -z.fail(1, "cannot %s: %s", r.verb, z.denied), true
	}
	if strings.Contains(to.full(), "%") {
		return r.invalid(b), true
	}
	if rec.size > 0 {
		if code := r.beginPayload(b, rec); code != 0 {
			return code, true
		}
	}
	if p := t.pool(poolOf(to.name)); p != nil && p.lacks(b.features, r.o.has('s')) {
		return -z.fail(1, "cannot %s: pool must be upgraded to receive this stream.", r.verb), true
	}
	return 0, false
}

// beginPayload reads the payload behind a DRR_BEGIN, and the record behind
// that, as the kernel does before it checks anything (dmu_recv_begin).
func (r *receiving) beginPayload(b *beginRecord, rec *record) int {
	z := r.z
	if rec.size > maxBeginPayload {
		return -z.fail(1, "cannot %s: zfs receive required kernel memory allocation larger than the system can support. Please file an issue at the OpenZFS issue tracker:\nhttps://github.com/openzfs/zfs/issues/new", r.verb)
	}
	err := r.in.payload(rec)
	if err == nil {
		r.in.ahead, err = r.in.next()
	}
	switch {
	case errors.Is(err, errRecord):
		return r.invalid(b)
	case errors.Is(err, errChecksum):
		return -z.fail(1, "cannot %s: checksum mismatch", r.verb)
	case err != nil:
		return -z.fail(1, "cannot %s: incomplete stream", r.verb)
	}
	if _, err := unpackNvlist(rec.payload); err != nil {
		return r.invalid(b)
	}
	return 0
}

const maxBeginPayload = 1 << 28

// invalid is what libzfs makes of the kernel's EINVAL.
func (r *receiving) invalid(b *beginRecord) int {
	why := "invalid backup stream"
	switch {
	case b.features&featureEmbed != 0 && b.features&featureRaw == 0:
		why = "incompatible embedded data stream feature with encrypted receive."
	case r.o.has('s'):
		why = "kernel modules must be upgraded to receive this stream."
	}
	return -r.z.fail(1, "cannot %s: %s", r.verb, why)
}

func (r *receiving) beginNew(t *tx, b *beginRecord, rec *record, to *recvTarget) (*incoming, int) {
	z := r.z
	pool, parentName := t.pool(poolOf(to.name)), parentOf(to.name)
	if parentName == "" {
		return nil, -z.fail(1, "cannot receive new filesystem stream: destination '%s' does not exist", to.name)
	}
	if r.o.has('d') && !r.o.has('n') && t.get(r.target) != nil && t.get(parentName) == nil {
		if code := z.createParents(t, parentName, true); code != 0 {
			return nil, code
		}
	}
	parent := t.get(parentName)
	switch {
	case pool == nil, parent == nil:
		return nil, -z.fail(1, "cannot open '%s': dataset does not exist\ncannot %s: unable to restore to destination", parentName, r.verb)
	case parent.Volume:
		return nil, -z.fail(1, "cannot %s: parent '%s' is not a filesystem", r.verb, parentName)
	}
	to.parent = parent
	code, done := r.ready(t, b, rec, to)
	raw := b.features&featureRaw != 0
	switch {
	case done:
		return nil, code
	case raw && (b.flags&flagSpill == 0 || !new(partial).readRaw(rec.payload)):
		return nil, r.invalid(b)
	case depthOf(to.name) > maxDepth:
		return nil, -z.fail(1, "cannot %s: dataset nesting depth (%d) is at maximum", r.verb, maxDepth)
	case to.origin.d != nil && to.origin.v == nil:
		return nil, r.invalid(b)
	case to.origin.v != nil && b.fromguid != 0 && to.origin.v.guid != b.fromguid:
		return nil, -z.fail(1, "cannot %s: most recent snapshot of %s does not\nmatch incremental source", r.verb, to.name)
	case !raw && t.keyMissing(parent) && r.set["encryption"] != "off" && r.set["keyformat"] == "" && !r.plainly(to):
		return nil, -z.fail(1, "cannot %s: inherited key must be loaded", r.verb)
	}
	if code := r.fits(t, parent, b); code != 0 {
		return nil, code
	}
	d := t.addSet(to.name, b.kind == typeZVOL)
	d.New = true
	if to.origin.v != nil {
		d.Origin = to.origin.name()
		t.setOrigin(d.name, d.Origin)
	}
	return r.register(t, d, b, rec, to, to.origin)
}

// fits refuses where the pool is full.
func (r *receiving) fits(t *tx, d *ds, b *beginRecord) int {
	if t.cannotReserve(d) || t.room(d) == 0 {
		return -r.z.fail(1, "cannot %s: out of space", r.verb)
	}
	return 0
}

// beginOver receives a full stream over what is there.
func (r *receiving) beginOver(t *tx, d *ds, b *beginRecord, rec *record, to *recvTarget) (*incoming, int) {
	z := r.z
	switch {
	case !r.o.has('F'):
		return nil, -z.fail(1, "cannot receive new filesystem stream: destination '%s' exists\nmust specify -F to overwrite it", to.name)
	case len(t.snapshots(d)) > 0:
		return nil, -z.fail(1, "cannot receive new filesystem stream: destination has snapshots (eg. %s)\nmust destroy them to overwrite it", t.snapshots(d)[0].full(d))
	case b.kind == typeZVOL && parentOf(to.name) == "":
		return nil, -z.fail(1, "cannot receive new filesystem stream: destination %s is the root dataset\ncannot overwrite with a ZVOL", to.name)
	case b.kind == typeZVOL && len(t.children(d.name)) > 0:
		return nil, -z.fail(1, "cannot receive new filesystem stream: destination has children (eg. %s)\ncannot overwrite with a ZVOL", t.children(d.name)[0])
	case d.Origin != "":
		return nil, -z.fail(1, "cannot receive new filesystem stream: destination '%s' is a clone\nmust destroy it to overwrite it", to.name)
	case d.Crypt == "" && b.features&featureRaw != 0, d.Crypt != "":
		return nil, -z.fail(1, "cannot receive new filesystem stream: zfs receive -F cannot be used to destroy an encrypted filesystem or overwrite an unencrypted one with an encrypted one")
	}
	code, done := r.ready(t, b, rec, to)
	switch {
	case done:
		return nil, code
	case to.origin.d != nil:
		return nil, r.invalid(b)
	case d.Partial != nil:
		return nil, r.partialInTheWay(t, d)
	}
	if code := r.fits(t, d, b); code != 0 {
		return nil, code
	}
	return r.register(t, d, b, rec, to, object{})
}

func (r *receiving) partialInTheWay(t *tx, d *ds) int {
	if t.receivingInto(d) {
		return -r.z.fail(1, "cannot %s: destination '%s' is busy", r.verb, d.name)
	}
	return -r.z.fail(1, "cannot %s: destination %s contains partially-complete state from \"zfs receive -s\".", r.verb, d.name)
}

func (r *receiving) beginIncremental(t *tx, d *ds, b *beginRecord, rec *record, to *recvTarget) (*incoming, int) {
	z := r.z
	raw := b.features&featureRaw != 0
	if d.Crypt == "" && raw {
		return nil, -z.fail(1, "cannot receive incremental stream: cannot perform raw receive on top of existing unencrypted dataset")
	}
	if code, done := r.ready(t, b, rec, to); done {
		return nil, code
	}
	base, last := t.byGUID(d, b.fromguid), t.newest(d)
	have := t.find(d, "@"+to.snap)
	switch {
	case d.Crypt != "" && !raw && t.keyMissing(d):
		return nil, -z.fail(1, "cannot %s: inherited key must be loaded", r.verb)
	case d.Partial != nil:
		return nil, r.partialInTheWay(t, d)
	case have != nil && t.byGUID(d, b.toguid) != nil && rec.size > 0:
		// The kernel has read on past the payload, and libzfs skips from there.
		z.fail(1, "cannot receive: failed to read from stream")
		return nil, -z.fail(1, "cannot restore to %s: destination already exists", have.full(d))
	case have != nil && t.byGUID(d, b.toguid) != nil:
		if r.o.has('v') {
			fmt.Fprintf(z.out, "snap %s already exists; ignoring\n", to.full())
		}
		return nil, 0
	case have != nil:
		return nil, -z.fail(1, "cannot restore to %s: destination already exists", have.full(d))
	case d.Volume != (b.kind == typeZVOL):
		return nil, r.invalid(b)
	case base == nil:
		return nil, -z.fail(1, "cannot receive incremental stream: most recent snapshot of %s does not\nmatch incremental source", d.name)
	case !r.o.has('F') && (t.changedSince(d, base) > 0 || raw && base != last):
		return nil, -z.fail(1, "cannot receive incremental stream: destination %s has been modified\nsince most recent snapshot", d.name)
	case d.Large && b.features&featureLarge == 0:
		return nil, -z.fail(1, "cannot receive incremental stream: incremental send stream requires -L (--large-block), to match previous receive.")
	}
	if code := r.fits(t, d, b); code != 0 {
		return nil, code
	}
	if code := r.heldLater(t, d, base, last); code != 0 {
		return nil, code
	}
	if raw {
		if why := d.refuseRaw(rec.payload, base); why != "" {
			return nil, -z.fail(1, "cannot receive incremental stream: %s", why)
		}
	}
	return r.register(t, d, b, rec, to, object{d, base})
}

// beginResume goes on with a partial receive that the stream fits exactly.
func (r *receiving) beginResume(t *tx, d *ds, b *beginRecord, rec *record, to *recvTarget) (*incoming, int) {
	z := r.z
	switch {
	case t.trait.resumeOver && (d.Partial == nil || !d.New && len(t.snapshots(d)) == 0) && b.fromguid == 0 && !r.o.has('F'):
		return nil, -z.fail(1, "cannot receive resume stream: Resuming recv on existing destination '%s'\nmust specify -F to overwrite it", d.name)
	}
	if code, done := r.ready(t, b, rec, to); done {
		return nil, code
	}
	switch {
	case d.Partial == nil || !d.Partial.Keep:
		return nil, -z.fail(1, "cannot receive resume stream: kernel modules must be upgraded to receive this stream.")
	}
	if t.receivingInto(d) {
		return nil, -z.fail(1, "cannot receive resume stream: destination '%s' is busy", d.name)
	}
	p := d.Partial
	l, _ := unpackNvlist(rec.payload)
	object, _ := l.number("resume_object")
	offset, _ := l.number("resume_offset")
	have := t.resumeToken(d)
	k, _ := decodeToken(have)
	if k == nil || p.To != b.toguid || p.From != b.fromguid || object != k.Object || offset != k.Offset {
		return nil, -z.fail(1, "cannot receive resume stream: kernel modules must be upgraded to receive this stream.")
	}
	p.Keep, p.Force = r.o.has('s'), r.o.has('F')
	w, err := t.startLog(d, false)
	if err != nil {
		return nil, -z.fail(1, "cannot receive resume stream: %v", err)
	}
	return w, 0
}

// register makes the dataset's partial state and opens its log.
func (r *receiving) register(t *tx, d *ds, b *beginRecord, rec *record, to *recvTarget, base object) (*incoming, int) {
	d.Partial = &partial{
		From: b.fromguid, To: b.toguid, ToName: b.toname, Snap: to.snap, Features: b.features,
		Flags: b.flags, Creation: b.creation, Keep: r.o.has('s'), Force: r.o.has('F'),
	}
	if base.v != nil && base.d != d {
		d.Partial.Origin = base.name()
	}
	if b.features&featureRaw != 0 {
		d.Partial.readRaw(rec.payload)
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
