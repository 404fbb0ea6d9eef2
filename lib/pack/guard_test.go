package pack

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

// judge gives data to a Guard in pieces of these sizes, over and over, and
// returns why it is refused.
func judge(data []byte, sizes ...int) string {
	var g Guard
	var passed []byte
	for i := 0; len(data) > 0; i++ {
		n := min(len(data), sizes[i%len(sizes)])
		pass, rest, last, err := g.Split(data[:n])
		switch {
		case err != nil:
			return err.Error()
		case len(rest) > 0 || last || len(pass) != n:
			return "not all is passed on, in one part"
		}
		passed, data = append(passed, pass...), data[n:]
	}
	if err := g.End(); err != nil {
		return err.Error()
	}
	return ""
}

// reference judges the same data at once, as RFC 8878 has it.
func reference(b []byte) (good bool) {
	if len(b) < 6 || binary.LittleEndian.Uint32(b) != magic {
		return false
	}
	d := b[4]
	single, size := d&32 != 0, []int{0, 2, 4, 8}[d>>6]
	if single && size == 0 {
		size = 1
	}
	if d&(8|3) != 0 {
		return false
	}
	b = b[5:]
	var need uint64
	if !single {
		need = uint64(1)<<(10+b[0]>>3) + uint64(b[0]&7)*(uint64(1)<<(10+b[0]>>3)/8)
		b = b[1:]
	}
	if len(b) < size {
		return false
	}
	if single {
		for i := range size {
			need |= uint64(b[i]) << (8 * i)
		}
		if size == 2 {
			need += 256
		}
	}
	if need > 8<<20 {
		return false
	}
	empty := 0
	for b = b[size:]; ; {
		if len(b) < 3 {
			return false
		}
		h := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
		n, kind := h>>3, h>>1&3
		if empty++; n > 0 || h&1 != 0 {
			empty = 0
		}
		if empty > maxEmpty {
			return false
		}
		if n > 128<<10 || kind == 3 {
			return false
		}
		if kind == 1 {
			n = 1
		}
		if len(b) < 3+n {
			return false
		}
		if b = b[3+n:]; h&1 != 0 {
			break
		}
	}
	if d&4 != 0 {
		return len(b) == 4
	}
	return len(b) == 0
}

// someFrame makes a frame, good or nearly so.
func someFrame(r *rand.Rand) []byte {
	d := byte(r.IntN(4))<<6 | byte(r.IntN(2))<<5 | byte(r.IntN(2))<<2
	b := append(binary.LittleEndian.AppendUint32(nil, magic), d)
	if d&32 == 0 {
		b = append(b, byte(r.IntN(14)<<3|r.IntN(8)))
	}
	size := []int{0, 2, 4, 8}[d>>6]
	if d&32 != 0 && size == 0 {
		size = 1
	}
	for i := range size {
		if v := byte(r.IntN(256)); i < 2 || r.IntN(5) == 0 {
			b = append(b, v)
		} else {
			b = append(b, 0)
		}
	}
	for n := r.IntN(4); n >= 0; n-- {
		length, kind := r.IntN(300), r.IntN(3)
		h := length<<3 | kind<<1
		if n == 0 {
			h |= 1
		}
		b = append(b, byte(h), byte(h>>8), byte(h>>16))
		if kind == 1 {
			length = 1
		}
		b = append(b, make([]byte, length)...)
	}
	if d&4 != 0 {
		b = append(b, "sum!"...)
	}
	return b
}

// TestGuard: however it is cut into pieces, data is judged as the reference
// judges it.
func TestGuard(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	good, bad := 0, 0
	for range 100_000 {
		b := someFrame(r)
		switch r.IntN(4) {
		case 0:
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		case 1:
			b = b[:r.IntN(len(b)+1)]
		case 2:
			if r.IntN(2) == 0 {
				b = append(b, byte(r.IntN(256)))
			}
		}
		want := reference(b)
		if got := judge(b, 1+r.IntN(9), 1+r.IntN(400)); (got == "") != want {
			t.Fatalf("%x: %q, and the reference says %v", b, got, want)
		}
		if want {
			good++
		} else {
			bad++
		}
	}
	if good < 10_000 || bad < 10_000 {
		t.Errorf("only %d good and %d bad", good, bad)
	}
}

// What zstd(1) makes at every level is accepted, if there is one: zstd-sim
// stands for it where there is none, and in all other tests.
func TestGuardLevels(t *testing.T) {
	if Method(Zstd).Works() != nil {
		t.Log("no zstd here: its frames are only looked at on machines that have it")
		return
	}
	data := []byte(strings.Repeat("what a stream may hold, again and again. ", 400_000))
	for _, level := range []string{"zstd", "zstd-1", "zstd-9", "zstd-19"} {
		m, err := Parse(level)
		if err != nil {
			t.Fatal(err)
		}
		args := m.compress()
		c := exec.Command(args[0], args[1:]...)
		c.Stdin = bytes.NewReader(data)
		packed, err := c.Output()
		if why := judge(packed, 1000); err != nil || why != "" {
			t.Errorf("%s: %v, %s", level, err, why)
		}
		args = decompress()
		c = exec.Command(args[0], args[1:]...)
		c.Stdin = bytes.NewReader(packed)
		if plain, err := c.Output(); err != nil || !bytes.Equal(plain, data) {
			t.Errorf("%s: %v, %d bytes", level, err, len(plain))
		}
	}
}

func FuzzGuard(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		f.Add(someFrame(r), 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if got, want := judge(b, 1+max(n, -n)%100), reference(b); (got == "") != want {
			t.Errorf("%x: %q, and the reference says %v", b, got, want)
		}
	})
}

func TestParse(t *testing.T) {
	for s, want := range map[string]Method{"off": "", "zstd": "zstd", "zstd-1": "zstd-1", "zstd-19": "zstd-19"} {
		if m, err := Parse(s); err != nil || m != want || m.String() != s {
			t.Errorf("%q: %q, %v", s, m, err)
		}
	}
	for _, s := range []string{"", "zstd-", "zstd-0", "zstd-20", "zstd-03", "zstd-+3", "zstd--1", "zstd-3 ", "gzip", "ZSTD", "zstd-9 -o /etc/passwd"} {
		if m, err := Parse(s); err == nil {
			t.Errorf("%q: %q", s, m)
		}
	}
}

// Blocks of no bytes never come without end, and a few are no harm.
func TestGuardEmpty(t *testing.T) {
	for _, kind := range []byte{0, 1} {
		for n, good := range map[int]bool{1: true, maxEmpty: true, maxEmpty + 1: false, 1000: false} {
			b := append(binary.LittleEndian.AppendUint32(nil, magic), 0, 0x38)
			for range n {
				b = append(b, kind<<1, 0, 0)
				if kind == 1 {
					b = append(b, 7)
				}
			}
			if why := judge(append(b, 1, 0, 0), 1000); (why == "") != good {
				t.Errorf("%d blocks of kind %d: %q", n, kind, why)
			}
		}
	}
}
