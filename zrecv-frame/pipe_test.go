package main

import (
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pipeline runs sender | receiver and returns their exit statuses and what
// they said.
func (p *place) pipeline(sender, receiver string) (sent, received, said string) {
	p.t.Helper()
	said = p.run("{ " + sender + "; echo $? >sent; } | { " + receiver + "; echo $? >received; }")
	return strings.TrimSpace(p.read("sent")), strings.TrimSpace(p.read("received")), said
}

func TestGoodPipeline(t *testing.T) {
	for _, flags := range []string{"", "-checksum none"} {
		p := newPlace(t)
		sent, received, said := p.pipeline("zsend-frame "+flags+" cat big", `zrecv-frame sh -c 'cat >out; echo finished >done'`)
		if sent != "0" || received != "0" || p.read("out") != p.read("big") || p.read("done") != "finished\n" {
			t.Errorf("%q: exit statuses %s and %s, %s", flags, sent, received, said)
		}
	}
}

// Whatever goes wrong, both ends fail, nothing hangs or is left running, and a
// consumer never takes a part for the whole: it does not get as far as "done".
func TestFaults(t *testing.T) {
	testFaultsAt(t, newPlace, func(script string) string { return script })
}

// testFaultsAt changes what is run by with.
func testFaultsAt(t *testing.T, at func(*testing.T) *place, with func(script string) string) {
	const consumer = `zrecv-frame sh -c 'cat >out; echo finished >done'`
	for _, c := range []struct {
		name, sender, receiver string
		sent, received         string // exit statuses
		said                   string
	}{
		{"the producer fails", `zsend-frame sh -c 'cat big; exit 3'`, consumer, "3", "1", "exit status 3"},
		{"the producer fails, unchecked", `zsend-frame -checksum none sh -c 'cat big; exit 3'`, consumer, "3", "1", "exit status 3"},
		{"the producer is killed", `zsend-frame sh -c 'cat big; kill -9 $$'`, consumer, "137", "1", "SIGKILL"},
		{"there is no producer", `zsend-frame no-such-program`, consumer, "1", "1", "not found"},
		{"a pipeline consumes", `zsend-frame sh -c 'cat big; exit 3'`, `zrecv-frame sh -c 'cat | cat | cat >out; echo finished >done'`, "3", "1", "exit status 3"},
		{"the consumer dies early", `zsend-frame cat big`, `zrecv-frame sh -c 'head -c 1000 >/dev/null; exit 7'`, "141", "7", "exit status 7"},
		{"the consumer is killed", `zsend-frame cat big`, `zrecv-frame sh -c 'head -c 1000 >/dev/null; kill -9 $$'`, "141", "137", "SIGKILL"},
		{"the consumer fails in the end", `zsend-frame cat big`, `zrecv-frame sh -c 'cat >out; exit 9'`, "0", "9", "exit status 9"},
		{"the consumer wants no more", `zsend-frame cat big`, `zrecv-frame head -c 1000`, "141", "1", "the command ended before the stream did"},
		{"the consumer closes its input", `zsend-frame cat big`, `zrecv-frame sh -c 'exec <&-; sleep 100; echo finished >done'`, "141", "1", "closed its input"},
		{"there is no consumer", `zsend-frame cat big`, `zrecv-frame no-such-program`, "141", "1", "not found"},
		{"the pipe is cut", `zsend-frame cat big | head -c 1000000`, consumer, "0", "1", "cut before its trailer"},
		{"nothing comes", `:`, consumer, "0", "1", "cut before its trailer"},
		{"it is no stream", `cat big`, consumer, "*", "1", "bad stream"},
		{"the disk is full", `zsend-frame cat big`, `zrecv-frame sh -c 'cat >/dev/full && echo finished >done'`, "141", "1", "No space"},
		{"the disk is full, no command", `zsend-frame cat big`, `zrecv-frame >/dev/full`, "141", "1", "no space"},
		{"nobody reads", `zsend-frame cat big`, `{ zrecv-frame; echo $? >status; } | true; exit $(cat status)`, "141", "", ""},
		{"a grandchild keeps the consumer's pipe", `zsend-frame cat big`, `zrecv-frame sh -c 'sleep 100 <&0 & exit 0'`, "141", "1", "the command ended before the stream did"},
		{"a grandchild keeps the producer's pipe", `zsend-frame sh -c 'cat big; sleep 100 & exit 0'`, consumer, "1", "1", "keeps its output open"},
		{"a grandchild keeps the producer's stderr", `zsend-frame sh -c 'echo hello; sleep 100 >/dev/null & exit 4'`, consumer, "4", "1", "exit status 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := at(t)
			if strings.Contains(c.name, "stderr") { // which may go on: it keeps nobody waiting
				defer p.signal(syscall.SIGKILL, "sleep 100")
			}
			sent, received, said := p.pipeline(with(c.sender), with(c.receiver))
			if c.sent != "*" && sent != c.sent || received != c.received && c.received != "" || !strings.Contains(said, c.said) {
				t.Errorf("exit statuses %s and %s, not %s and %s: %s", sent, received, c.sent, c.received, said)
			}
			if p.exists("done") {
				t.Error("the consumer took a part for the whole")
			}
		})
	}
}

// Ctrl-C, SIGTERM and SIGHUP reach both programs and end all that they run.
func TestSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			signal.Notify(make(chan os.Signal, 1), sig) // so that children do not ignore it, as under nohup(1)
			p := newPlace(t)
			// The shell itself must not be interrupted before it has the statuses.
			out, wait := p.start(`trap : INT TERM HUP
				{ zsend-frame sh -c 'cat big; touch ready; sleep 100'; echo $? >sent; } |
				{ zrecv-frame sh -c 'cat | cat >out; echo finished >done'; echo $? >received; }`)
			p.await("ready")
			if p.signal(sig, "zsend-frame ", "zrecv-frame ") != 2 {
				t.Errorf("not two programs to interrupt: %v", p.processes())
			}
			begin := time.Now()
			wait()
			p.nothingLeft(patience)
			t.Logf("all ended within %v", time.Since(begin).Round(time.Millisecond))
			if p.exists("done") {
				t.Error("the consumer took a part for the whole")
			}
			for _, name := range []string{"sent", "received"} {
				if got := strings.TrimSpace(p.read(name)); got == "0" || got == "" {
					t.Errorf("%s: exit status %q: %s", name, got, out)
				}
			}
		})
	}
}

// kill -9 of either program leaves nothing running, and the consumer's input
// does not seem to end.
func TestKilled(t *testing.T) {
	for _, victim := range []string{"zsend-frame ", "zrecv-frame "} {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			for range 3 {
				p := newPlace(t)
				out, wait := p.start(`zsend-frame sh -c 'cat big; touch ready; sleep 100 | sleep 100' |
					zrecv-frame sh -c 'cat | cat >out; echo finished >done'`)
				p.await("ready")
				if p.signal(syscall.SIGKILL, victim) != 1 {
					t.Errorf("not one program to kill: %v", p.processes())
				}
				// The sender itself ends when it next has something to say; its
				// reader notices a dead sender at once.
				wait()
				p.nothingLeft(patience)
				if p.exists("done") {
					t.Errorf("the consumer took a part for the whole: %s", out)
				}
			}
		})
	}
}

// Streams follow one another on one pipe, and what stands behind them is not
// touched.
func TestBackToBack(t *testing.T) {
	for _, flags := range []string{"", "-checksum none"} {
		p := newPlace(t)
		said := p.run(`{ zsend-frame ` + flags + ` <big; zsend-frame ` + flags + ` echo two; echo plain text; } |
			{ zrecv-frame >one && zrecv-frame cat >two && cat >rest; }`)
		if p.read("one") != p.read("big") || p.read("two") != "two\n" || p.read("rest") != "plain text\n" {
			t.Errorf("%q: %d bytes, %q, %q: %s", flags, len(p.read("one")), p.read("two"), p.read("rest"), said)
		}
		said = p.run(`{ zsend-frame ` + flags + ` <big; zsend-frame ` + flags + ` echo two; echo plain text; } >file
			{ zrecv-frame -verify && zrecv-frame cat >two && cat >rest; } <file`)
		if p.read("two") != "two\n" || p.read("rest") != "plain text\n" || said != "" {
			t.Errorf("%q, from a file: %q, %q: %s", flags, p.read("two"), p.read("rest"), said)
		}
	}
}
