package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
)

// filter is one run over the records of in.
type filter struct {
	rules                          *mapfilter.Rules
	mapping, inverting, explaining bool
	nul, quiet                     bool

	in   io.Reader
	out  io.Writer
	errs io.Writer

	matched int
	faults  int
	owner   map[string]string // target to source, where two sources could meet
}

func (f *filter) modes() error {
	n := 0
	for _, on := range []bool{f.mapping, f.inverting, f.explaining} {
		if on {
			n++
		}
	}
	if n > 1 {
		return cli.Usagef("-map, -invert and -explain exclude each other")
	}
	return nil
}

func (f *filter) use() use {
	switch {
	case f.mapping || f.inverting:
		return toMap
	case f.explaining:
		return toExplain
	}
	return toFilter
}

// run ends with status 1 when nothing matched. Where the rules could bring
// two sources to one target, nothing is written before all of the input has
// been seen.
func (f *filter) run() error {
	w := bufio.NewWriterSize(f.out, 64<<10)
	var held *hold
	emit := io.Writer(w)
	if f.mapping && !f.quiet {
		if _, _, overlap := f.rules.Overlap(); overlap {
			f.owner = map[string]string{}
			held = &hold{}
			emit = held
		}
	}
	if err := f.records(emit); err != nil {
		return cli.Quiet(err)
	}
	if held != nil && f.faults == 0 {
		if err := held.writeTo(w); err != nil {
			return cli.Quiet(err)
		}
	}
	if err := w.Flush(); err != nil {
		return cli.Quiet(err)
	}
	if f.matched == 0 || f.faults > 0 {
		return cli.WithStatus(cli.Failed, nil)
	}
	return nil
}

// records handles one record after the other. With -q it ends at the first
// match.
func (f *filter) records(w io.Writer) error {
	in := cli.NewRecords(f.in, f.nul)
	buffer := make([]byte, 0, 1024)
	for in.Next() {
		name, rest, more := cli.Cut(in.Record())
		line, ok := f.record(buffer[:0], string(name), in.Record())
		if ok {
			f.matched++
		}
		if f.quiet && f.matched > 0 {
			return nil
		}
		if line == nil || f.quiet {
			continue
		}
		if more && (f.mapping || f.inverting) {
			line = append(append(line, '\t'), rest...)
		}
		buffer = append(line, cli.End(f.nul))
		if _, err := w.Write(buffer); err != nil {
			return err
		}
	}
	return in.Err()
}

// record appends what is to be printed for one name to line, or returns nil,
// and reports whether the name matched.
func (f *filter) record(line []byte, name string, whole []byte) ([]byte, bool) {
	switch {
	case f.explaining:
		return f.explain(line, name)
	case name == "":
		return nil, false
	case f.mapping:
		return f.mapped(line, name)
	case f.inverting:
		return f.inverted(line, name)
	}
	ds, _, _ := dataset.Split(name)
	if !f.rules.Pass(ds) {
		return nil, false
	}
	return append(line, whole...), true
}

func (f *filter) explain(line []byte, name string) ([]byte, bool) {
	ds, version := cut(name)
	d := f.rules.Explain(ds)
	if ds == "" {
		d = mapfilter.Decision{Result: "!"}
	}
	rule := "no match"
	if d.Rule != nil {
		rule = d.Rule.String()
	}
	ok := d.Result != "!"
	if ok && d.Result != "ok" {
		d.Result += version
	}
	return fmt.Appendf(line, "%s\t%s\t%s", name, d.Result, rule), ok
}

func (f *filter) mapped(line []byte, name string) ([]byte, bool) {
	ds, version := cut(name)
	target, ok := f.rules.Map(ds)
	if !ok {
		return nil, false
	}
	if len(target)+len(version) > dataset.MaxNameLen {
		f.fault(cli.Cannot("map", name, fmt.Errorf("target of %d bytes: at most %d", len(target)+len(version), dataset.MaxNameLen)))
		return nil, true
	}
	if f.owner != nil {
		if other, taken := f.owner[target]; taken && other != ds {
			f.fault(cli.Cannot("map", ds, fmt.Errorf("%q has the same target, %q", other, target)))
			return nil, true
		}
		f.owner[target] = ds
	}
	line = append(append(line, name...), '\t')
	return append(append(line, target...), version...), true
}

func (f *filter) inverted(line []byte, name string) ([]byte, bool) {
	ds, version := cut(name)
	switch sources := f.rules.Sources(ds, 2); len(sources) {
	case 0:
		return nil, false
	case 1:
		line = append(append(line, name...), '\t')
		return append(append(line, sources[0]...), version...), true
	default:
		f.fault(cli.Cannot("invert", name, fmt.Errorf("it could come from %q and from %q", sources[0], sources[1])))
		return nil, true
	}
}

// cut parts the dataset's name from what makes it a version's: @x or #x.
func cut(name string) (ds, version string) {
	ds, _, _ = dataset.Split(name)
	return ds, name[len(ds):]
}

// fault reports a record that cannot be answered; the others are answered.
func (f *filter) fault(err error) {
	f.faults++
	cli.Print(f.errs, "zmapfilter", err)
}

// hold keeps output in memory until it is known to be right.
type hold struct{ parts [][]byte }

// maxHeld bounds what a hold keeps, in bytes.
const maxHeld = 1 << 30

// heldPart is the size of its pieces.
const heldPart = 1 << 20

func (h *hold) Write(p []byte) (int, error) {
	last := len(h.parts) - 1
	if last < 0 || len(h.parts[last])+len(p) > heldPart {
		if len(h.parts) >= maxHeld/heldPart {
			return 0, errors.New("cannot map more than 1 GiB of lines by rules that could give two sources one target")
		}
		h.parts = append(h.parts, make([]byte, 0, max(heldPart, len(p))))
		last++
	}
	h.parts[last] = append(h.parts[last], p...)
	return len(p), nil
}

func (h *hold) writeTo(w io.Writer) error {
	for _, part := range h.parts {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}
