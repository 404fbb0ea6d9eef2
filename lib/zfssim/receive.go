package zfssim

import (
	"errors"
	"io"
	"strings"
)

// A receiving is one run of zfs receive.
type receiving struct {
	z      *cmd
	o      *options
	target string // as given
	set    map[string]string
	omit   map[string]bool
	in     *recordReader
	first  *record
	taken  int    // substreams that were not there already
	verb   string // "receive new filesystem stream" and the like
}

func (z *cmd) receive(args []string) int {
	o, err := getopt(args, ":o:x:dehMnuvFsAc", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	if o.has('d') && o.has('e') {
		return z.usage("invalid option combination: -d and -e are mutually exclusive")
	}
	if len(o.args) == 0 {
		return z.usage("missing snapshot argument")
	}
	if len(o.args) > 1 {
		return z.usage("too many arguments")
	}
	if o.has('A') {
		return z.abortReceive(o, o.args[0])
	}
	r := &receiving{z: z, o: o, target: o.args[0], omit: map[string]bool{}}
	var code int
	if r.set, code = z.assignments(o.vals['o']); code != 0 {
		z.printUsage(z.err)
		return 2
	}
	for _, name := range o.vals['x'] {
		if _, twice := r.set[canonical(name)]; twice {
			return z.usage("property '%s' specified multiple times", name)
		}
		r.omit[canonical(name)] = true
	}
	if z.inputTerminal() {
		return z.fail(1, "Error: Backup stream can not be read from a terminal.\nYou must redirect standard input.")
	}
	r.in = &recordReader{r: z.faults.receiveReader(z.in)} // unbuffered: what follows the stream is not ours
	return r.run()
}

func (r *receiving) run() int {
	z := r.z
	if badName(r.target, takeSet|takeSnapshot, false) != "" {
		return z.fail(1, "cannot receive: invalid name")
	}
	rec, err := r.in.next()
	if code := r.badFirst(rec, err); code != 0 {
		return code
	}
	r.first = rec
	if code := r.badProps(); code != 0 {
		return code
	}
	switch rec.begin.header {
	case headerSub:
		return r.one(rec, nil, nil)
	case headerCompound:
		return r.compound(rec)
	}
	return z.fail(1, "cannot receive: invalid stream (bad record type)")
}

func (r *receiving) badFirst(rec *record, err error) int {
	z := r.z
	var fault *faultError
	switch {
	case errors.As(err, &fault):
		return z.fail(fault.code, "%s", fault.message)
	case errors.Is(err, errBadMagic):
		return z.fail(1, "cannot receive: invalid stream (bad magic number)")
	case err != nil:
		return z.fail(1, "cannot receive: failed to read from stream")
	case rec.kind == drrEnd:
		return z.fail(1, "cannot receive: invalid stream (bad record type)")
	case rec.kind != drrBegin:
		return z.fail(1, "cannot receive: invalid stream (bad magic number)")
	case rec.begin.header == headerSub && !strings.Contains(rec.begin.toname, "@"):
		return z.fail(1, "cannot receive: invalid stream (bad snapshot name)")
	}
	return 0
}

// destination says which snapshot the stream's snapshot becomes.
func (r *receiving) destination(sent string) (string, string) {
	ds, short, _ := strings.Cut(sent, "@")
	target, given, named := strings.Cut(r.target, "@")
	switch {
	case r.o.has('d'):
		_, rest, ok := strings.Cut(ds, "/")
		if ok {
			target += "/" + rest
		}
	case r.o.has('e'):
		target += "/" + ds[strings.LastIndexByte(ds, '/')+1:]
	case named:
		short = given
	}
	return target, short
}

// one receives a plain stream, or one substream of a compound one, whose
// description of the dataset is sent.
func (r *receiving) one(rec *record, c *compound, to *recvTarget) int {
	z, begin := r.z, &rec.begin
	if to == nil {
		ds, short := r.destination(begin.toname)
		to = &recvTarget{name: ds, snap: short}
	}
	r.verb = "receive " + streamWord(begin)
	var w *incoming
	code := z.change(func(t *tx) int {
		var code int
		w, code = r.begin(t, begin, rec, to)
		return code
	})
	if code != 0 || w == nil {
		if code == 0 {
			return r.drain()
		}
		return code
	}
	defer w.close()
	r.taken++
	err := r.copy(w)
	if err == nil {
		err = w.flush()
	}
	if err != nil {
		return r.broken(w, err)
	}
	return z.change(func(t *tx) int { return r.complete(t, w, to) })
}

func streamWord(b *beginRecord) string {
	if b.fromguid == 0 || b.flags&flagClone != 0 {
		return "new filesystem stream"
	}
	return "incremental stream"
}

// copy moves records from the stream to the log until the END record.
func (r *receiving) copy(w *incoming) error {
	for {
		rec, err := r.in.next()
		if err != nil {
			return err
		}
		switch rec.kind {
		case drrEnd:
			return nil
		case drrBegin:
			return errChecksum
		}
		if err := w.append(r.in.raw[:], rec); err != nil {
			return err
		}
	}
}

// drain reads a substream that is not wanted.
func (r *receiving) drain() int {
	for {
		rec, err := r.in.next()
		if err != nil {
			return r.z.fail(1, "cannot receive: failed to read from stream")
		}
		if rec.kind == drrEnd {
			return 0
		}
	}
}

// broken ends a receive whose stream was cut or wrong: what came is kept with
// -s, and thrown away otherwise.
func (r *receiving) broken(w *incoming, cause error) int {
	z := r.z
	var fault *faultError
	w.flush()
	token := ""
	code := z.change(func(t *tx) int {
		d := t.get(w.name)
		if d == nil || d.Partial == nil {
			return 0
		}
		if r.o.has('s') && w.some {
			d.Partial.Live = ""
			d.dirty = true
			w.done(t)
			token = t.resumeToken(d)
			return 0
		}
		t.dropPartial(d)
		w.done(t)
		return 0
	})
	if code != 0 {
		return code
	}
	if errors.As(cause, &fault) {
		return z.fail(fault.code, "%s", fault.message)
	}
	switch {
	case errors.Is(cause, errChecksum), errors.Is(cause, errBadMagic), errors.Is(cause, io.EOF), errors.Is(cause, io.ErrUnexpectedEOF):
		switch {
		case r.o.has('s') && token == "":
			if w.fresh {
				z.fail(1, "cannot open '%s': dataset does not exist", w.name)
			}
			z.fail(1, "cannot %s: invalid backup stream", r.verb)
		case token != "":
			z.fail(1, "cannot %s: checksum mismatch or incomplete stream.\nPartially received snapshot is saved.\nA resuming stream can be generated on the sending system by running:\n    zfs send -t %s", r.verb, token)
		case errors.Is(cause, errChecksum), errors.Is(cause, errBadMagic):
			z.fail(1, "cannot %s: checksum mismatch", r.verb)
		default:
			z.fail(1, "cannot %s: incomplete stream", r.verb)
		}
	default:
		z.fail(1, "cannot %s: %v", r.verb, cause)
	}
	return 1
}
