package job_test

import (
	"strings"
	"testing"
)

// TestBadInput holds what a person sees against what is wrong.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	far := func(command string) {
		w.write("c.yml", strings.ReplaceAll(jobs+`
- name: bad
  type: pull
  connect: {type: exec, command: [`+command+`]}
  mapping: {"<": b/bad}
`, "DIR", w.dir))
	}
	for _, test := range []struct {
		far    string
		args   []string
		status int
		says   []string
	}{
		{"x", []string{"pull", "nosuch"}, 2, []string{`no job "nosuch"`, "hint: "}},
		{"x", []string{"pull", "offer"}, 2, []string{`job "offer" is of type source, not pull`}},
		{"x", []string{"pull"}, 2, []string{"usage: "}},
		{"x", []string{"pull", "-skip", "all", "fetch"}, 2, []string{"-skip"}},
		{"x", []string{"serve", "a/b"}, 2, []string{`cannot serve client "a/b"`}},
		{"x", []string{"serve", "../me"}, 2, []string{`cannot serve client "../me"`}},
		{"x", []string{"serve", "nobody"}, 2, []string{`"nobody"`}},
		{"/nonexistent/ssh", []string{"pull", "bad"}, 1, []string{`cannot run job "bad"`, "/nonexistent/ssh"}},
		{"sh, -c, 'echo Welcome to prod1'", []string{"pull", "bad"}, 1, []string{`cannot run job "bad"`, "Welcome to prod1", "login greeting"}},
		{"sh, -c, 'echo /bin/sh: zreplctl: not found >&2; exit 127'", []string{"pull", "bad"}, 1, []string{"not found", "127"}},
		{"'true'", []string{"pull", "bad"}, 75, []string{`cannot run job "bad"`, "hung up"}},
		{"sh, -c, 'exit 75'", []string{"pull", "-retries", "0", "bad"}, 75, []string{`cannot run job "bad"`, "75"}},
		{"zreplctl, -config, DIR/c.yml, serve, nobody", []string{"pull", "bad"}, 1, []string{`no job in`, `"nobody"`}},
		{"zreplctl, -config, DIR/c.yml, serve, pusher", []string{"pull", "bad"}, 1, []string{`"sink"`, `"source"`}},
	} {
		far(test.far)
		code, said := w.ctl(test.args...)
		if code != test.status {
			t.Errorf("%q, %s: exit status %d, not %d: %s", test.args, test.far, code, test.status, said)
		}
		for _, word := range test.says {
			if !strings.Contains(said, word) {
				t.Errorf("%q, %s: does not say %q: %s", test.args, test.far, word, said)
			}
		}
		if test.status != 2 && strings.Count(said, "\n") > 2 {
			t.Errorf("%q, %s: more than one line: %s", test.args, test.far, said)
		}
	}
	if got := w.guids("b"); len(got) != 0 {
		t.Errorf("something was done: %q", got)
	}
	w.write("c.yml", "jobs: [{name: x, type: pull, mapping: {}, frob: 1}]")
	if code, said := w.ctl("pull", "x"); code != 2 || !strings.Contains(said, "c.yml:1:") {
		t.Errorf("a bad configuration: %d, %s", code, said)
	}
}

// TestLock keeps two runs of a job apart.
func TestLock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.write("sim/faults", "on=send match=a/x@s1 wait=500000\n")
	first := w.command("zreplctl", "-config", w.path("c.yml"), "local", "-skip", "snapshot,prune", "mirror")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	w.find("zfs", " send ", "a/x@s1")
	if code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror"); code != 75 || !strings.Contains(said, "another run") {
		t.Errorf("a second run: %d, %s", code, said)
	}
	w.write("sim/faults", "")
	if err := first.Wait(); err != nil {
		t.Error(err)
	}
}
