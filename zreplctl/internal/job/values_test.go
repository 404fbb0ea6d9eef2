package job_test

import (
	"strings"
	"testing"
)

// Somebody sets the properties that a receiver reads to values with line
// breaks, which look like other datasets' lines, or to long ones. No run
// breaks, and none is misled.
func TestStrangeValues(t *testing.T) {
	lines := "x\tlocal\nb/back/a/x\twritten\t1\t-\nb/back/a/evil\ttype\tfilesystem\t-\nb/back/a/evil\tzreplctl:placeholder\ton"
	for name, value := range map[string]string{"lines": lines, "break": "a\nb", "control": "\x1b[2J\x07\x7f", "tabs": "on\tlocal\t-", "long": strings.Repeat("v", 8000),
		"blank": "\n\n\n", "not UTF-8": "\xff\xfe"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.tree()
			w.snapshot("s1")
			w.done("pull", "fetch")
			w.done("push", "pushit")
			for _, ds := range []string{"b/back", "b/back/a/z", "b/sink/pusher/a/x/y"} {
				for _, p := range []string{"zreplctl:placeholder", "zreplctl:send", "zreplctl:settings", "zrepl:placeholder"} {
					w.must("zfs", "set", p+"="+value, ds)
				}
			}
			w.must("zfs", "set", "zreplctl:send="+value, "a/x")
			w.snapshot("s2")
			if code, said := w.ctl("plan", "fetch"); code != 0 || strings.Contains(said, "evil") {
				t.Errorf("plan: exit status %d: %s", code, said)
			}
			for _, job := range [][2]string{{"pull", "fetch"}, {"push", "pushit"}} {
				said := w.done(job[0], job[1])
				if n := strings.Count(said, "ignoring the property zreplctl:send of "); n != 1 || strings.ContainsAny(said, "\x1b\x07") || len(said) > 1000 {
					t.Errorf("%s says: %q", job, said)
				}
			}
			w.same("a/x", "b/back/a/x")
			w.same("a/z", "b/back/a/z")
			w.same("a/x", "b/sink/pusher/a/x")
			w.done("pull", "fetch")
		})
	}
}

// A copy that was made by hand has no send options recorded: there is nothing to
// ignore.
func TestNoSendOptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("zfs", "create", "a/x")
	w.snapshot("s1")
	w.must("zfs", "create", "-p", "b/sink/pusher/a")
	w.must("sh", "-c", "zfs send -L a/x@s1 | zfs receive -u -o readonly=on b/sink/pusher/a/x")
	_, planned := w.ctl("plan", "pushit")
	if said := planned + w.done("push", "pushit"); strings.Contains(said, "ignoring") {
		t.Error(said)
	}
}
