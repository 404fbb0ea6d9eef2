package job_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// members are the framed streams of a file.
func members(t *testing.T, file []byte) (all [][]byte) {
	t.Helper()
	in := bytes.NewReader(file)
	for in.Len() > 0 {
		at := len(file) - in.Len()
		for r := frame.NewReader(in); ; {
			one, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if one.Type == frame.TypeTrailer {
				break
			}
		}
		all = append(all, file[at:len(file)-in.Len()])
	}
	return all
}

// seeded makes a source with some datasets, and a file of them.
func seeded(t *testing.T) (*world, []byte) {
	t.Helper()
	w := newWorld(t)
	w.configure(strings.ReplaceAll(jobs, `{"a<": ok, "a/secret<": "!"}`, `{"a/x<": ok}`))
	for _, ds := range []string{"a/x", "a/x/y", "a/x/z"} {
		w.must("zfs", "create", ds)
		w.noise(ds, "data", 20_000)
	}
	w.snapshot("s1")
	w.exported(0, "disk.zf", "offer")
	return w, w.bytes("disk.zf")
}

// undo takes away what imports have made.
func (w *world) undo() {
	w.t.Helper()
	w.ctl("holds", "-release", "fetch")
	if w.command("zfs", "list", "b/back").Run() == nil {
		w.must("zfs", "destroy", "-r", "b/back")
	}
}

// complete imports the whole file, after which everything has to be there.
func (w *world) complete(what string, file []byte) {
	w.t.Helper()
	w.imported(0, file, "fetch")
	w.same("a/x", "b/back/a/x")
	tokens := w.lines("zfs", "get", "-r", "-H", "-o", "value", "receive_resume_token", "b")
	if slices.ContainsFunc(tokens, func(s string) bool { return s != "-" }) {
		w.t.Errorf("%s: something is received in part", what)
	}
	if w.t.Failed() {
		w.t.Fatal(what)
	}
}

// A file that is cut anywhere is named as such, and the whole file completes what
// it has left.
func TestSeedCut(t *testing.T) {
	t.Parallel()
	w, file := seeded(t)
	at, all := 0, members(t, file)
	for i, member := range all {
		for _, cut := range []int{0, 5, len(member) / 2, len(member) - 1} {
			if i == len(all)-1 {
				w.undo() // or nothing would be read
			}
			said := w.imported(1, file[:at+cut], "fetch")
			if at+cut == 0 && !strings.Contains(said, "no file of zreplctl export") || at > 0 && !strings.Contains(said, "cut") {
				t.Errorf("cut in member %d at %d: %s", i, cut, said)
			}
			if cut%2 == 0 {
				w.complete("cut", file)
				w.undo()
			}
		}
		at += len(member)
	}
	w.complete("cut", file)
	w.done("pull", "fetch")
	w.snapshot("s2")
	w.done("pull", "fetch")
	w.same("a/x", "b/back/a/x")
}

// A bit that is flipped anywhere is noticed, and costs the dataset in whose stream
// it is, or those after it.
func TestSeedFlipped(t *testing.T) {
	t.Parallel()
	w, file := seeded(t)
	at := 0
	for i, member := range members(t, file) {
		for _, place := range []int{1, 9, len(member) / 2, len(member) - 3} {
			bad := slices.Clone(file)
			bad[at+place] ^= 4
			said := w.imported(1, bad, "fetch")
			if !strings.Contains(said, "damaged") && !strings.Contains(said, "list") && !strings.Contains(said, "no file") {
				t.Errorf("flipped in member %d at %d: %s", i, place, said)
			}
			if inStream := i == 2 && place == len(member)/2; inStream { // the data of a/x, and those below wait for it
				w.speaks(said, `cannot replicate "a/x" to "b/back/a/x": the file is damaged in stream 1 of 3`)
			}
			if i == 4 && place == len(member)/2 {
				w.same("a/x/z", "b/back/a/x/z")
			}
			w.complete("flipped", file)
			w.undo()
		}
		at += len(member)
	}
}

// A file whose parts are not as they were written is refused, and does no harm.
func TestSeedReordered(t *testing.T) {
	t.Parallel()
	w, file := seeded(t)
	m := members(t, file)
	join := func(at ...int) (out []byte) {
		for _, i := range at {
			out = append(out, m[i]...)
		}
		return out
	}
	w.snapshot("s2")
	w.exported(0, "later.zf", "offer")
	w.must("zfs", "release", "-r", "zreplctl_source_me", "a/x@s2")
	w.must("zfs", "destroy", "-r", "a/x@s2")
	later := members(t, w.bytes("later.zf"))
	for what, one := range map[string]struct {
		file []byte
		says string
	}{
		"streams change places": {join(0, 1, 4, 3, 2, 5, 6, 7), "not"},
		"entries change places": {join(0, 3, 4, 1, 2, 5, 6, 7), "stream 2 of the file stands where stream 1 must"},
		"doubled":               {join(0, 1, 2, 1, 2, 3, 4, 5, 6, 7), "stream 1 of the file stands where stream 2 must"},
		"one left out":          {join(0, 1, 2, 5, 6, 7), "stream 3 of the file stands where stream 2 must"},
		"end too early":         {join(0, 1, 2, 7), "not"},
		"no stream":             {join(0, 1, 3), "not"},
		"list only":             {join(0), "cut"},
		"of another file":       {slices.Concat(m[0], later[1], later[2]), "of another file"},
		"another file's stream": {slices.Concat(m[0], m[1], later[2], join(3, 4, 5, 6, 7)), "guid"},
		"no list":               {join(1, 2, 3), "another framed stream"},
		"no framed stream":      {[]byte("tank/a@s1\n"), "no file of zreplctl export"},
		"a stream of zfs send":  {[]byte(w.must("zfs", "send", "a/x/y@s1")), "no file of zreplctl export"},
	} {
		said := w.imported(1, one.file, "fetch")
		if !strings.Contains(said, one.says) {
			t.Errorf("%s: %s", what, said)
		}
		t.Logf("%s: %s", what, said)
		w.complete(what, file)
		w.undo()
	}
	w.imported(0, slices.Concat(file, file), "fetch") // what follows the end is not read
}
