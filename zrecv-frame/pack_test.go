package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// packs is a place where zstd is zstd-sim.
func packs(t *testing.T) *place {
	t.Helper()
	p := newPlace(t)
	if err := os.Mkdir(filepath.Join(p.dir, "tools"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(bin, "zstd-sim"), filepath.Join(p.dir, "tools", "zstd")); err != nil {
		t.Fatal(err)
	}
	return p
}

// packed has the framers of a script compress.
func packed(script string) string {
	return strings.NewReplacer("zsend-frame ", "zsend-frame -compress zstd-5 ", "zrecv-frame ", "zrecv-frame -decompress zstd ").Replace(script)
}

func TestPackedPipeline(t *testing.T) {
	for _, flags := range []string{"", "-checksum none"} {
		p := packs(t)
		p.write("zeros", make([]byte, 3_000_000))
		said := p.run(packed(`{ zsend-frame ` + flags + ` cat zeros; zsend-frame ` + flags + ` <big; zsend-frame true; echo plain text; } |
			{ zrecv-frame -status-fd 3 sh -c 'cat >out' 3>status && zrecv-frame >two && zrecv-frame cat >three && cat >rest; }`))
		if p.read("out") != p.read("zeros") || p.read("two") != p.read("big") || p.read("three") != "" || p.read("rest") != "plain text\n" {
			t.Errorf("%q: %s", flags, said)
		}
		if status := p.read("status"); !strings.Contains(status, `"bytes":3000000,"link":98,`) {
			t.Errorf("%s", status)
		}
		// A reader that decompresses also takes what is not compressed.
		p.run(`zsend-frame ` + flags + ` cat big | zrecv-frame -decompress zstd cat >four`)
		if p.read("four") != p.read("big") {
			t.Errorf("%q: a plain stream is not taken", flags)
		}
	}
}

// TestPackedFaults: as without compression.
func TestPackedFaults(t *testing.T) {
	testFaultsAt(t, packs, packed)
}

// kill -9 of any program leaves nothing running, both framers fail, and the
// consumer's input does not seem to end.
func TestPackedKilled(t *testing.T) {
	for _, c := range []struct{ victim, says string }{
		{"zsend-frame ", "cut before its trailer"},
		{"zrecv-frame ", ""},
		{"zstd -q -c ", "zstd was killed by SIGKILL"},
		{"zstd -q -d ", "the decompressor was killed by SIGKILL"},
	} {
		t.Run(c.victim, func(t *testing.T) {
			t.Parallel()
			p := packs(t)
			out, wait := p.start(packed(`zsend-frame sh -c 'cat big; touch ready; sleep 100 | sleep 100' |
				zrecv-frame sh -c 'cat | cat >out; echo finished >done'`))
			p.await("ready")
			for end := time.Now().Add(patience); len(p.read("out")) == 0 && time.Now().Before(end); {
				time.Sleep(5 * time.Millisecond)
			}
			if p.signal(syscall.SIGKILL, c.victim) != 1 {
				t.Errorf("not one program to kill: %v", p.processes())
			}
			wait()
			p.nothingLeft(patience)
			if p.exists("done") || !strings.Contains(out.String(), c.says) {
				t.Errorf("the consumer took a part for the whole, or nobody says %q: %s", c.says, out)
			}
		})
	}
}

// frameOf is one frame of RFC 8878 with a block of n zeros, or a whole header.
func frameOf(n int) []byte {
	b := append(binary.LittleEndian.AppendUint32(nil, 0xFD2FB528), 0, 0x38)
	h := uint32(n)<<3 | 1<<1 | 1
	return append(b, byte(h), byte(h>>8), byte(h>>16), 0)
}

// packedFrame is a framed stream whose data is called compressed.
func packedFrame(t *testing.T, header string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := frame.NewWriter(&b, frame.None)
	if header == "" {
		header = string(frame.MakePackedHeader(frame.None, "zstd"))
	}
	if err := w.Header([]byte(header)); err != nil {
		t.Fatal(err)
	}
	for len(data) > 0 { // in small pieces, which is harder
		n := min(len(data), 3)
		if err := w.Data(data[:n]); err != nil {
			t.Fatal(err)
		}
		data = data[n:]
	}
	if err := w.Trailer(frame.Trailer{Status: frame.StatusOK}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestPackedHostile: whatever a sender calls compressed, it is a stream that
// failed, and the consumer does not take a part for the whole.
func TestPackedHostile(t *testing.T) {
	head := func(descriptor byte, rest ...byte) []byte {
		return append(append(binary.LittleEndian.AppendUint32(nil, 0xFD2FB528), descriptor), rest...)
	}
	good := frameOf(1000)
	for _, c := range []struct {
		name string
		data []byte
		says string
	}{
		{"none", nil, "ends too early"},
		{"garbage", []byte("0123456789abcdef"), "not compressed by zstd"},
		{"gzip", []byte{31, 139, 8, 0, 0, 0, 0, 0}, "not compressed by zstd"},
		{"xz", append([]byte{0xfd, '7', 'z', 'X', 'Z', 0}, make([]byte, 100)...), "not compressed by zstd"},
		{"a skippable frame", append([]byte{0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0}, good...), "not compressed by zstd"},
		{"cut in the header", good[:5], "ends too early"},
		{"cut in a block", good[:len(good)-1], "ends too early"},
		{"a second frame", append(bytes.Clone(good), good...), "more comes after the end"},
		{"one more byte", append(bytes.Clone(good), 0), "more comes after the end"},
		{"xz behind it", append(bytes.Clone(good), 0xfd, '7', 'z', 'X', 'Z', 0), "more comes after the end"},
		{"a window of 2 GiB", head(0, 21<<3, 1, 0, 0), "a window of 2147483648 bytes"},
		{"a window of 3.75 TiB", head(0, 0xff, 1, 0, 0), "a window of"},
		{"a window above the limit", head(0, 13<<3|1, 1, 0, 0), "a window of 9437184 bytes"},
		{"a single segment of 2 GiB", head(0xa0, 0, 0, 0, 0x80), "a window of 2147483648 bytes"},
		{"a single segment of 16 EiB", head(0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "a window of"},
		{"a dictionary", head(1, 0x38, 7, 1, 0, 0), "needs a dictionary"},
		{"a reserved bit", head(8, 0x38, 1, 0, 0), "unknown kind"},
		{"a block of an unknown type", head(0, 0x38, 7, 0, 0), "unknown type"},
		{"a block too long", head(0, 0x38, 0xff, 0xff, 0xff), "at most 131072"},
		{"a block that is no zstd", append(head(0, 0x38, 4<<3|2<<1|1, 0, 0), "abcd"...), "cannot be decompressed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := packs(t)
			p.write("stream", packedFrame(t, "", c.data))
			for _, consumer := range []string{"sh -c 'cat >out; echo finished >done'", "-verify"} {
				_, received, said := p.pipeline("cat stream", packed("zrecv-frame "+consumer))
				if received != "1" || !strings.Contains(said, "bad stream: ") || !strings.Contains(said, c.says) || p.exists("done") {
					t.Errorf("%s: exit status %s, not %q: %s", consumer, received, c.says, said)
				}
			}
		})
	}
}

// A sender that compresses is refused by who does not want that, and what is
// compressed is judged as any other stream is.
func TestPackedRefused(t *testing.T) {
	p := packs(t)
	bomb := frameOf(1000)[:6]
	for range 1000 {
		bomb = append(bomb, 2, 0, 16, 0) // 128 KiB of zeros
	}
	bomb = append(bomb, 1, 0, 0)
	p.write("stream", packedFrame(t, "", bomb))
	for _, c := range []struct{ reader, says string }{
		{"zrecv-frame cat >/dev/null", "its data is compressed, which is not accepted here"},
		{"zrecv-frame -decompress zstd -expect-zfs to=1 cat >/dev/null", "the stream is refused: it is not a stream of zfs send"},
		{"PATH=" + bin + " " + bin + "/zrecv-frame -decompress zstd >/dev/null", `cannot start "zstd"`},
	} {
		if _, received, said := p.pipeline("cat stream", c.reader); received != "1" || !strings.Contains(said, c.says) {
			t.Errorf("%s: exit status %s, not %q: %s", c.reader, received, c.says, said)
		}
	}
	if _, received, said := p.pipeline("cat stream", "zrecv-frame -decompress zstd cat >out"); received != "0" || len(p.read("out")) != 1000*128<<10 {
		t.Errorf("it is no good stream: %s", said)
	}
	// What is sent is judged before it is compressed.
	for _, c := range []struct{ command, says string }{
		{"cat big", "it is not a stream of zfs send"},
		{"head -c 100 big", "it ends before all was seen"},
		{"sh -c 'echo oops >&2; exit 4'", "exit status 4"},
		{"sh -c 'sleep 100 & exit 0'", "keeps its output open"},
	} {
		sent, received, said := p.pipeline("zsend-frame -compress zstd -expect-zfs to=1 "+c.command, "zrecv-frame -decompress zstd cat >out")
		if sent == "0" || received != "1" || !strings.Contains(said, c.says) || p.read("out") != "" {
			t.Errorf("%s: exit statuses %s and %s, not %q: %s", c.command, sent, received, c.says, said)
		}
	}
}

func TestPackedChain(t *testing.T) {
	p := packs(t)
	streams, flags := partsOf(12)
	p.write("stream", chain(streams...))
	p.takeParts()
	said := p.run("zsend-frame -compress zstd cat stream | zrecv-frame -decompress zstd " + flags + " sh take t")
	if ended := p.tookWhole(streams); ended != len(streams) {
		t.Errorf("%d runs came to their end: %s", ended, said)
	}
}

// TestPackedRate: a rate is one of the connection.
func TestPackedRate(t *testing.T) {
	p := packs(t)
	p.write("zeros", make([]byte, 30_000_000))
	if sent, received, said := p.pipeline("zsend-frame -compress zstd -rate 10K cat zeros", "zrecv-frame -decompress zstd cat >out"); sent != "0" || received != "0" {
		t.Errorf("%s %s: %s", sent, received, said)
	}
}

func TestPackedHeader(t *testing.T) {
	p := packs(t)
	for header, says := range map[string]string{
		`{"zframe":2,"checksum":"none"}`:                  "does not say how the data is compressed",
		`{"zframe":2,"checksum":"none","compress":"lz4"}`: `compressed in the unknown way "lz4"`,
		`{"zframe":2,"checksum":"none","compress":1}`:     "is not a string",
		`{"zframe":3,"compress":"zstd"}`:                  `format version "3" is not known`,
	} {
		var b bytes.Buffer // our own writer would refuse it
		good := packedFrame(t, "", nil)
		b.Write(reheader(good, header))
		p.write("stream", b.Bytes())
		if _, received, said := p.pipeline("cat stream", "zrecv-frame -decompress zstd cat"); received != "1" || !strings.Contains(said, says) {
			t.Errorf("%s: exit status %s: %s", header, received, said)
		}
	}
	p.write("stream", packedFrame(t, `{"zframe":1,"compress":"zstd"}`, []byte("plain"))) // of version 1 it is the application's
	if _, received, said := p.pipeline("cat stream", "zrecv-frame -decompress zstd cat >out"); received != "0" || p.read("out") != "plain" {
		t.Error(fmt.Sprint(received, said))
	}
}

// reheader gives a stream another header.
func reheader(stream []byte, header string) []byte {
	sum := func(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
	b := binary.LittleEndian.AppendUint32([]byte{1, 1, 0, 0}, uint32(len(header)+4))
	b = binary.LittleEndian.AppendUint32(b, sum(b))
	b = binary.LittleEndian.AppendUint32(append(b, header...), sum([]byte(header)))
	return append(b, stream[12+binary.LittleEndian.Uint32(stream[4:]):]...)
}

// What has come of a stream that failed is passed on as far as a decompressor
// that reads ahead can make anything of it, so that it can be resumed.
func TestPackedKept(t *testing.T) {
	for name, ends := range map[string]string{
		"cut":             "head -c 6000000",
		"sender failed":   "cat",
		"sender's killed": "cat", // the compressor gets its end of the data in order
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := packs(t)
			// It takes all of its input before it writes anything.
			p.write("ahead", []byte("#!/bin/sh\ncase \"$*\" in *-d*) cat >held.$$; exec "+bin+"/zstd-sim \"$@\" <held.$$;; esac\nexec "+bin+"/zstd-sim \"$@\"\n"))
			p.run("chmod +x ahead; rm tools/zstd; ln -s ../ahead tools/zstd")
			how := "exit 3"
			if name == "sender's killed" {
				how = "kill -9 $$"
			}
			_, received, said := p.pipeline("zsend-frame -compress zstd sh -c 'cat big; "+how+"' | "+ends,
				"zrecv-frame -decompress zstd sh -c 'cat >out; echo finished >done'")
			want := 5_000_000
			if ends == "cat" {
				want = 11_000_000 // a pipe may be lost with the consumer
			}
			if n := len(p.read("out")); received == "0" || p.exists("done") || n < want {
				t.Errorf("exit status %s, %d bytes are kept: %s", received, n, said)
			}
		})
	}
}
