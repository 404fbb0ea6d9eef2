package rpc

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
)

// examples are the bytes that zrpc(5) shows: a request, its reply, and the
// refusal of an unknown call.
func examples(t *testing.T) [][]byte {
	t.Helper()
	page, err := os.ReadFile("../../doc/zrpc.5")
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	_, page, _ = bytes.Cut(page, []byte(".Sh EXAMPLES"))
	for _, m := range regexp.MustCompile(`(?s)\.Bd -literal[^\n]*\n(.*?)\.Ed`).FindAllSubmatch(page, -1) {
		b, err := hex.DecodeString(strings.Join(strings.Fields(string(m[1])), ""))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

// paragraphs is hexadecimal as the manual has it.
func paragraphs(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		for _, part := range []int{12, int(b[4]) + int(b[5])<<8} {
			for n := 0; part > 0; part -= n {
				n = min(16, part)
				fmt.Fprintf(&out, "% x\n", b[:n])
				b = b[n:]
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// TestGolden: version 1 is for ever what the manual shows.
func TestGolden(t *testing.T) {
	type value struct {
		N int `json:"n"`
	}
	s := &Server{}
	s.Handle("echo", func(_ context.Context, v value) (value, error) { return v, nil })
	page := examples(t)
	if len(page) != 3 {
		t.Fatalf("the manual has %d examples", len(page))
	}
	// What our client sends.
	l := pipes(t)
	c, err := NewConn(l.clientIn, l.clientOut)
	if err != nil {
		t.Fatal(err)
	}
	l.serverOut.Write(page[1])
	l.serverOut.Close()
	var got value
	if err := c.Call(context.Background(), "echo", value{1}, &got); err != nil || got.N != 1 {
		t.Errorf("the manual's reply: %v, %v", got, err)
	}
	c.Close()
	l.clientOut.Close()
	sent, err := io.ReadAll(l.serverIn)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sent, page[0]) {
		t.Errorf("the client sends\n%s", paragraphs(sent))
	}
	// What our server replies.
	if reply, _ := serveBytes(t, s, page[0]); !bytes.Equal(reply, page[1]) {
		t.Errorf("the server replies\n%s", paragraphs(reply))
	}
	if refusal, _ := serveBytes(t, &Server{}, page[0]); !bytes.Equal(refusal, page[2]) {
		t.Errorf("the server refuses\n%s", paragraphs(refusal))
	}
}
