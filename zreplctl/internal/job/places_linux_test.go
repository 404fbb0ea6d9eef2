package job_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSessions: of three clients of a source two are served at once; the third
// waits without being refused, and loses nothing.
func TestSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.fill("a/x", 2<<20)
	var text strings.Builder
	text.WriteString(`- name: few
  type: source
  serve: {type: stdinserver, client_identities: [c1, c2, c3]}
  datasets: {"a/x": ok}
  sessions: 2
  rate: 1M
`)
	for i := 1; i <= 3; i++ {
		fmt.Fprintf(&text, `- name: get%d
  type: pull
  parallel: 2
  connect: {type: exec, command: [zreplctl, -config, %s, serve, c%d]}
  mapping: {"a/x": b/get%d}
`, i, w.path("c.yml"), i, i)
	}
	w.extend(text.String())
	w.snapshot("s1")
	var wg sync.WaitGroup
	began := time.Now()
	for i := 1; i <= 3; i++ {
		wg.Go(func() {
			if code, said := w.ctl("pull", fmt.Sprintf("get%d", i)); code != 0 {
				t.Errorf("get%d: %d, %s", i, code, said)
			}
		})
	}
	wg.Wait()
	if text := placesIn(w); strings.Count(text[:strings.Index(text, `"waiting"`)], `"run"`) > 2 {
		t.Errorf("there were more than two places: %s", text)
	}
	// Two streams of 2 MiB at 1 MiB a second, one after the other.
	if took := time.Since(began); took < 3*time.Second {
		t.Errorf("all three were served at once: %v", took)
	}
	w.must("zfs", "list", "-t", "snapshot", "b/get1@s1", "b/get2@s1", "b/get3@s1")
}

// TestSessionKilled: the place of a server that was killed is free, and so is
// that of one that waited.
func TestSessionKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.fill("a/x", 20<<20)
	w.extend(`- name: few
  type: source
  serve: {type: stdinserver, client_identities: [c1, c2, c3]}
  datasets: {"a/x": ok}
  sessions: 1
  rate: 1M
- {name: get1, type: pull, connect: {type: exec, command: [zreplctl, -config, ` + w.path("c.yml") + `, serve, c1]}, mapping: {"a/x": b/get1}}
- {name: get2, type: pull, connect: {type: exec, command: [zreplctl, -config, ` + w.path("c.yml") + `, serve, c2]}, mapping: {"a/x": b/get2}}
- {name: get3, type: pull, connect: {type: exec, command: [zreplctl, -config, ` + w.path("c.yml") + `, serve, c3]}, mapping: {"a/none": b/get3}}
`)
	w.snapshot("s1")
	start := func(name string) *exec.Cmd {
		c := w.command("zreplctl", "-config", w.path("c.yml"), "pull", name)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := start("get1")
	w.waitFor("the first is served", func() bool { return strings.Contains(placesIn(w), `"c1"`) })
	second := start("get2")
	w.waitFor("the second waits", func() bool { return strings.Contains(placesIn(w), `"c2"`) })
	for _, c := range []*exec.Cmd{second, first} {
		c.Process.Kill()
		c.Wait()
	}
	if code, said := w.ctl("pull", "get3"); strings.Contains(said, "sessions allows no more") || code == 75 {
		t.Errorf("%d, %s", code, said)
	}
}

// placesIn is what the source's file says.
func placesIn(w *world) string {
	text, _ := os.ReadFile(w.path("run/few.places"))
	return string(text)
}
