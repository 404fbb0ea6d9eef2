// Bench-rpc measures package rpc beside what a program would otherwise use,
// in rounds that go around the candidates: a reply of octets beside plain
// copying with a 4 MiB buffer over the same kind of descriptors, and small
// calls beside net/rpc over the same kind of pipes. Server and client are
// processes of their own. The machine may be busy: only the ratios mean
// something.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"slices"
	"strconv"

	ours "github.com/zrepl-tools/zrepl-tools/lib/rpc"
)

func main() {
	err := fmt.Errorf("usage: bench-rpc [-size BYTES] [-rounds N] [-calls N]")
	if len(os.Args) > 1 && ends[os.Args[1]] != nil {
		err = ends[os.Args[1]](os.Args[2:])
	} else {
		size := flag.Int64("size", 1<<30, "move that many `bytes` as octets; 0: none")
		rounds := flag.Int("rounds", 3, "`times` to run each candidate")
		calls := flag.Int("calls", 1000, "`number` of small calls in a round, of which there are five times as many")
		flag.Parse()
		if flag.NArg() == 0 {
			err = bench(*size, *rounds, *calls)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-rpc:", err)
		os.Exit(1)
	}
}

func bench(size int64, rounds, calls int) error {
	for _, over := range []string{"pipes", "sockets"} {
		if size == 0 {
			break
		}
		if err := compareOctets(over, size, rounds); err != nil {
			return err
		}
	}
	return compareCalls(5*rounds, calls)
}

// ends are what we do as a process of our own.
var ends = map[string]func([]string) error{
	"generate":     generate,
	"sink":         sink,
	"copy":         func([]string) error { return plainCopy() },
	"serve":        func([]string) error { return serve() },
	"serve-netrpc": func([]string) error { return serveNet() },
}

const piece = 1 << 20

func generate(args []string) error {
	left, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return err
	}
	enlarge(1)
	b := slices.Repeat([]byte("generated"), piece/9+1)[:piece]
	for left > 0 {
		n, err := os.Stdout.Write(b[:min(left, piece)])
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	return nil
}

func sink(args []string) error {
	want, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return err
	}
	enlarge(0)
	for b := make([]byte, piece); ; {
		n, err := os.Stdin.Read(b)
		if n == 0 || err != nil {
			break
		}
		want -= int64(n)
	}
	if want != 0 {
		return fmt.Errorf("%d bytes are missing", want)
	}
	return nil
}

// plainCopy copies without splice(2), which os.File would use by itself.
func plainCopy() error {
	enlarge(0)
	enlarge(1)
	_, err := io.CopyBuffer(struct{ io.Writer }{os.Stdout}, struct{ io.Reader }{os.Stdin}, make([]byte, 4<<20))
	return err
}

// Text is about 100 bytes of JSON, both ways.
type Text struct {
	Name string
	GUID uint64
	TXG  uint64
}

var text = Text{"tank/home/somebody@zrepl_20260102_030405_000", 1234567890123456789, 12345678}

func serve() error {
	s := &ours.Server{}
	s.Handle("echo", func(_ context.Context, t Text) (Text, error) { return t, nil })
	s.Handle("fetch", func(_ context.Context, size int64) (struct{}, ours.Sender, error) {
		return struct{}{}, framed(size), nil
	})
	return s.Serve(context.Background(), os.Stdin, os.Stdout)
}

// Echo is the service of net/rpc.
type Echo struct{}

// Echo is its call.
func (Echo) Echo(in Text, out *Text) error { *out = in; return nil }

func serveNet() error {
	s := rpc.NewServer()
	if err := s.Register(Echo{}); err != nil {
		return err
	}
	s.ServeConn(duplex{os.Stdin, os.Stdout})
	return nil
}

// duplex is two files as one connection.
type duplex struct{ in, out *os.File }

func (d duplex) Read(p []byte) (int, error)  { return d.in.Read(p) }
func (d duplex) Write(p []byte) (int, error) { return d.out.Write(p) }
func (d duplex) Close() error                { d.in.Close(); return d.out.Close() }
