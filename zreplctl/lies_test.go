package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// inject is a source whose lists have lies among the truth: it stands between
// a client and the real server.
func inject() {
	server := exec.Command(os.Args[0], "serve", "me")
	server.Stderr = os.Stderr
	requests, err1 := server.StdinPipe()
	replies, err2 := server.StdoutPipe()
	if err1 != nil || err2 != nil || server.Start() != nil {
		os.Exit(1)
	}
	calls := make(chan string, 1)
	go func() {
		r := frame.NewReader(io.TeeReader(os.Stdin, requests))
		for {
			call, ok := readCall(r)
			if !ok {
				requests.Close()
				close(calls)
				return
			}
			calls <- call
		}
	}()
	r := frame.NewReader(replies)
	for call := range calls {
		if call == "send" { // what follows is a stream
			io.Copy(os.Stdout, replies)
		}
		relay(r, call == "list")
	}
	server.Wait()
	os.Exit(0)
}

// relay passes one message on.
func relay(r *frame.Reader, lie bool) {
	r.Again()
	w := frame.NewWriter(os.Stdout, frame.CRC32C)
	for {
		f, err := r.Next()
		if err != nil {
			return
		}
		switch f.Type {
		case frame.TypeHeader:
			w.Header(append([]byte(nil), f.Payload...))
			for _, v := range lies() {
				if text, _ := json.Marshal(v); lie {
					w.Data(append(text, '\n'))
				}
			}
		case frame.TypeData:
			w.Data(f.Payload)
		case frame.TypeHeartbeat:
			w.Heartbeat()
		case frame.TypeTrailer:
			w.Trailer(*f.Trailer)
			return
		}
	}
}

// TestLiesCostTheirDataset: illegal names, guids and datasets that stand twice
// in a source's list take out those datasets, which are named, and no others.
func TestLiesCostTheirDataset(t *testing.T) {
	w := newHostileWorld(t, hostileBin(t))
	w.zfs("zfs", "create", "a/y")
	w.zfs("zfs", "snapshot", "a/y@s1")
	w.configure("inject")
	r := w.ctl("", "", nil, "pull", "fetch", "-retries", "0")
	harmless(t, "standard error", r.stderr, false)
	for _, ds := range []string{"b/back/a/x@s1", "b/back/a/y@s1"} {
		w.zfs("zfs", "list", ds) // it fails the test where there is none
	}
	for _, name := range []string{`"a/snap" to "b/back/a/snap": illegal: `, `"a/twice" to "b/back/a/twice": illegal: `, `"a/type" to "b/back/a/type": illegal: `,
		`"a/evil\u200dx"`, `"a/evil\x1bx"`, `cannot replicate "(`} {
		if !strings.Contains(r.stderr, name) {
			t.Errorf("nothing is said of %s", name)
		}
	}
	if n := strings.Count(r.stderr, "illegal: "); n > 30 {
		t.Errorf("%d lines", n)
	}
	plan := w.ctl("", "", nil, "plan", "fetch", "-json")
	if !strings.Contains(plan.stdout, `"reason":"illegal"`) || !strings.Contains(plan.stdout, `"guid":"`) || strings.Contains(plan.stdout, `"guid":1`) {
		t.Errorf("the plan:\n%s", plan.stdout)
	}
	if t.Failed() {
		t.Logf("%s", r.stderr)
	}
}
