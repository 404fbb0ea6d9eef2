package zfssim

import (
	"errors"
	"strings"
)

// stream is zfs_receive_impl: it receives the next stream, which may be a
// package, and reports the END that closes the package p.
func (r *receiving) stream(p *packaged) (code int, end bool) {
	z := r.z
	if code := r.badProps(); code != 0 {
		return code, false
	}
	if missing := r.missingTarget(); missing != "" {
		return z.fail(1, "cannot receive: %s", missing), false
	}
	rec, err := r.in.begin()
	var fault *faultError
	switch {
	case errors.As(err, &fault):
		return z.fail(fault.code, "%s", fault.message), false
	case err != nil:
		return z.fail(1, "cannot receive: failed to read from stream"), false
	case rec.kind == drrEnd:
		if p == nil {
			code = 1
		}
		return code, true
	case !r.in.magic() || rec.kind != drrBegin:
		return z.fail(1, "cannot receive: invalid stream (bad magic number)"), false
	}
	if why := rec.begin.refused(z.trait().features); why != "" {
		return z.fail(1, "cannot receive: %s", why), false
	}
	if rec.begin.features&featureHolds != 0 {
		r.holds = true
	}
	if rec.begin.header == headerCompound {
		return r.compound(rec), false
	}
	return r.one(rec, p), false
}

// missingTarget names what was given and is not there.
func (r *receiving) missingTarget() string {
	origin, cloned := r.set["origin"]
	if !cloned && !r.o.has('d') && !r.o.has('e') {
		return ""
	}
	why := ""
	r.z.look(func(t *tx) int {
		_, there := t.object(origin)
		switch {
		case (r.o.has('d') || r.o.has('e')) && t.get(r.target) == nil:
			why = "specified fs (" + r.target + ") does not exist"
		case cloned && !there:
			why = "specified origin fs (" + origin + ") does not exist"
		}
		return 0
	})
	return why
}

// refused says why libzfs turns a stream away by its DRR_BEGIN alone.
func (b *beginRecord) refused(known uint64) string {
	switch {
	case b.features&^known != 0 || b.header != headerSub && b.header != headerCompound:
		if b.features&featureDedup != 0 {
			return "stream has deprecated feature: dedup, try 'zstream redup [send in a file] | zfs recv [...]'"
		}
		return "stream has unsupported feature, feature flags = " + hexNumber(b.features) + " (unknown flags = " + hexNumber(b.features&^known) + ")"
	case !strings.Contains(string(b.field[:]), "@") || !strings.Contains(b.toname, "@"):
		return "invalid stream (bad snapshot name)"
	}
	return ""
}
