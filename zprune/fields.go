package main

import (
	"math"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/prune"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
)

// parse reads the fields after the name.
func (gr *grouper) parse(line []byte, s *retention.Snapshot, guid *dataset.GUID) (err error) {
	if gr.strict && len(gr.field) < len(gr.columns) {
		return gr.positioned(len(line), "%d columns instead of %d (%s)", len(gr.field), len(gr.columns), strings.Join(gr.columns, ","))
	}
	for i, f := range gr.field {
		var n uint64
		switch gr.columns[i] {
		case "creation":
			if gr.zfs {
				s.Creation, err = prune.Creation(string(line), string(f))
				break
			}
			n, err = gr.number(i, 64)
			s.Creation = int64(min(n, math.MaxInt64)) // a stream can bring any: it is far ahead
		case "createtxg":
			s.CreateTXG, err = gr.number(i, 64)
		case "userrefs":
			if string(f) != "-" {
				n, err = gr.number(i, 64)
			}
			s.Held = n > 0
		case "clones":
			s.Origin = len(f) > 0 && string(f) != "-"
		case "guid":
			n, err = gr.number(i, 64)
			*guid = dataset.GUID(n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// number reads a field, as zfs list -p writes it.
func (gr *grouper) number(column, bits int) (uint64, error) {
	f, name := gr.field[column], gr.columns[column]
	if n, ok := short(f); ok {
		return n, nil
	}
	n, err := strconv.ParseUint(string(f), 10, bits)
	if err == nil {
		return n, nil
	}
	at := gr.offset(column)
	digits := 0
	for digits < len(f) && '0' <= f[digits] && f[digits] <= '9' {
		digits++
	}
	switch {
	case len(f) == 0:
		return 0, gr.positioned(at, "the %s is empty", name)
	case digits == len(f):
		return 0, gr.positioned(at, "the %s %s is too large", name, f)
	case f[0] == '-':
		return 0, gr.positioned(at, "the %s %q is negative", name, f)
	}
	err = gr.positioned(at+digits, "the %s %q is not a whole number", name, f)
	if name == "creation" {
		err = cli.Hint(err, "write times in seconds since 1970, as zfs list -p prints them")
	}
	return 0, err
}

// short reads numbers of up to 18 digits, as nearly all are: they fit any size.
func short(f []byte) (n uint64, ok bool) {
	for _, c := range f {
		if c < '0' || '9' < c {
			return 0, false
		}
		n = 10*n + uint64(c-'0')
	}
	return n, 0 < len(f) && len(f) <= 18
}

// badByte is the place of the byte from which on text fails the check. A
// slash is good as far as one can see until what is behind it is not.
func badByte(check func(string) error, text string) int {
	at := len(text)
	for at > 0 && check(text[:at]) != nil {
		if text[at-1] == '/' && check(text[:at-1]) == nil {
			return at
		}
		at--
	}
	return at
}
