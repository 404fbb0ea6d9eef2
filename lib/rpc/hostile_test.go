package rpc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// message is one made by hand, with a body in data frames of at most size.
func message(header, data string, size int) []byte {
	var b bytes.Buffer
	b.Grow(len(header) + len(data) + len(data)/size*16 + 1000)
	w := frame.NewWriter(&b, frame.CRC32C)
	err := w.Header([]byte(header))
	for len(data) > 0 {
		n := min(size, len(data))
		err = errors.Join(err, w.Data([]byte(data[:n])))
		data = data[n:]
	}
	if err = errors.Join(err, w.Trailer(frame.Trailer{Status: frame.StatusOK})); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func request(call, body, accept string) string {
	return `{"zframe":1,"checksum":"crc32c","zrpc":1,"call":"` + call + `","body":"` + body + `","accept":"` + accept + `"}`
}

const okJSON = `{"zframe":1,"checksum":"crc32c","zrpc":1,"status":"ok","body":"json"}`

// serveBytes gives a server these bytes and then the end of its input, and
// returns what Serve says and what it replied.
func serveBytes(t testing.TB, s *Server, input []byte) ([]byte, error) {
	t.Helper()
	l := pipes(t)
	served := make(chan error, 1)
	go func() {
		err := s.Serve(context.Background(), l.serverIn, l.serverOut)
		l.serverIn.Close()
		l.serverOut.Close()
		served <- err
	}()
	go func() {
		l.clientOut.Write(input)
		l.clientOut.Close()
	}()
	reply, err := io.ReadAll(l.clientIn)
	if err != nil {
		t.Fatal(err)
	}
	l.clientIn.Close()
	return reply, await(t, served)
}

// TestCutRequest cuts a request at every byte: it is never acted on.
func TestCutRequest(t *testing.T) {
	var called atomic.Int32
	s := &Server{}
	s.Handle("echo", func(_ context.Context, q question) (question, error) { called.Add(1); return q, nil })
	whole := message(request("echo", "json", "json"), `{"Text":"hello"}`, 5)
	for cut := range whole {
		reply, err := serveBytes(t, s, whole[:cut])
		if (err == nil) != (cut == 0) || len(reply) > 0 || called.Load() != 0 {
			t.Fatalf("cut at %d of %d: %v, %d bytes of reply, %d calls", cut, len(whole), err, len(reply), called.Load())
		}
	}
	if reply, err := serveBytes(t, s, whole); err != nil || len(reply) == 0 || called.Load() != 1 {
		t.Errorf("uncut: %v, %d bytes of reply, %d calls", err, len(reply), called.Load())
	}
	t.Logf("%d cuts", len(whole))
}

// TestFlippedRequest flips every bit of a request: none is acted on.
func TestFlippedRequest(t *testing.T) {
	var called atomic.Int32
	s := &Server{Limits: Limits{Silence: 2 * time.Second}}
	s.Handle("echo", func(_ context.Context, q question) (question, error) { called.Add(1); return q, nil })
	whole := message(request("echo", "json", "json"), `{"Text":"hello"}`, 1000)
	for bit := range 8 * len(whole) {
		bad := bytes.Clone(whole)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := serveBytes(t, s, bad); err == nil || called.Load() != 0 {
			t.Fatalf("bit %d: %v, %d calls", bit, err, called.Load())
		}
	}
	t.Logf("%d bits", 8*len(whole))
}

// TestCutReply lets the server die at every byte of its reply.
func TestCutReply(t *testing.T) {
	whole := message(okJSON, `{"Text":"hello","N":5}`, 7)
	for cut := range len(whole) + 1 {
		l := pipes(t)
		c, err := NewConn(l.clientIn, l.clientOut)
		if err != nil {
			t.Fatal(err)
		}
		l.serverOut.Write(whole[:cut])
		l.serverOut.Close()
		began := time.Now()
		var a answer
		err = c.Call(context.Background(), "echo", question{"hello"}, &a)
		switch {
		case cut == len(whole) && (err != nil || a.N != 5):
			t.Errorf("uncut: %v, %v", a, err)
		case cut < len(whole) && err == nil:
			t.Errorf("cut at %d of %d: %v", cut, len(whole), a)
		case time.Since(began) > plenty:
			t.Errorf("cut at %d: took %s", cut, time.Since(began))
		}
		if cut < len(whole) && !errors.Is(c.Call(context.Background(), "echo", question{}, &a), ErrClosed) {
			t.Errorf("cut at %d: the connection is used again", cut)
		}
		c.Close()
		l.hangUpClient()
		l.hangUpServer()
	}
}

// TestBadRequests are wrong each in one way; the connection ends.
func TestBadRequests(t *testing.T) {
	s := testServer()
	s.Limits = Limits{JSON: 10_000, Line: 100, Lines: 50}
	frameOf := func(typ, flags byte, seq uint16, length uint32) []byte {
		b := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint16([]byte{typ, flags}, seq), length)
		return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	}
	heartbeat := frameOf(4, 0, 0, 0)
	for name, c := range map[string]struct {
		input []byte
		want  string
	}{
		"text":          {[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), `says "GET / HTTP/1.1; Host: x"`},
		"huge header":   {frameOf(1, 1, 0, 0xffffffff), "4294967295 bytes"},
		"huge data":     {append(message(request("echo", "json", "json"), "", 1)[:12+len(request("echo", "json", "json"))+4], frameOf(2, 1, 1, 1<<31)...), "2147483648 bytes"},
		"heartbeat":     {heartbeat, "heartbeat in a request"},
		"no version":    {message(`{"zframe":1,"checksum":"crc32c","call":"echo","body":"json","accept":"json"}`, "1", 9), "version 1"},
		"version 2":     {message(strings.Replace(request("echo", "json", "json"), `"zrpc":1`, `"zrpc":2`, 1), "1", 9), "version 1"},
		"unknown key":   {message(strings.Replace(request("echo", "json", "json"), `"call"`, `"more":1,"call"`, 1), "1", 9), "unknown key"},
		"unknown body":  {message(request("echo", "yaml", "json"), "1", 9), "yaml"},
		"no accept":     {message(request("echo", "json", ""), "1", 9), "accept"},
		"illegal name":  {message(request("a b", "json", "json"), "1", 9), "illegal name"},
		"no name":       {message(request("", "json", "json"), "1", 9), "illegal name"},
		"long name":     {message(request(strings.Repeat("x", 65), "json", "json"), "1", 9), "illegal name"},
		"big body":      {message(request("echo", "json", "json"), `{"Text":"`+strings.Repeat("x", 20_000)+`"}`, 999), "longer than is allowed"},
		"big unknown":   {message(request("what", "json", "json"), strings.Repeat("x", 20_000), 999), "longer than is allowed"},
		"data for none": {message(request("nothing", "none", "none"), "{}", 9), "data in a body that must be empty"},
	} {
		t.Run(name, func(t *testing.T) {
			reply, err := serveBytes(t, s, c.input)
			var protocol *ProtocolError
			told := strings.HasPrefix(name, "big ") // the client learns of a limit, and of nothing else
			if !errors.As(err, &protocol) || !strings.Contains(err.Error(), c.want) || told != bytes.Contains(reply, []byte(`"code":"limit"`)) || !told && len(reply) > 0 {
				t.Errorf("%v, %d bytes of reply; want an error with %q", err, len(reply), c.want)
			}
		})
	}
}

// TestBadLines are errors that the function sees; it replies with them, and
// the connection ends.
func TestBadLines(t *testing.T) {
	s := testServer()
	s.Limits = Limits{Line: 100, Lines: 50}
	for name, data := range map[string]string{
		"long line":  strings.Repeat(" ", 200) + "1\n",
		"many lines": strings.Repeat("1\n", 51),
		"no number":  "1\n\"x\"\n",
		"no end":     "1\n2",
		"empty line": "1\n\n2\n",
	} {
		reply, err := serveBytes(t, s, message(request("sum", "jsonl", "json"), data, 64))
		if err == nil || !bytes.Contains(reply, []byte(`"code":"failed"`)) {
			t.Errorf("%s: %v, reply %q", name, err, reply)
		}
	}
}

// TestBadReplies are a lying server's.
func TestBadReplies(t *testing.T) {
	for name, c := range map[string]struct {
		reply []byte
		want  string
	}{
		"greeting":     {[]byte("Welcome to Example 4.2\n\x1b[1mLast login: today\n"), "login greeting"},
		"echo":         {append([]byte("Welcome to prod1\n"), message(request("echo", "json", "json"), "{}", 9)...), `says "Welcome to prod1", which looks like a login`},
		"short text":   {[]byte("no\n"), `says "no"`},
		"shell":        {[]byte("sh: zreplctl: command not found\n"), "lacks a command"},
		"password":     {[]byte("root@prod1's password: "), "prompt for a password"},
		"nothing":      {nil, "hung up"},
		"lines":        {message(strings.Replace(okJSON, "json", "jsonl", 1), "1\n", 9), "jsonl instead of json"},
		"no code":      {message(`{"zframe":1,"checksum":"crc32c","zrpc":1,"status":"error","body":"none"}`, "", 9), "neither good nor an error"},
		"odd status":   {message(`{"zframe":1,"checksum":"crc32c","zrpc":1,"status":"maybe","body":"json"}`, "", 9), "neither"},
		"not json":     {message(okJSON, "{", 9), "not as expected"},
		"no body":      {message(okJSON, "", 9), "not as expected"},
		"request":      {message(request("echo", "json", "json"), "{}", 9), "unknown key"},
		"wrong number": {message(okJSON, `{"N":"five"}`, 9), "not as expected"},
	} {
		t.Run(name, func(t *testing.T) {
			l := pipes(t)
			client, err := NewConn(l.clientIn, l.clientOut)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			l.serverOut.Write(c.reply)
			l.serverOut.Close()
			err = client.Call(context.Background(), "echo", question{}, new(answer))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want an error with %q", err, c.want)
			}
			if strings.ContainsRune(err.Error(), 0x1b) {
				t.Errorf("a control character in %q", err)
			}
		})
	}
}

// TestMemory: hostile lengths and endless bodies do not fill the memory.
func TestMemory(t *testing.T) {
	s := testServer()
	s.Limits = Limits{JSON: 1 << 20}
	l := pipes(t)
	served := make(chan error, 1)
	go func() {
		err := s.Serve(context.Background(), l.serverIn, l.serverOut)
		l.hangUpServer()
		served <- err
	}()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w := frame.NewWriter(l.clientOut, frame.CRC32C)
	w.Header([]byte(request("echo", "json", "json")))
	data, sent := make([]byte, 64<<10), 0
	for ; sent < 1<<30; sent += len(data) {
		if w.Data(data) != nil {
			break
		}
	}
	err := await(t, served)
	runtime.ReadMemStats(&after)
	grown := after.TotalAlloc - before.TotalAlloc
	if err == nil || sent > 4<<20 || grown > 16<<20 {
		t.Errorf("%v after %d bytes, %d bytes allocated", err, sent, grown)
	}
}

func readAll(t *testing.T, f *os.File, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(f, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestExactEnds: two messages with their octets, and then plain text. Nobody
// reads past what is his.
func TestExactEnds(t *testing.T) {
	for _, l := range []link{pipes(t), sockets(t)} {
		t.Run(l.name, func(t *testing.T) {
			s := testServer()
			served := make(chan error, 1)
			reads := make(chan string, 1)
			s.Handle("text", func(context.Context, struct{}) (int, error) {
				reads <- readAll(t, l.serverIn, 11)
				return 0, errors.New("done")
			})
			go func() { served <- s.Serve(context.Background(), l.serverIn, l.serverOut) }()
			var all []byte
			for range 2 {
				all = append(all, message(request("store", "octets", "json"), `{"Text":"x"}`, 3)...)
				all = append(all, octetStream(10_000)...)
			}
			all = append(all, message(request("text", "none", "json"), "", 9)...)
			all = append(all, "plain text\n"...)
			go l.clientOut.Write(all)
			if got := await(t, reads); got != "plain text\n" {
				t.Errorf("behind the streams: %q", got)
			}
			l.hangUpClient()
			await(t, served)

			// The same the other way: a client hands the descriptor out.
			back := pipes(t)
			c, err := NewConn(back.clientIn, back.clientOut)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			var replies []byte
			for range 2 {
				replies = append(replies, message(strings.Replace(okJSON, "json", "octets", 1), `{"N":1}`, 3)...)
				replies = append(replies, octetStream(10_000)...)
			}
			go back.serverOut.Write(append(replies, "plain text\n"...))
			for range 2 {
				f, done, err := c.CallReceive(context.Background(), "fetch", 1, new(answer))
				if err != nil {
					t.Fatal(err)
				}
				if n, err := receiveOctets(f); n != 10_000 || err != nil {
					t.Errorf("%d bytes, %v", n, err)
				}
				done(true)
			}
			if got := readAll(t, back.clientIn, 11); got != "plain text\n" {
				t.Errorf("behind the replies: %q", got)
			}
		})
	}
}
