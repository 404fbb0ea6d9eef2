package frame

import (
	"bytes"
	"fmt"
	"testing"
)

// sample is a stream whose data looks like frames itself, and where each of
// its frames begins.
func sample(t testing.TB, sum Checksum) (b, data []byte, begins []int) {
	t.Helper()
	inner := stream(t, sum, []byte("a stream within a stream"))
	pieces := [][]byte{inner, append([]byte("x"), inner...), randomBytes(100), inner[12:]}
	b = stream(t, sum, pieces...)
	for at := 0; at < len(b); {
		p, err := parsePrefix(b[at : at+prefixSize])
		if err != nil {
			t.Fatal(err)
		}
		begins = append(begins, at)
		at += prefixSize + int(p.length)
	}
	return b, bytes.Join(pieces, nil), append(begins, len(b))
}

// damaged is a stream that was damaged, in words.
type damaged struct {
	what    string
	b       []byte
	payload bool // the damage is within the payload of a data frame, and nowhere else
}

// damages makes every damage of the sample: each bit of everything but data
// (and every fourth of that, about a thousand), each cut, and each frame
// dropped, doubled and swapped with the next.
func damages(t testing.TB, b []byte, begins []int) (all []damaged) {
	t.Helper()
	payload := make([]bool, len(b))
	for _, at := range begins[:len(begins)-1] {
		p, _ := parsePrefix(b[at : at+prefixSize])
		for i := range p.payload() {
			payload[at+prefixSize+i] = p.typ == TypeData
		}
	}
	for bit := range 8 * len(b) {
		if payload[bit/8] && bit%4 != bit/8%4 {
			continue
		}
		c := bytes.Clone(b)
		c[bit/8] ^= 1 << (bit % 8)
		all = append(all, damaged{fmt.Sprintf("bit %d of byte %d flipped", bit%8, bit/8), c, payload[bit/8]})
	}
	for n := range b {
		all = append(all, damaged{fmt.Sprintf("cut after %d bytes", n), b[:n], false})
	}
	frame := func(i int) []byte { return b[begins[i]:begins[i+1]] }
	frames := len(begins) - 1
	for i := range frames {
		before, after := b[:begins[i]], b[begins[i+1]:]
		all = append(all, damaged{fmt.Sprintf("frame %d dropped", i), bytes.Join([][]byte{before, after}, nil), false})
		if i < frames-1 { // what stands behind the trailer is not ours
			all = append(all, damaged{fmt.Sprintf("frame %d doubled", i), bytes.Join([][]byte{before, frame(i), frame(i), after}, nil), false})
			rest := b[begins[i+2]:]
			all = append(all, damaged{fmt.Sprintf("frame %d swapped", i), bytes.Join([][]byte{before, frame(i + 1), frame(i), rest}, nil), false})
		}
	}
	return all
}

// Every damage is found, on every route, and nothing comes out that was not
// sent; but without checksums a flip within a payload is not.
func TestDamage(t *testing.T) {
	for _, sum := range []Checksum{CRC32C, None} {
		b, data, begins := sample(t, sum)
		all := damages(t, b, begins)
		for _, d := range all {
			got, _, _, err := readAll(d.b)
			if expected := sum == None && d.payload; (err == nil) != expected || !expected && !bytes.HasPrefix(data, got) {
				t.Errorf("%v, the reader: %s: %d bytes, error %v", sum, d.what, len(got), err)
			}
		}
		t.Logf("%v: %d damages tried on the reader", sum, len(all))
		for i, ro := range routes {
			// The routes differ in how they move, not in what they check: the
			// reader has just met every damage.
			stride := 37
			switch {
			case heavy:
				stride = 1
			case ro.name == "pipe to pipe":
				stride = 5
			}
			t.Run(fmt.Sprintf("%v/%s", sum, ro.name), func(t *testing.T) {
				tried, found, passed := 0, 0, 0
				for j := i % stride; j < len(all); j += stride {
					tried++
					d := all[j]
					got, _, err := ro.receive(t, d.b, 0)
					if err == nil && sum == None && d.payload {
						passed++
						continue
					}
					if err == nil {
						t.Errorf("%s: not found", d.what)
						continue
					}
					found++
					if !bytes.HasPrefix(data, got) && !(sum == None && d.payload) {
						t.Errorf("%s: %d bytes came out that were not sent", d.what, len(got))
					}
				}
				t.Logf("%d damages tried, %d found, %d flips within unchecked data passed", tried, found, passed)
				if found == 0 || sum == CRC32C && passed > 0 {
					t.Error("the test tried nothing")
				}
			})
		}
	}
}

// Large frames, in every position of a flip within a thousand; without ZT_HEAVY few,
// and others on each route.
func TestDamageInLargeFrames(t *testing.T) {
	data := randomBytes(2*MaxData + 100)
	b := stream(t, CRC32C, data)
	flips := 5
	if heavy {
		flips = 1000
	}
	for n, ro := range routes {
		for i := range flips {
			c := bytes.Clone(b)
			each := 8 * (len(b) - 200) / flips
			bit := 8*100 + i*each + n*each/len(routes) + i%8
			c[bit/8] ^= 1 << (bit % 8)
			got, _, err := ro.receive(t, c, 0)
			if err == nil || !bytes.HasPrefix(data, got) {
				t.Errorf("%s: bit %d: %d bytes came out, error %v", ro.name, bit, len(got), err)
			}
		}
	}
	t.Logf("%d flips found on each of %d routes", flips, len(routes))
}
