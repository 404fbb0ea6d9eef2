package zfssim

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
)

var sendLong = map[string]byte{
	"replicate": 'R', "props": 'p', "large-block": 'L', "embed": 'e', "compressed": 'c', "raw": 'w', "dryrun": 'n',
	"verbose": 'v', "parsable": 'P', "holds": 'h', "backup": 'b', "dedup": 'D', "skip-missing": 's', "proctitle": 'V', "saved": 'S',
}

// A source is one snapshot to be sent, with its base.
type source struct {
	d    *ds
	to   *version
	base *version
	from string // the base's name as it is shown: "@a", "#b" or "tank/x@a"
	tree string // the base's tree, "" for none
	dir  string
	head head
	lock *os.File

	origin         bool
	object, offset uint64
	bytes          uint64
	resume         bool
}

func (z *cmd) send(args []string) int {
	o, err := getopt(args, ":i:I:RsDpVvnPLehbt:cwSd:X:", sendLong)
	if err != nil {
		return z.usage("%v", err)
	}
	if o.has('i') && o.has('I') {
		z.printUsage(z.err)
		return 2
	}
	if text, ok := o.val('t'); ok {
		return z.sendToken(o, text)
	}
	switch {
	case len(o.args) == 0:
		return z.usage("missing snapshot argument")
	case len(o.args) > 1:
		return z.usage("too many arguments")
	case !o.has('n') && z.terminal():
		return z.fail(1, "Error: Stream can not be written to a terminal.\nYou must redirect standard output.")
	}
	var plan *sendPlan
	code := z.look(func(t *tx) int {
		var code int
		plan, code = z.planSend(t, o, o.args[0])
		return code
	})
	if code != 0 || plan == nil {
		return code
	}
	return z.runSend(o, plan)
}

// A sendPlan is what a send command will write.
type sendPlan struct {
	compound *compound // nil: a plain stream
	sources  []*source
	target   string
}

func (p *sendPlan) close() {
	for _, s := range p.sources {
		if s.lock != nil {
			s.lock.Close()
		}
	}
}

// pin keeps a snapshot from being destroyed while it is sent, by a shared
// lock on the directory of its contents.
func (t *tx) pin(s *source) {
	s.dir = t.dir(s.d.name, treeOf(s.to))
	if f, err := os.Open(s.dir); err == nil {
		if flock(f, syscall.LOCK_SH|syscall.LOCK_NB) == nil {
			s.lock = f
			return
		}
		f.Close()
	}
}

// sending reports whether a living process sends v.
func (t *tx) sending(o object) bool {
	f, err := os.Open(t.dir(o.d.name, treeOf(o.v)))
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(flock(f, syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

func (t *tx) newSource(d *ds, to *version, base object, from string) *source {
	s := &source{d: d, to: to, base: base.v, from: from}
	if base.v != nil {
		s.tree = t.dir(base.d.name, treeOf(base.v))
	}
	s.head = head{Volume: d.Volume, VolSize: d.Props["volsize"], VolBlock: d.Props["volblocksize"], Ref: to.Ref, Crypt: d.Crypt}
	if root := t.cryptRoot(d); root != nil {
		k := *root.Key
		k.Loaded, k.Location, k.Hash = false, "", t.wrapKey(d)
		s.head.Key = &k
	}
	t.pin(s)
	return s
}

func (z *cmd) runSend(o *options, plan *sendPlan) int {
	defer plan.close()
	if o.has('v') || o.has('P') {
		z.announce(o, plan)
	}
	if o.has('n') {
		return 0
	}
	out := bufio.NewWriterSize(z.faults.sendWriter(z.out), 1<<18)
	err := z.writePlan(o, plan, out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		out.Flush()
		return z.sendFailed(plan, err)
	}
	return 0
}

func (z *cmd) sendFailed(plan *sendPlan, err error) int {
	var fault *faultError
	switch {
	case errors.As(err, &fault):
		return z.fail(fault.code, "%s", fault.message)
	case errors.Is(err, syscall.EPIPE):
		return z.fail(1, "warning: cannot send '%s': Broken pipe", plan.target)
	case errors.Is(err, os.ErrNotExist):
		return z.fail(1, "warning: cannot send '%s': dataset does not exist", plan.target)
	}
	return z.fail(1, "warning: cannot send '%s': %v", plan.target, err)
}

func (z *cmd) writePlan(o *options, plan *sendPlan, out io.Writer) error {
	if plan.compound != nil {
		var payload []byte // none for -I alone, as OpenZFS
		if plan.compound.Replicate || plan.compound.Props {
			payload = packCompound(plan.compound)
		}
		w := &recordWriter{w: out}
		begin := beginRecord{header: headerCompound, toname: plan.target}
		begin.features = compoundFeatures(o)
		if err := w.write(&record{kind: drrBegin, begin: begin, payload: payload}); err != nil {
			return err
		}
		if err := w.write(&record{kind: drrEnd}); err != nil {
			return err
		}
	}
	for _, s := range plan.sources {
		if _, err := z.writeSource(o, s, out); err != nil {
			return err
		}
		if o.has('v') || o.has('P') {
			z.progress(o, s)
		}
	}
	if plan.compound != nil {
		return writeLastEnd(out)
	}
	return nil
}

// writeLastEnd closes a package, without a sum as OpenZFS does.
func writeLastEnd(out io.Writer) error {
	var p [recordSize]byte
	(&record{kind: drrEnd}).encode(p[:])
	_, err := out.Write(p[:])
	return err
}

func compoundFeatures(o *options) uint64 {
	f := uint64(0)
	if o.has('h') {
		f |= featureHolds
	}
	if o.has('w') {
		f |= featureRaw
	}
	return f
}

// writeSource writes one plain substream; to a nil writer it only counts.
func (z *cmd) writeSource(o *options, s *source, out io.Writer) (uint64, error) {
	w := &recordWriter{w: out}
	begin := beginRecord{
		header: headerSub, features: features(o, s), creation: uint64(s.to.creation), kind: typeZFS,
		flags: flagFreeRecords | flagSpill, toguid: s.to.guid, toname: s.to.full(s.d),
	}
	if s.d.Volume {
		begin.kind = typeZVOL
	}
	if s.base != nil {
		begin.fromguid = s.base.guid
	}
	if s.origin {
		begin.flags |= flagClone
	}
	if s.resume {
		begin.features |= featureResuming
	}
	if err := w.write(&record{kind: drrBegin, begin: begin, payload: beginPayload(s, begin.features)}); err != nil {
		return w.n, err
	}
	h := s.head
	if !o.has('w') {
		h.Crypt, h.Key = "", nil
	}
	ts := &treeSend{w: w, toguid: s.to.guid, from: s.tree, to: s.dir, object: s.object, offset: s.offset}
	if err := ts.run(h); err != nil {
		return w.n, err
	}
	return w.n, w.write(&record{kind: drrEnd, toguid: s.to.guid})
}

// beginPayload is the nvlist behind a DRR_BEGIN, which few streams have
// (dmu_send.c); unlike a package's it is in native encoding.
func beginPayload(s *source, features uint64) []byte {
	if features&(featureRaw|featureResuming) == 0 {
		return nil
	}
	var b bytes.Buffer
	nvBegin(&b)
	if s.resume {
		nvPair(&b, "resume_object", nvUint64, le64(s.object))
		nvPair(&b, "resume_offset", nvUint64, le64(s.offset))
	}
	if features&featureRaw != 0 {
		rawKeydata(&b, s)
	}
	nvEnd(&b)
	return b.Bytes()
}

func features(o *options, s *source) uint64 {
	f := uint64(0)
	if !s.d.Volume {
		f |= featureSpill
	}
	if o.has('L') && (s.to.Large || s.d.large()) || o.has('w') && (s.to.Large || s.d.large()) {
		f |= featureLarge
	}
	if o.has('e') || o.has('w') {
		f |= featureEmbed
	}
	if o.has('c') || o.has('w') {
		f |= featureCompressed
	}
	if f&(featureEmbed|featureCompressed) != 0 {
		f |= featureLZ4
	}
	if o.has('w') && s.head.Crypt != "" {
		f |= featureRaw
	}
	return f
}

// large says whether the dataset has had blocks larger than 128 KiB.
func (d *ds) large() bool {
	n, _ := parseSize(d.Props["recordsize"])
	return d.Large || n > 128<<10
}
