package zfssim

import (
	"errors"
	"io"
)

// A receiving is one run of zfs receive.
type receiving struct {
	z        *cmd
	o        *options
	target   string // as given
	set      map[string]string
	omit     map[string]bool
	in       *recordReader
	top      string   // the first dataset that was received
	holds    bool     // a package asked for holds
	spoilt   []string // properties of a stream that the kernel refused
	followed int      // how many names were made up by follow
	taken    int      // streams that were not there already
	verb     string   // "receive new filesystem stream" and the like
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
	if badName(r.target, takeSet|takeSnapshot, false) != "" {
		return r.z.fail(1, "cannot receive: invalid name")
	}
	code, _ := r.stream(nil)
	return code
}

// one receives a plain stream, or one of a package.
func (r *receiving) one(rec *record, p *packaged) int {
	z, begin := r.z, &rec.begin
	r.verb = "receive " + r.streamWord(begin)
	var w *incoming
	var to *recvTarget
	code := z.change(func(t *tx) int {
		var code int
		if to, code = r.place(t, rec, p); code != 0 {
			return code
		}
		w, code = r.begin(t, begin, rec, to)
		return code
	})
	if code != 0 {
		return code
	}
	if w == nil {
		return r.skip(rec)
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
	z.faults.linger()
	if code := z.change(func(t *tx) int { return r.complete(t, w, to) }); code != 0 {
		return code
	}
	return r.tellProps(to)
}

func (r *receiving) streamWord(b *beginRecord) string {
	if b.makesNew(r.set) {
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
		if rec.kind == drrEnd {
			return nil
		}
		if err := w.append(r.in.raw[:], r.in.order, rec); err != nil {
			return err
		}
	}
}

// skip reads a stream that is not wanted.
func (r *receiving) skip(rec *record) int {
	err := error(nil)
	if rec.payload == nil && rec.size > 0 {
		err = r.in.payload(rec)
	}
	if err == nil {
		err = r.in.skip()
	}
	switch {
	case errors.Is(err, errRecord):
		return r.z.fail(1, "cannot receive: invalid record type")
	case err != nil:
		return r.z.fail(1, "cannot receive: failed to read from stream")
	}
	return 0
}

// broken ends a receive whose stream was cut or wrong: what came is kept with
// -s, and thrown away otherwise.
func (r *receiving) broken(w *incoming, cause error) int {
	z := r.z
	var fault *faultError
	w.flush()
	token, full := "", "out of space"
	code := z.change(func(t *tx) int {
		d := t.get(w.name)
		if d == nil || d.Partial == nil {
			return 0
		}
		if t.room(d) < t.poolRoom(d) {
			full = "destination " + d.name + " space quota exceeded."
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
	case errors.Is(cause, errNoSpace):
		z.fail(1, "cannot %s: %s", r.verb, full)
	case errors.Is(cause, errChecksum), errors.Is(cause, io.EOF), errors.Is(cause, io.ErrUnexpectedEOF):
		switch {
		case r.o.has('s') && token == "":
			if w.fresh {
				z.fail(1, "cannot open '%s': dataset does not exist", w.name)
			}
			z.fail(1, "cannot %s: invalid backup stream", r.verb)
		case token != "":
			z.fail(1, "cannot %s: checksum mismatch or incomplete stream.\nPartially received snapshot is saved.\nA resuming stream can be generated on the sending system by running:\n    zfs send -t %s", r.verb, token)
		case errors.Is(cause, errChecksum):
			z.fail(1, "cannot %s: checksum mismatch", r.verb)
		default:
			z.fail(1, "cannot %s: incomplete stream", r.verb)
		}
	case errors.Is(cause, errRecord) && r.o.has('s'):
		z.fail(1, "cannot %s: kernel modules must be upgraded to receive this stream.", r.verb)
	default:
		z.fail(1, "cannot %s: %v", r.verb, cause)
	}
	return 1
}
