package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// partsOf returns n streams that follow one another, and the flags that ask
// for them.
func partsOf(n int) (streams [][]byte, flags string) {
	flags = "-expect-zfs from=1"
	for i := range uint64(n) {
		streams = append(streams, plain(i+2, i+1))
		flags += fmt.Sprintf(" -expect-zfs to=%d@s%d", i+2, i)
	}
	return streams, flags
}

// unfinished is a framed stream that lacks its trailer.
func unfinished(t *testing.T, data []byte, size int) []byte {
	t.Helper()
	var end bytes.Buffer
	w := frame.NewWriter(&end, frame.CRC32C)
	if err := w.Header(frame.MakeHeader(frame.CRC32C)); err != nil {
		t.Fatal(err)
	}
	header := end.Len()
	if err := w.Trailer(frame.Trailer{Status: frame.StatusOK}); err != nil {
		t.Fatal(err)
	}
	whole := framed(t, data, size)
	return whole[:len(whole)-(end.Len()-header)]
}

// takeParts makes a command "sh take t" that keeps its part, and says so when
// it has come to its end. A grandchild does it: no death signal reaches that.
func (p *place) takeParts() {
	p.t.Helper()
	p.write("take", []byte(`sh keep "$1"; :`))
	p.write("keep", []byte(`cat >"out$1"; echo "$1" >>events`))
}

// tookWhole returns how many runs came to their end, and complains about one
// that did so without all of its part, or out of its turn.
func (p *place) tookWhole(streams [][]byte) (ended int) {
	p.t.Helper()
	for i, name := range strings.Fields(p.read("events")) {
		ended++
		if i >= len(streams) || name != fmt.Sprintf("t@s%d", i) {
			p.t.Errorf("number %d to end is %s", i, name)
		} else if got := p.read("out" + name); got != string(streams[i]) {
			p.t.Errorf("%s took %d of %d bytes for the whole", name, len(got), len(streams[i]))
		}
	}
	return ended
}

// kill -9 ends all runs, those that wait for their parts, too, and none of them
// sees the end of its input.
func TestKilledInChain(t *testing.T) {
	streams, flags := partsOf(12)
	all := chain(streams...)
	const opening = 2 * 312 // of the package
	size := len(streams[0])
	for _, c := range []struct {
		name  string
		bytes int
		ended int
	}{
		{"before the first part", opening, 0},
		{"inside the first", opening + 400, 0},
		{"between the first and the second", opening + size, 1},
		{"inside the second", opening + size + 400, 1},
		{"between two later ones", opening + 9*size, 9},
		{"inside the last", opening + 11*size + 400, 11},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.write("stream", unfinished(t, all[:c.bytes], 100))
			p.takeParts()
			out, wait := p.start("{ cat stream; touch given; exec sleep 100; } | zrecv-frame " + flags + " sh take t")
			p.await("given")
			deadline := time.Now().Add(patience)
			for strings.Count(p.read("events"), "\n") < c.ended && time.Now().Before(deadline) {
				time.Sleep(5 * time.Millisecond)
			}
			time.Sleep(200 * time.Millisecond) // the next ones are started
			if p.signal(syscall.SIGKILL, "zrecv-frame ") != 1 {
				t.Errorf("not one program to kill: %v, %s", p.processes(), out)
			}
			p.signal(syscall.SIGKILL, "sleep ")
			wait()
			p.nothingLeft(patience)
			if ended := p.tookWhole(streams); ended != c.ended {
				t.Errorf("%d runs came to their end, not %d", ended, c.ended)
			}
		})
	}
}

// The same at any moment of a chain that flows.
func TestKilledAnywhereInChain(t *testing.T) {
	t.Parallel()
	streams, flags := partsOf(100)
	data := framed(t, chain(streams...), 100)
	fewest, most := len(streams), 0
	for range 12 {
		p := newPlace(t)
		p.write("stream", data)
		p.takeParts()
		_, wait := p.start("touch begun; exec zrecv-frame " + flags + " sh take t <stream")
		p.await("begun")
		time.Sleep(rand.N(300 * time.Millisecond))
		p.signal(syscall.SIGKILL, "zrecv-frame ")
		wait()
		p.nothingLeft(patience)
		ended := p.tookWhole(streams)
		fewest, most = min(fewest, ended), max(most, ended)
	}
	t.Logf("killed after %d to %d of %d parts", fewest, most, len(streams))
}
