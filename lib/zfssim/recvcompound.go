package zfssim

import (
	"strings"
)

// compound is zfs_receive_package: the payload first, then the streams until
// the last END.
func (r *receiving) compound(rec *record) int {
	z := r.z
	p, code := r.payloadOf(rec)
	if code != 0 {
		return code
	}
	if code := r.packageEnd(); code != 0 {
		return code
	}
	if p.sent != nil && p.avl == nil {
		return z.fail(134, "zfs: the payload of the package lacks what libzfs takes for granted")
	}
	p.fs, p.final, _ = strings.Cut(rec.begin.toname, "@")
	soft := 0
	follows := p.avl != nil && p.sent.Replicate && p.sent.HasFrom
	if follows {
		soft = r.follow(p, rec)
	}
	code, end := 0, false
	for code == 0 && !end {
		code, end = r.stream(p)
	}
	if p.sent != nil && p.sent.Replicate && r.taken == 0 && len(p.sent.Sets) > 1 && !z.trait().skipAll {
		return z.fail(1, "cannot receive: failed to read from stream")
	}
	if follows {
		soft = r.follow(p, rec)
	}
	if p.avl != nil && p.sent.Raw && r.top != "" && !r.o.has('n') {
		if code := r.fixRoots(p); code != 0 {
			return code
		}
	}
	if code == 0 && soft != 0 {
		code = 1
	}
	return code
}

// payloadOf reads the nvlist of a package. One without has only streams of
// one filesystem.
func (r *receiving) payloadOf(rec *record) (*packaged, int) {
	z := r.z
	p := &packaged{}
	if rec.size > 0 {
		if rec.size > maxPayload {
			return nil, z.fail(1, "cannot receive: nvlist too large")
		}
		if r.in.payload(rec) != nil {
			return nil, z.fail(1, "cannot receive: failed to read from stream\ncannot receive: failed to read from stream")
		}
		l, err := unpackNvlist(rec.payload)
		if err != nil {
			return nil, z.fail(1, "cannot receive: invalid stream (malformed nvlist)")
		}
		var whole bool
		if p.sent, whole = readCompound(l); whole {
			p.avl = p.sent.index()
		}
		if p.sent.Replicate && strings.Contains(r.target, "@") {
			return nil, z.fail(1, "cannot receive: cannot specify snapshot name for multi-snapshot stream")
		}
	}
	return p, 0
}

// packageEnd reads the END behind the payload, whose own sum nobody looks at.
func (r *receiving) packageEnd() int {
	z := r.z
	sum := r.in.sum
	if r.in.head() != nil {
		return z.fail(1, "cannot receive: failed to read from stream")
	}
	switch {
	case r.in.order.Uint32(r.in.raw[:]) != drrEnd:
		return z.fail(1, "cannot receive: invalid backup stream")
	case r.in.sumIn(8) != sum:
		return z.fail(1, "cannot receive: incorrect header checksum")
	}
	return 0
}
