package observe

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// date is when a version was created, by the word of ZFS on this host, and how
// much was written between the snapshot before and it. Neither changes while
// name, guid, createtxg and the createtxg of the snapshot before are the same:
// a peer can choose a guid, and never the createtxg of this host.
type date struct {
	guid, txg uint64
	before    uint64 // the createtxg of the snapshot before; 0: there is none
	at        int64
	written   uint64
}

// The note of dates, and its bound in bytes.
const (
	datesName = "created"
	maxDates  = 64 << 20
	datesEnd  = "end\n" // the last line says that the file is whole
)

// readDates reads what an earlier look has noted. A note that is missing or
// damaged costs one more command, and nothing else.
func readDates(dir state.Dir) map[string]date {
	if dir.IsNone() {
		return nil
	}
	text, err := dir.Read(datesName, maxDates)
	if err != nil {
		return nil
	}
	return parseDates(text)
}

func parseDates(text []byte) map[string]date {
	text, whole := bytes.CutSuffix(text, []byte(datesEnd))
	if !whole {
		return nil
	}
	all := make(map[string]date, bytes.Count(text, []byte("\n")))
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		d, ok := parseDate(rest)
		if !ok {
			return nil
		}
		all[name] = d
	}
	return all
}

// parseDate reads what a line has after the name.
func parseDate(text string) (d date, ok bool) {
	for i, n := range []*uint64{&d.guid, &d.txg, &d.before, &d.written} {
		field, rest, more := strings.Cut(text, "\t")
		var err error
		if *n, err = strconv.ParseUint(field, 10, 64); err != nil || !more {
			return d, false
		}
		if text = rest; i == 3 {
			d.at, err = strconv.ParseInt(rest, 10, 64)
			return d, err == nil
		}
	}
	return d, false
}

// recall takes the creations of names from the note, and returns those that ZFS
// must be asked about. The list has said the guid and the createtxg of each.
func (h *host) recall(names []string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(names, func(name string) bool {
		d, ok := h.noted[name]
		if !ok {
			return false
		}
		ds, kind, short := dataset.Split(name)
		of := h.datasets[ds]
		if of == nil || !of.contains(kind, short, d) {
			return false
		}
		h.made[name] = made{dataset.GUID(d.guid), d.at, d.written}
		return true
	})
}

func (h *history) contains(kind dataset.Kind, short string, d date) bool {
	i := h.index(d.guid, d.txg, func(v version) bool { return v.is(kind) && string(h.bytes(v)) == short })
	return i >= 0 && h.before(h.all[i]) == d.before
}

// noteDates keeps the creations of the snapshots that matter for the next look,
// if anything was learned and the folder is this user's. It is no error if the
// note cannot be written: the next look asks again. A look at some of the jobs
// keeps what was noted for the others.
func (h *host) noteDates(dir state.Dir, jobs []*looked, some bool) {
	fresh := map[string]date{}
	for _, l := range jobs {
		for _, f := range l.found {
			of := h.datasets[f.dataset]
			for _, v := range f.versions() {
				name := of.full(f.dataset, v)
				if m, ok := h.made[name]; ok && m.guid == dataset.GUID(v.guid) {
					fresh[name] = date{v.guid, v.txg, of.before(v), m.at, m.written}
				}
			}
		}
	}
	learned := false
	for name, d := range fresh {
		learned = learned || h.noted[name] != d
	}
	if !learned || !owns(dir) {
		return
	}
	if some {
		for name, d := range h.noted {
			if _, ok := fresh[name]; !ok && len(fresh) < maxSome {
				fresh[name] = d
			}
		}
	}
	_ = dir.Write(datesName, formatDates(fresh))
}

// maxSome bounds what looks at some of the jobs keep: it is a look at all that
// drops what matters no more.
const maxSome = 200_000

func formatDates(all map[string]date) []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d := all[name]
		fmt.Fprintf(&b, "%s\t%d\t%d\t%d\t%d\t%d\n", name, d.guid, d.txg, d.before, d.written, d.at)
	}
	b.WriteString(datesEnd)
	return b.Bytes()
}

// owns reports whether the folder is there and belongs to who runs this: root
// leaves no file in another user's.
func owns(dir state.Dir) bool {
	if dir.IsNone() {
		return false
	}
	info, err := os.Stat(dir.Path(""))
	if err != nil {
		return false
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Geteuid()
}
