package job_test

import "testing"

// An export makes no copy, and an import only what it brings.
func TestSeedHealthSides(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ config, kind, run, sends, takes string }{
		{twoEnds, "pull", "fetch", "offer", "fetch"}, {pushEnds, "push", "send", "send", "take"}} {
		w := ends(t)
		w.configure(c.config)
		w.taken(0, "s1")
		w.exported(0, "disk.zf", c.sends)
		w.says("exported", c.sends, "never", 2, "there is no copy of it")
		w.says("exported", c.takes, "never", 2, "")
		w.imported(0, w.bytes("disk.zf"), c.takes)
		w.says("imported", c.sends, "never", 2, "there is no copy of it") // nobody has told it
		w.says("imported", c.takes, "ok", 0, "")
		w.done(c.kind, c.run)
		w.says("after a run", c.sends, "ok", 0, "")
		w.says("after a run", c.takes, "ok", 0, "")
	}
}

// What an import has not brought is not forgotten for what it has: not until a run,
// or another import, has brought all.
func TestSeedHealthPartly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ config, kind, run, sends, takes string }{
		{twoEnds, "pull", "fetch", "offer", "fetch"}, {pushEnds, "push", "send", "send", "take"}} {
		for _, run := range []bool{true, false} {
			w := ends(t)
			w.configure(c.config)
			w.taken(0, "s1")
			w.exported(0, "disk.zf", c.sends)
			file := w.bytes("disk.zf")
			w.imported(1, file[:len(file)-10], c.takes) // all copies came, and nobody knows that
			w.says("cut", c.takes, "never", 2, "has not brought all of its file")
			if run {
				w.done(c.kind, c.run)
			} else {
				w.imported(0, file, c.takes)
			}
			w.says("whole", c.takes, "ok", 0, "")
			w.done(c.kind, c.run)
			w.says("after a run", c.takes, "ok", 0, "")
		}
	}
}
