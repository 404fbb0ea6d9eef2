package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/forge"
)

// An edition is a stream under change.
type edition struct {
	stream  forge.Stream
	begin   *forge.Record
	tail    string
	mistake func([]byte) // what is spoilt after the checksums were made
}

func edit(in, out string, changes []string) error {
	s, err := read(in)
	if err != nil {
		return err
	}
	e := &edition{stream: s, begin: s.Begins()[0]}
	for _, c := range changes {
		if err := e.change(c); err != nil {
			return fmt.Errorf("cannot make the change %q: %w", c, err)
		}
	}
	b := e.stream.Bytes()
	if e.mistake != nil {
		e.mistake(b)
	}
	return os.WriteFile(out, append(b, e.tail...), 0o644)
}

// unescape turns \0 into a NUL.
func unescape(s string) string { return strings.ReplaceAll(s, `\0`, "\x00") }

func (e *edition) change(c string) error {
	key, value, _ := strings.Cut(c, "=")
	switch key {
	case "name":
		e.begin.SetName(unescape(value))
		return nil
	case "swap":
		at := slices.Index(e.stream.Begins(), e.begin)
		e.stream = e.stream.Swap()
		e.begin = e.stream.Begins()[at]
		return nil
	case "tail":
		e.tail = value
		return nil
	case "payload":
		pairs, err := forge.ParsePairs(value)
		e.begin.SetPayload(forge.Pack(pairs...))
		return err
	}
	n, err := strconv.ParseUint(value, 0, 64)
	if err != nil {
		return err
	}
	return e.number(key, n)
}

// field knows the numbers of a DRR_BEGIN by name.
func field(name string) (forge.Field, bool) {
	switch name {
	case "to":
		return forge.ToGUID, true
	case "from":
		return forge.FromGUID, true
	case "flags":
		return forge.Flags, true
	case "type":
		return forge.ObjectSet, true
	case "creation":
		return forge.Creation, true
	case "magic":
		return forge.Magic, true
	case "version":
		return forge.VersionInfo, true
	case "record":
		return forge.Type, true
	case "payloadlen":
		return forge.PayloadLen, true
	}
	return 0, false
}

func (e *edition) number(key string, n uint64) error {
	if f, ok := field(key); ok {
		e.begin.Set(f, n)
		return nil
	}
	switch key {
	case "at":
		if n >= uint64(len(e.stream.Begins())) {
			return fmt.Errorf("there are %d", len(e.stream.Begins()))
		}
		e.begin = e.stream.Begins()[n]
	case "header":
		e.begin.SetHeader(n)
	case "features":
		e.begin.SetFeatures(n)
	case "addfeatures":
		e.begin.SetFeatures(e.begin.Features() | n)
	case "addflags":
		e.begin.Set(forge.Flags, e.begin.Get(forge.Flags)|n)
	case "endguid": // of the last record
		e.stream[len(e.stream)-1].Set(forge.EndGUID, n)
	case "data": // a byte of the n-th WRITE to a file or volume from the end, with right checksums
		for _, r := range slices.Backward(e.stream) {
			if contents(r) {
				if n--; n == 0 {
					r.Payload = slices.Clone(r.Payload)
					r.Payload[0] ^= 0xff
					return nil
				}
			}
		}
		return errors.New("there is no such WRITE")
	case "spoil": // the n-th byte from the end
		e.mistake = func(b []byte) { b[len(b)-int(n)] ^= 0xff }
	case "cut": // the last n records
		e.stream = e.stream[:len(e.stream)-int(n)]
	case "end": // n more DRR_END
		for range n {
			e.stream = append(e.stream, forge.New(forge.End, e.begin.Order))
		}
	default:
		return errors.New("there is no such change")
	}
	return nil
}

// contents reports whether a record writes what people see. With other data the
// directories of a filesystem are unreadable.
func contents(r *forge.Record) bool {
	if r.Get(forge.Type) != forge.Write || len(r.Payload) == 0 {
		return false
	}
	t := r.Get(forge.ObjectType)
	return t == 0 || t == forge.FileContents || t == forge.VolumeContents
}
