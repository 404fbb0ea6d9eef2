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
