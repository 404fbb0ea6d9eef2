package stream

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// split gives a stream to a Splitter in pieces, and returns its parts.
func split(e Expect, stream []byte, size int) (parts [][]byte, err error) {
	s := e.Splitter()
	parts = [][]byte{nil}
	for piece := range slices.Chunk(stream, size) {
		for rest := piece; len(rest) > 0; {
			var pass []byte
			var last bool
			if pass, rest, last, err = s.Split(rest); err != nil {
				return parts, err
			}
			parts[len(parts)-1] = append(parts[len(parts)-1], pass...)
			if last {
				parts = append(parts, nil)
			}
		}
	}
	return parts, s.End()
}

func TestSplit(t *testing.T) {
	one, _ := parseExpect("to=4,from=1")
	three, err := parseExpect("from=1,to=2@a,to=3@b,to=4@c")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range orders {
		end := endRec(o, 0)
		pack := slices.Concat(beginRec(o, headerPackage, 0, 0, "p/a@4", nil), end)
		sub := func(to, from uint64, name string) []byte {
			return slices.Concat(beginRec(o, headerPlain, to, from, name, nil), body(o), endRec(o, to))
		}
		a, b, c := sub(2, 1, "p/a@2"), sub(3, 2, "p/a@3"), sub(4, 3, "p/a@4")
		whole := sub(4, 1, "p/a@4")
		for _, test := range []struct {
			name   string
			expect Expect
			stream []byte
			parts  [][]byte // that come whole
			want   string
		}{
			{"one", one, whole, [][]byte{whole}, ""},
			{"three", three, slices.Concat(pack, a, b, c, end), [][]byte{a, b, c}, ""},
			{"other names on the sender", three, slices.Concat(pack, a, sub(3, 2, "q/x@y"), c, end), [][]byte{a, sub(3, 2, "q/x@y"), c}, ""},
			{"nothing", one, nil, nil, "holds nothing"},
			{"nothing of three", three, nil, nil, "holds nothing"},
			{"a package for one", one, slices.Concat(pack, whole, end), nil, "package"},
			{"one for a package", three, a, nil, "not the package"},
			{"an empty package", three, slices.Concat(pack, end), nil, "after 0 of 3"},
			{"two of three", three, slices.Concat(pack, a, b, end), [][]byte{a, b}, "after 2 of 3"},
			{"two of three, cut", three, slices.Concat(pack, a, b), [][]byte{a, b}, "after 2 of 3"},
			{"four of three", three, slices.Concat(pack, a, b, c, sub(5, 4, "p/a@5"), end), nil, "wrong order"},
			{"another order", three, slices.Concat(pack, b, a, c, end), nil, "guid 3, not 2"},
			{"one twice", three, slices.Concat(pack, a, a, b, c, end), [][]byte{a}, "guid 2, not 3"},
			{"a gap", three, slices.Concat(pack, a, c, end), [][]byte{a}, "guid 4, not 3"},
			{"a full one", three, slices.Concat(pack, a, sub(3, 0, "p/a@3"), c, end), [][]byte{a}, "from guid 0, not 2"},
			{"a package within", three, slices.Concat(pack, pack), nil, "package"},
			{"a package after a part", three, slices.Concat(pack, a, pack, b, c, end), [][]byte{a}, "package"},
			{"a package with a payload", three, slices.Concat(beginRec(o, headerPackage, 0, 0, "p/a@4", make([]byte, 8)), end), nil, "properties"},
			{"no end of the package", three, slices.Concat(pack, a, b, c), nil, "end of its package"},
			{"more after the package", three, slices.Concat(pack, a, b, c, end, []byte{0}), nil, "does not end"},
			{"more after one", one, slices.Concat(whole, []byte{0}), nil, "does not end"},
			{"a second one", one, slices.Concat(whole, whole), nil, "does not end"},
			{"no end of the first record", three, slices.Concat(pack[:recordSize], a), nil, "order"},
			{"a stream within a stream", one, slices.Concat(whole[:recordSize], whole), nil, "order"},
			{"a record between", three, slices.Concat(pack, body(o)), nil, "not a stream"},
			{"an unknown record", one, slices.Concat(whole[:recordSize], rec(o, 77, 0, nil)), nil, "type 77"},
			{"a redacted record", one, slices.Concat(whole[:recordSize], rec(o, recordRedact, 0, nil)), nil, "redacted"},
			{"a record by reference", one, slices.Concat(whole[:recordSize], rec(o, recordWriteByRef, 0, nil)), nil, "deduplicated"},
			{"another end", one, slices.Concat(whole[:recordSize], endRec(o, 5)), nil, "guid 5, not 4"},
			{"cut", one, whole[:len(whole)-1], nil, "before its last record"},
			{"cut in its first record", one, whole[:100], nil, "before its last record"},
			{"an endless record", one, slices.Concat(whole[:recordSize], rec(o, recordWrite, 0, func(b []byte) { o.PutUint64(b[32:], 1<<63) }), whole), nil, "before its last record"},
		} {
			for _, size := range []int{1, 311, 313, 1000, 1 << 20} {
				parts, err := split(test.expect, test.stream, size)
				if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v, %s, pieces of %d: %v, not %q", o, test.name, size, err, test.want)
				}
				for i, want := range test.parts {
					if i >= len(parts) || !bytes.Equal(parts[i], want) {
						t.Errorf("%v, %s, pieces of %d: part %d is not as it was sent", o, test.name, size, i)
					}
				}
			}
		}
	}
}

// The payload of a first record is judged before a byte of either passes.
func TestSplitPayload(t *testing.T) {
	e, err := parseExpect("to=4,from=1,resumed")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range orders {
		for _, c := range []struct {
			key  string
			good bool
		}{{"resume_object", true}, {"redact_snaps", false}} {
			payload := packed(pair(c.key, nvUint64, make([]byte, 8)))
			stream := slices.Concat(beginRec(o, headerPlain|featureResuming<<2, 4, 1, "p/a@4", payload), body(o), endRec(o, 4))
			for _, size := range []int{1, 313, 1 << 20} {
				parts, err := split(e, stream, size)
				if (err == nil) != c.good || c.good && !bytes.Equal(parts[0], stream) || !c.good && len(parts[0]) > 0 {
					t.Errorf("%s, pieces of %d: %v, %d bytes passed", c.key, size, err, len(parts[0]))
				}
			}
		}
	}
}

// Whatever comes, what passes is whole substreams that were asked for, in
// order, the last one perhaps cut.
func FuzzSplit(f *testing.F) {
	for _, o := range orders {
		end := endRec(o, 0)
		a := slices.Concat(beginRec(o, headerPlain, 2, 1, "p/a@2", nil), body(o), endRec(o, 2))
		b := slices.Concat(beginRec(o, headerPlain, 3, 2, "p/a@3", nil), endRec(o, 3))
		f.Add(slices.Concat(beginRec(o, headerPackage, 0, 0, "p/a@4", nil), end, a, b, end), uint16(100))
		f.Add(a, uint16(1000))
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint16) {
		for _, words := range []string{"from=1,to=2@a", "from=1,to=2@a,to=3@b", "from=1,to=2,raw,resumed"} {
			e, err := parseExpect(words)
			if err != nil {
				t.Fatal(err)
			}
			parts, err := split(e, stream, int(size)+1)
			if len(parts) > len(e.To) {
				t.Fatalf("%d parts of %d", len(parts), len(e.To))
			}
			for i, part := range parts {
				if len(part) == 0 {
					continue
				}
				begin, perr := ParseBegin(part)
				if perr != nil || e.judge(begin, i) != nil {
					t.Fatalf("part %d begins with what was not asked for: %v", i, perr)
				}
			}
			whole, werr := split(e, stream, max(len(stream), 1))
			if (err == nil) != (werr == nil) {
				t.Fatalf("in pieces of %d: %v; whole: %v", size+1, err, werr)
			}
			if err == nil && !slices.EqualFunc(parts, whole, bytes.Equal) {
				t.Fatal("other parts of other pieces")
			}
		}
	})
}
