package rpc

import (
	"bytes"
	"context"
	"io"
	"iter"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// FuzzServe gives a server any bytes: it ends, and what it does not
// understand it does not act on.
func FuzzServe(f *testing.F) {
	for _, s := range [][]byte{
		message(request("nothing", "none", "none"), "", 9),
		message(request("echo", "json", "json"), `{"Text":"x"}`, 4),
		message(request("sum", "jsonl", "json"), "1\n2\n3\n", 4),
		message(request("double", "jsonl", "jsonl"), "1\n2\n3\n", 4),
		message(request("count", "json", "jsonl"), "12", 4),
		message(request("fetch", "json", "octets"), "7", 4),
		append(message(request("store", "octets", "json"), `{"Text":"x"}`, 40), octetStream(10)...),
		[]byte("SSH-2.0-OpenSSH_9.9\r\n"),
	} {
		f.Add(s)
		f.Add(append(s, s...))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		if len(input) > 32<<10 {
			return // more than a pipe takes at once
		}
		s := testServer()
		s.Limits = Limits{JSON: 10_000, Line: 1000, Lines: 1000}
		r, w := pipe(t)
		back, out := pipe(t)
		if _, err := w.Write(input); err != nil {
			t.Fatal(err)
		}
		w.Close()
		go io.Copy(io.Discard, back)
		began := time.Now()
		s.Serve(context.Background(), r, out)
		if d := time.Since(began); d > plenty {
			t.Errorf("took %s", d)
		}
		for _, end := range []io.Closer{r, out, back} {
			end.Close()
		}
	})
}

// FuzzMessage gets past the checksums: whole frames with any header and body.
func FuzzMessage(f *testing.F) {
	f.Add(request("echo", "json", "json"), `{"Text":"x"}`, uint8(4))
	f.Add(request("sum", "jsonl", "json"), "1\n2\n3\n", uint8(4))
	f.Add(request("double", "jsonl", "jsonl"), "1\n2\n3\n", uint8(1))
	f.Add(request("count", "json", "jsonl"), "12", uint8(1))
	f.Add(request("store", "octets", "json"), `{"Text":"refuse"}`, uint8(9))
	f.Add(request("nothing", "none", "none"), "", uint8(9))
	f.Fuzz(func(t *testing.T, header, data string, size uint8) {
		var b bytes.Buffer
		w := frame.NewWriter(&b, frame.CRC32C)
		if w.Header([]byte(header)) != nil || len(data) > 1000 {
			return
		}
		for n := int(size)%64 + 1; len(data) > 0; {
			n = min(n, len(data))
			w.Data([]byte(data[:n]))
			data = data[n:]
		}
		w.Trailer(frame.Trailer{Status: frame.StatusOK})
		s := testServer()
		s.Limits = Limits{JSON: 500, Line: 100, Lines: 100}
		reply, err := serveBytes(t, s, b.Bytes())
		if err == nil && len(reply) == 0 {
			t.Error("a good end without a reply")
		}
	})
}

// FuzzReply gives a client any bytes for a reply.
func FuzzReply(f *testing.F) {
	f.Add(message(okJSON, `{"Text":"x","N":3}`, 40))
	f.Add(message(`{"zframe":1,"checksum":"crc32c","zrpc":1,"status":"ok","body":"jsonl"}`, "{\"N\":3}\n{}\n", 4))
	f.Add(message(`{"zframe":1,"checksum":"crc32c","zrpc":1,"status":"error","body":"none","code":"no","error":"n\u00f6"}`, "", 4))
	f.Add([]byte("Welcome\n"))
	f.Fuzz(func(t *testing.T, reply []byte) {
		if len(reply) > 32<<10 {
			return // more than a pipe takes at once
		}
		call := func(out any) error {
			l := pipes(t)
			c, err := NewConn(l.clientIn, l.clientOut)
			if err != nil {
				t.Fatal(err)
			}
			c.Limits = Limits{JSON: 10_000, Line: 1000, Lines: 1000}
			l.serverOut.Write(reply)
			l.serverOut.Close()
			err = c.Call(context.Background(), "x", nil, out)
			if lines, ok := out.(*iter.Seq2[answer, error]); ok && err == nil {
				n := 0
				for _, e := range *lines {
					n, err = n+1, e
				}
				if n > 1001 {
					t.Errorf("%d lines", n)
				}
			}
			c.Close()
			l.hangUpClient()
			l.hangUpServer()
			return err
		}
		one := call(new(answer))
		many := call(new(iter.Seq2[answer, error]))
		if one == nil && many == nil {
			t.Errorf("%q is one value and lines", reply)
		}
	})
}

// FuzzHeader: what is a header is written so that it is read again.
func FuzzHeader(f *testing.F) {
	f.Add([]byte(request("echo", "json", "jsonl")))
	f.Add([]byte(okJSON))
	f.Add([]byte(`{"zframe":1,"zrpc":1,"status":"error","body":"none","code":"a-b","error":"x\ny"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := parseRequest(b); err == nil {
			if again, err := parseRequest(h.append(nil)); err != nil || again != h {
				t.Errorf("%+v became %+v, %v", h, again, err)
			}
		}
		if h, err := parseReply(b); err == nil {
			if again, err := parseReply(h.append(nil)); err != nil || again != h {
				t.Errorf("%+v became %+v, %v", h, again, err)
			}
		}
	})
}
