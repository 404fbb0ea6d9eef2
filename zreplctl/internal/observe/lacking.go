package observe

import (
	"math"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// unknown stands for a number of bytes that ZFS does not tell.
const unknown = math.MaxUint64

// maxLacking is about how many snapshots a look measures: a client that never
// comes must not make every look long. Datasets beyond it have no bytes.
const maxLacking = 50_000

// findLacking finds the snapshots that the copies lack, if their source is
// here. What was written in them is asked for with their creation.
func (l *looked) findLacking() {
	if l.job.Type != config.Source && l.job.Type != config.Push && l.job.Type != config.Local {
		return
	}
	for i := range l.found {
		f, of := &l.found[i], l.host.datasets[l.found[i].dataset]
		if f.common == nil || f.Unproved || f.Behind == nil || of == nil {
			continue
		}
		newest := of.newest(l.job.Choice(), 1)
		if *f.Behind == 0 || len(newest) == 0 {
			f.BehindBytes = new(uint64)
			continue
		}
		// Beyond a bookmark, nothing tells what was written since.
		if lacking := of.between(*f.common, newest[0]); f.common.is(dataset.Snapshot) && l.host.lacking+len(lacking) <= maxLacking {
			f.lacking, l.host.lacking = lacking, l.host.lacking+len(lacking)
		}
	}
}

// measure adds up what was written in the snapshots that a copy lacks. One that
// is not known makes the whole unknown.
func (l *looked) measure(f *found) {
	if len(f.lacking) == 0 {
		return
	}
	sum, of := uint64(0), l.host.datasets[f.dataset]
	for _, v := range f.lacking {
		m, ok := l.host.made[of.full(f.dataset, v)]
		if !ok || m.guid != dataset.GUID(v.guid) || m.written > unknown-1-sum {
			return
		}
		sum += m.written
	}
	f.BehindBytes = &sum
}

// left is what the last run had still to receive of a dataset, if it knew that;
// nil: nobody on this host knows. Bytes that moved have arrived only with the
// whole of their stream.
func left(r progress.Dataset) *uint64 {
	switch {
	case r.Behind == 0:
		return new(uint64)
	case r.Size == 0 || r.Size < r.Bytes:
		return nil
	case r.State != progress.Done && r.Done == 0:
		return &r.Size
	case r.State != progress.Done:
		return nil
	}
	rest := r.Size - r.Bytes
	return &rest
}
