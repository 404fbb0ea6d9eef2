package rpc

import (
	"context"
	"net/rpc"
	"os"
	"strings"
	"testing"
)

// BenchmarkCall is a call with about 100 bytes of JSON each way, over pipes.
func BenchmarkCall(b *testing.B) {
	c, _ := connect(b, testServer(), pipes(b))
	q := question{Text: strings.Repeat("text ", 16)}
	var a answer
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Call(context.Background(), "echo", q, &a); err != nil {
			b.Fatal(err)
		}
	}
}

// Echo is the same call of net/rpc.
type Echo struct{}

type Question struct{ Text string }
type Answer struct {
	Text string
	N    int
}

func (Echo) Echo(q Question, a *Answer) error { *a = Answer{q.Text, len(q.Text)}; return nil }

type duplex struct {
	*os.File
	w *os.File
}

func (d duplex) Write(p []byte) (int, error) { return d.w.Write(p) }
func (d duplex) Close() error                { d.w.Close(); return d.File.Close() }

func BenchmarkNetRPC(b *testing.B) {
	l := pipes(b)
	s := rpc.NewServer()
	if err := s.Register(Echo{}); err != nil {
		b.Fatal(err)
	}
	go s.ServeConn(duplex{l.serverIn, l.serverOut})
	c := rpc.NewClient(duplex{l.clientIn, l.clientOut})
	q := Question{Text: strings.Repeat("text ", 16)}
	var a Answer
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Call("Echo.Echo", q, &a); err != nil {
			b.Fatal(err)
		}
	}
}
