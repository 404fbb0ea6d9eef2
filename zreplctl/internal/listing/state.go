package listing

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// State is what a file says of datasets besides their versions. What it does
// not say is not known, and the plan is the cautious one.
type State struct {
	facts    map[string]*facts
	deferred map[string]bool // full names of snapshots
}

// facts of one dataset.
type facts struct {
	placeholder bool
	encrypted   bool
	keyGone     bool
	keyRoot     string
	token       *token
	sent        *dataset.SendOptions
	written     plan.Written
	since       map[string]plan.Written // by snapshot, without @
}

type token struct {
	of, name string
	to, from dataset.GUID
	stream   transfer.Partial // its flags
	bad      string           // why nobody here would have sent it
}

// ReadState reads lines NAME⇥KEY⇥VALUE, as zfs get -Hp -o name,property,value
// prints them. The keys, all of them properties of that name but the first:
//
//	placeholder           on: the dataset is a placeholder (zreplctl:placeholder
//	                      with source local)
//	zreplctl:placeholder  the same
//	zreplctl:send         letters of the send options so far, as wL; - for none
//	receive_resume_token  of a target
//	written, written@SNAP bytes, of a target
//	encryption, encryptionroot, keystatus
//	defer_destroy         on, of a snapshot of the source
//
// A value - means the same as no line, but for zreplctl:send.
func ReadState(r io.Reader, name string) (*State, error) {
	s := &State{facts: map[string]*facts{}, deferred: map[string]bool{}}
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for n := 1; in.Scan(); n++ {
		f := strings.Split(in.Text(), "\t")
		if len(f) < 3 {
			return nil, fmt.Errorf("cannot read %q: line %d: not NAME, KEY and VALUE with tabs between", name, n)
		}
		if err := s.add(f[0], f[1], f[2]); err != nil {
			return nil, fmt.Errorf("cannot read %q: line %d: %w", name, n, err)
		}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("cannot read %q: %w", name, err)
	}
	return s, nil
}

func (s *State) add(name, key, value string) error {
	if key == "defer_destroy" {
		if err := dataset.CheckFull(name); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		if value == "on" {
			s.deferred[name] = true
		}
		return nil
	}
	if err := dataset.CheckName(name); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	f := s.facts[name]
	if f == nil {
		f = &facts{}
		s.facts[name] = f
	}
	return f.set(key, value)
}

func (f *facts) set(key, value string) error {
	switch snap, since := strings.CutPrefix(key, "written@"); {
	case key == "zreplctl:send":
		o, err := dataset.ParseSendOptions(value)
		f.sent = &o
		return err
	case value == "-":
	case since || key == "written":
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %q is not a number of bytes", key, value)
		}
		f.setWritten(snap, since, n)
	case key == "placeholder", key == "zreplctl:placeholder":
		f.placeholder = value == "on"
	case key == "receive_resume_token":
		f.token = readToken(value)
	case key == "encryption":
		f.encrypted = value != "off"
	case key == "encryptionroot":
		f.keyRoot = value
	case key == "keystatus":
		f.keyGone = value != "available"
	default:
		return fmt.Errorf("unknown key %q", key)
	}
	return nil
}

func (f *facts) setWritten(snap string, since bool, n uint64) {
	if !since {
		f.written = plan.WrittenBytes(n)
		return
	}
	if f.since == nil {
		f.since = map[string]plan.Written{}
	}
	f.since[snap] = plan.WrittenBytes(n)
}

// readToken keeps what a plan has to know of a token. One that cannot be read
// is of no use, which is not this file's mistake.
func readToken(text string) *token {
	t, err := stream.DecodeToken(text)
	switch {
	case err != nil:
		return &token{bad: err.Error()}
	case t.Redacted || t.Saved:
		return &token{bad: "it is of a redacted or a saved stream"}
	}
	of, _, name := dataset.Split(t.ToName)
	return &token{of: of, name: name, to: t.ToGUID, from: t.FromGUID,
		stream: transfer.Partial{Raw: t.Raw, Large: t.Large, Embedded: t.Embedded, Compressed: t.Compressed}}
}
