package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// record is one of 312 bytes and what comes with it.
func record(kind uint32, payload string) []byte {
	b := make([]byte, 312)
	binary.LittleEndian.PutUint32(b, kind)
	if kind == 3 { // DRR_WRITE
		binary.LittleEndian.PutUint64(b[32:], uint64(len(payload)))
	}
	return append(b, payload...)
}

// begin is the first record of a stream of zfs send.
func begin(version, to, from uint64) []byte {
	b := record(0, "")
	binary.LittleEndian.PutUint64(b[8:], 0x2f5bacbac)
	binary.LittleEndian.PutUint64(b[16:], version)
	binary.LittleEndian.PutUint32(b[32:], 2) // of a filesystem
	binary.LittleEndian.PutUint64(b[40:], to)
	binary.LittleEndian.PutUint64(b[48:], from)
	copy(b[56:], "tank/home@tuesday")
	return b
}

func end(to uint64) []byte {
	b := record(5, "")
	binary.LittleEndian.PutUint64(b[40:], to)
	return b
}

// plain is a whole plain stream.
func plain(to, from uint64) []byte {
	return slices.Concat(begin(1, to, from), record(3, strings.Repeat("data", 100)), end(to))
}

// chain is the package of zfs send -I.
func chain(streams ...[]byte) []byte {
	return slices.Concat(begin(2, 0, 0), end(0), slices.Concat(streams...), end(0))
}

func TestExpect(t *testing.T) {
	p := newPlace(t)
	for _, c := range []struct {
		name, expect string
		stream       []byte
		said         string // "": it is accepted
	}{
		{"full", "to=7", plain(7, 0), ""},
		{"incremental", "to=7,from=5", plain(7, 5), ""},
		{"another snapshot", "to=7", plain(8, 0), "guid 8, not 7"},
		{"another base", "to=7,from=5", plain(7, 6), "from guid 6, not 5"},
		{"full where incremental", "to=7,from=5", plain(7, 0), "from guid 0, not 5"},
		{"incremental where full", "to=7", plain(7, 5), "incremental from guid 5"},
		{"a package", "to=7", chain(plain(7, 0)), "package"},
		{"no zfs stream", "to=7", []byte(strings.Repeat("x", 400)), "not a stream of zfs send"},
		{"too short", "to=7", plain(7, 0)[:311], "ends before its last record"},
		{"empty", "to=7", nil, "holds nothing"},
	} {
		for _, size := range []int{1, 100, 311, 312, 313, 2000} {
			p.write("stream", framed(t, c.stream, size))
			os.Remove(p.dir + "/out")
			said := p.run("zrecv-frame -expect-zfs " + c.expect + " sh -c 'cat >out; echo finished >done' <stream; echo $?")
			switch got := p.read("out"); {
			case c.said == "" && (got != string(c.stream) || said != "0\n"):
				t.Errorf("%s, frames of %d: %d of %d bytes: %s", c.name, size, len(got), len(c.stream), said)
			case c.said != "" && (got != "" || !strings.Contains(said, c.said) || !strings.HasSuffix(said, "\n1\n")):
				t.Errorf("%s, frames of %d: %d bytes came out: %s", c.name, size, len(got), said)
			}
		}
	}
}

// Each stream of a package goes to a run of the command of its own, which ends
// before the next one gets anything; what does not come whole reaches no end.
func TestChain(t *testing.T) {
	const three = "-expect-zfs from=1,to=2@a -expect-zfs to=3@b,to=4@c"
	a, b, c := plain(2, 1), plain(3, 2), plain(4, 3)
	for _, test := range []struct {
		name   string
		stream []byte
		want   string // which runs came to their end
		said   string // "": it is accepted
	}{
		{"whole", chain(a, b, c), "end t@a\nend t@b\nend t@c\n", ""},
		{"one is missing", chain(a, c), "end t@a\n", "guid 4, not 3"},
		{"the last is missing", chain(a, b), "end t@a\nend t@b\n", "after 2 of 3 snapshots"},
		{"one too many", chain(a, b, c, plain(5, 4)), "end t@a\nend t@b\n", "wrong order"},
		{"more after the end", append(chain(a, b, c), 'x'), "end t@a\nend t@b\n", "does not end"},
		{"cut", chain(a, b, c)[:2500], "end t@a\n", "after 1 of 3 snapshots"},
		{"the command fails", chain(a, slices.Concat(begin(1, 3, 2), record(3, "fail"), end(3)), c), "end t@a\n", "failed with exit status 9"},
	} {
		for _, size := range []int{1, 313, 100_000} {
			p := newPlace(t)
			p.write("stream", framed(t, test.stream, size))
			p.write("take", []byte(`cat >"out$1"; ! grep -q fail "out$1" || exit 9; echo "end $1" >>events`))
			said := p.run("zrecv-frame " + three + " sh take t <stream; echo $?")
			status := "1"
			switch {
			case test.said == "":
				status = "0"
			case strings.Contains(test.said, "exit status"):
				status = "9"
			}
			if got := p.read("events"); got != test.want || !strings.Contains(said, test.said) || !strings.HasSuffix(said, status+"\n") {
				t.Errorf("%s, frames of %d: %q, not %q: %s", test.name, size, got, test.want, said)
			}
		}
	}
}

// A chain of many runs keeps no descriptor and no process of those that are
// over.
func TestLongChain(t *testing.T) {
	p := newPlace(t)
	var streams [][]byte
	args := "-expect-zfs from=1"
	for i := range uint64(200) {
		streams = append(streams, plain(i+2, i+1))
		args += fmt.Sprintf(" -expect-zfs to=%d@s%d", i+2, i)
	}
	p.write("stream", framed(t, chain(streams...), 50_000))
	p.write("expect", []byte(args))
	said := p.run("ulimit -n 64; zrecv-frame $(cat expect)" + ` sh -c 'cat >/dev/null; echo "$1" >>names' - t <stream; echo $?`)
	if got := strings.Count(p.read("names"), "\n"); got != 200 || said != "0\n" {
		t.Errorf("%d runs: %s", got, said)
	}
}
