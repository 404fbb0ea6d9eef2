package job_test

import (
	"fmt"
	"strings"
	"testing"
)

func (w *world) token(ds string) string {
	w.t.Helper()
	return strings.TrimSpace(w.must("zfs", "get", "-H", "-o", "value", "receive_resume_token", ds))
}

// What has arrived stays when a resumed stream fails for a reason that may
// pass: a block that cannot be read, a zfs receive that is killed.
func TestPartialStays(t *testing.T) {
	for name, fault := range map[string]string{
		"unreadable":     "on=send match=-t from=1 fail message=warning: cannot send 'a/x@s1': Input/output error\n",
		"receive killed": "on=receive from=1 fail=137 message=\n",
		"refused":        "on=receive from=1 fail message=cannot receive: permission denied\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.must("zfs", "create", "a/x")
			w.fill("a/x", 4<<20)
			w.snapshot("s1")
			w.write("sim/faults", "on=send cut=2000000\n")
			w.tried("local", "mirror")
			token := w.token("b/mirror/x")
			if len(token) < 20 {
				t.Fatalf("no token: %q", token)
			}
			w.write("sim/faults", fault)
			for range 2 {
				if code := w.tried("local", "mirror"); code != 1 {
					t.Errorf("exit status %d", code)
				}
				if now := w.token("b/mirror/x"); now != token {
					t.Errorf("the token was %.30s, is %.30s", token, now)
				}
				w.equal("holds", w.holds(), "a/x@s1 zreplctl_local_mirror")
			}
			w.write("sim/faults", "")
			w.done("local", "mirror")
			w.same("a/x", "b/mirror/x")
		})
	}
}

// A partial receive that is not this job's is left alone and reported: a
// person's seed of a snapshot outside the prefix, another job's.
func TestOthersPartial(t *testing.T) {
	for name, prepare := range map[string]func(w *world){
		"seed": func(w *world) {
			w.must("zfs", "create", "b/mirror")
			w.must("sh", "-c", "zfs send -L a/x@manual | head -c 900000 | zfs receive -s -u b/mirror/x 2>/dev/null; :")
		},
		"increment by hand": func(w *world) {
			w.done("local", "mirror")
			w.must("sh", "-c", "zfs send -L -i @s1 a/x@manual | head -c 900000 | zfs receive -s -u b/mirror/x 2>/dev/null; :")
		},
		"of what is gone": func(w *world) {
			w.done("local", "mirror")
			w.must("sh", "-c", "zfs send -L -i @s1 a/x@manual | head -c 900000 | zfs receive -s -u b/mirror/x 2>/dev/null; :")
			w.must("zfs", "destroy", "a/x@manual")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.must("zfs", "create", "a/x")
			w.snapshot("s1")
			w.fill("a/x", 2<<20)
			w.snapshot("manual")
			prepare(w)
			token := w.token("b/mirror/x")
			if len(token) < 20 {
				t.Fatalf("no token: %q", token)
			}
			w.snapshot("s2")
			for range 2 {
				code, said := w.ctl("local", "-skip", "snapshot,prune", "mirror")
				if code != 1 || !strings.Contains(said, "foreign-partial: ") || !strings.Contains(said, "zfs receive -A") {
					t.Errorf("exit status %d: %s", code, said)
				}
			}
			if now := w.token("b/mirror/x"); now != token {
				t.Errorf("the token was %.30s, is %.30s", token, now)
			}
			w.must("zfs", "receive", "-A", "b/mirror/x")
			w.done("local", "mirror")
		})
	}
}

// Plan and run agree on whether a partial receive can go on with the options
// of today, and with the names of today.
func TestPlanOfPartial(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"options": func(w *world) {
			w.extend("")
			w.write("c.yml", strings.ReplaceAll(strings.ReplaceAll(jobs, "DIR", w.dir), "mapping: {\"a/x<\": b/mirror/x}", "mapping: {\"a/x<\": b/mirror/x}\n  send: {compressed: false}"))
		},
		"renamed": func(w *world) { w.must("zfs", "rename", "a/x@s1", "a/x@s1_new") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.write("c.yml", strings.ReplaceAll(strings.ReplaceAll(jobs, "DIR", w.dir), "mapping: {\"a/x<\": b/mirror/x}", "mapping: {\"a/x<\": b/mirror/x}\n  send: {compressed: true}"))
			w.must("zfs", "create", "a/x")
			w.fill("a/x", 4<<20)
			w.snapshot("s1")
			w.write("sim/faults", "on=send cut=2000000\n")
			w.tried("local", "mirror")
			w.write("sim/faults", "")
			if len(w.token("b/mirror/x")) < 20 {
				t.Fatal("no token")
			}
			change(w)
			_, planned := w.ctl("plan", "mirror")
			said := w.done("local", "mirror")
			if strings.HasPrefix(planned, "resume") || strings.Contains(said, "cannot resume") {
				t.Errorf("planned: %s\nthen: %s", planned, said)
			}
			w.same("a/x", "b/mirror/x")
		})
	}
}

// The prefix changes while a stream that was cut waits: its hold says that the
// job began it, so that the next run discards it and goes on.
func TestPartialOfOldPrefix(t *testing.T) {
	for _, base := range []bool{false, true} {
		t.Run(fmt.Sprintf("base=%v", base), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.must("zfs", "create", "a/x")
			if base {
				w.snapshot("s0")
				w.done("local", "mirror")
			}
			w.fill("a/x", 4<<20)
			w.snapshot("s1")
			w.write("sim/faults", "on=send cut=2000000\n")
			w.tried("local", "mirror")
			w.write("sim/faults", "")
			if len(w.token("b/mirror/x")) < 20 {
				t.Fatal("no token")
			}
			w.write("c.yml", strings.ReplaceAll(w.read("c.yml"), "mapping: {\"a/x<\": b/mirror/x}\n  snapshot_prefix: s", "mapping: {\"a/x<\": b/mirror/x}\n  snapshot_prefix: t"))
			w.snapshot("t1")
			if said := w.done("local", "mirror"); !strings.Contains(said, "discarding the partial receive of \"b/mirror/x\": it is of @s1, which the job no longer sends") {
				t.Error(said)
			}
			w.must("zfs", "list", "b/mirror/x@t1")
		})
	}
}
