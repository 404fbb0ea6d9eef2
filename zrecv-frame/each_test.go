package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// outcomes reads status lines.
func (p *place) outcomes(name string) (all []frame.Outcome) {
	p.t.Helper()
	for line := range strings.Lines(p.read(name)) {
		var o frame.Outcome
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			p.t.Fatalf("%q: %v", line, err)
		}
		all = append(all, o)
	}
	return all
}

// jobs writes a file with a line of -each for every shell script.
func (p *place) jobs(name string, scripts ...string) {
	var text strings.Builder
	for _, script := range scripts {
		fmt.Fprintf(&text, "{\"command\": [\"sh\", \"-c\", %q]}\n", script)
	}
	p.write(name, []byte(text.String()))
}

// Several streams come one after another, each to its own command, and a bad
// one ends both programs.
func TestEach(t *testing.T) {
	p := newPlace(t)
	p.jobs("send", "cat; echo one; echo a warning >&2", "cat big", "echo part; exit 3", "echo never")
	p.jobs("take", "cat >1; touch whole1; echo hello >&2", "cat >2; touch whole2", "cat >3; touch whole3", "cat >4; touch whole4")
	said := p.run("(zsend-frame -each 3 -status-fd 4 3<send 4>sent; echo $? >status) | zrecv-frame -each 3 -status-fd 4 3<take 4>taken; echo $?")
	if !strings.HasSuffix(said, "\n1\n") || p.read("status") != "3\n" {
		t.Errorf("status %s and %s", said, p.read("status"))
	}
	if p.read("1") != "one\n" || p.read("2") != p.read("big") || !p.exists("whole1") || !p.exists("whole2") || p.exists("whole3") || p.exists("whole4") {
		t.Error("not what was sent")
	}
	sent, taken := p.outcomes("sent"), p.outcomes("taken")
	if len(sent) != 3 || len(taken) != 3 {
		t.Fatalf("%+v\n%+v", sent, taken)
	}
	for i, want := range []string{frame.Done, frame.Done, frame.ProducerFailed} {
		if sent[i].Outcome != want || taken[i].Outcome != want || sent[i].Bytes != taken[i].Bytes {
			t.Errorf("stream %d: %+v, %+v", i, sent[i], taken[i])
		}
	}
	if sent[0].Stderr != "a warning" || taken[0].Stderr != "hello" || sent[1].Stderr+taken[1].Stderr != "" || sent[0].Bytes != 4 {
		t.Errorf("%+v, %+v", sent, taken)
	}
}

// Each stream is held against its own words, and the next not against those of
// the one before.
func TestEachExpects(t *testing.T) {
	p := newPlace(t)
	p.write("send", []byte(`{"command": ["true"]}`+"\n"+`{"command": ["cat", "big"]}`+"\n"))
	p.write("take", []byte(`{"command": ["cat"]}`+"\n"+`{"command": ["sh", "-c", "cat; touch whole"], "expect": ["to=1"]}`+"\n"))
	p.run("zsend-frame -each 3 -status-fd 4 3<send 4>sent | zrecv-frame -each 3 -status-fd 4 3<take 4>taken")
	taken := p.outcomes("taken")
	if len(taken) != 2 || taken[0].Outcome != frame.Done || taken[1].Outcome != frame.Refused || taken[1].Bytes != 0 || p.exists("whole") {
		t.Errorf("%+v", taken)
	}
}

// If it is killed, a later command does not take that for the end of its
// input either, and nothing stays.
func TestEachKilled(t *testing.T) {
	for _, before := range []int{0, 1, 8} { // streams; one guard serves seven
		p := newPlace(t)
		var send, take []string
		for range before {
			send, take = append(send, "echo whole"), append(take, "cat >before")
		}
		p.jobs("send", append(send, "echo part; sleep 60")...)
		p.jobs("take", append(take, "read -r line; touch ready; cat; touch done")...)
		_, wait := p.start("zsend-frame -each 3 -status-fd 4 3<send 4>sent | zrecv-frame -each 3 -status-fd 4 3<take 4>taken")
		p.await("ready")
		if p.signal(syscall.SIGKILL, "zrecv-frame") != 1 {
			t.Error("not killed")
		}
		wait()
		p.nothingLeft(patience)
		if p.exists("done") || len(p.outcomes("taken")) != before {
			t.Errorf("after %d streams: %+v", before, p.outcomes("taken"))
		}
	}
}
