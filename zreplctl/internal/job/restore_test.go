package job_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// restored runs restore, which has to end with a status, and returns what it said.
func (w *world) restored(status int, args ...string) string {
	w.t.Helper()
	code, said := w.ctl(append([]string{"restore"}, args...)...)
	if code != status {
		w.t.Errorf("restore %q: exit status %d, not %d: %s", args, code, status, said)
	}
	return said
}

func (w *world) speaks(said string, words ...string) {
	w.t.Helper()
	for _, word := range words {
		if !strings.Contains(said, word) {
			w.t.Errorf("%q is not in: %s", word, said)
		}
	}
}

// restoring are the holds of restores.
func (w *world) restoring() []string {
	return slices.DeleteFunc(w.holds(), func(hold string) bool { return !strings.Contains(hold, " zreplctl_restore_") })
}

// next are the commands that restore printed for a person to run.
func next(said string) (commands [][]string) {
	for line := range strings.Lines(said) {
		if words := strings.Fields(line); len(words) > 2 && (words[0] == "zfs" || words[1] == "activate") {
			commands = append(commands, words)
		}
	}
	return commands
}

// names are the files of a mounted filesystem.
func (w *world) names(ds string) (all []string) {
	w.t.Helper()
	list, err := os.ReadDir(strings.TrimSpace(w.must("zfs", "get", "-H", "-o", "value", "mountpoint", ds)))
	if err != nil {
		w.t.Error(err)
	}
	for _, file := range list {
		all = append(all, filepath.Base(file.Name()))
	}
	return all
}

// A tree with a volume and an encrypted dataset comes back inert, and normal by
// the commands that restore prints. Nothing else is changed.
func TestRestoreTree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.encrypted("a/x/enc")
	w.fill("a/x/enc", 3000)
	w.snapshot("s1")
	w.done("pull", "fetch")
	before := w.everything()
	plan := w.restored(0, "-n", "-r", "fetch", "a", "b/new")
	w.speaks(plan, "full\tb/back/a/x@s1\tb/new/x\t")
	if after := w.everything(); !slices.Equal(before, after) {
		t.Error("-n changed something")
	}
	said := w.restored(0, "-r", "fetch", "a", "b/new")
	after := slices.DeleteFunc(w.everything(), func(line string) bool { return strings.HasPrefix(line, "b/new") })
	if !slices.Equal(before, after) {
		t.Errorf("something else was changed: %q, %q", before, after)
	}
	w.same("b/new", "b/back/a")
	w.shows("b/new/x", "readonly", "on local")
	w.shows("b/new/x", "canmount", "noauto local")
	w.shows("b/new/v", "volmode", "none local")
	w.shows("b/new/x", "zreplctl:send", "- -")
	w.speaks(said, "zfs load-key b/new/x/enc\n")
	w.restored(0, "-r", "fetch", "a", "b/new") // has nothing to do
	for _, command := range next(said) {
		if command[0] == "zfs" {
			command = []string{"zfs", "load-key", "-L", "file://" + w.path("key"), command[2]}
		}
		w.must(command...)
	}
	if text := w.settings("b/new"); strings.Contains(text, "zreplctl:") || strings.Contains(text, "readonly") || strings.Contains(text, "noauto") {
		t.Errorf("no normal datasets:\n%s", text)
	}
	for _, ds := range []string{"", "/enc"} {
		if a, b := w.names("a/x"+ds), w.names("b/new/x"+ds); !slices.Equal(a, b) || len(a) == 0 {
			t.Errorf("files %q, not %q", b, a)
		}
	}
	w.equal("devices", w.devices(), "a/v", "b/new/v")
	w.speaks(w.restored(1, "-r", "fetch", "a", "b/new"), `"b/new" exists`)
	w.snapshot("s2")
	w.done("pull", "fetch")
}

// What is restored can take the place of the source, and the job continues
// without a full stream.
func TestRestoreInPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(strings.ReplaceAll(jobs, `"a<": ok, "a/secret<": "!"`, `"a/z<": ok`))
	w.tree()
	w.snapshot("s1")
	w.done("local", "mirror")
	w.must("zfs", "rename", "a/x", "a/lost")
	for _, command := range next(w.restored(0, "-r", "mirror", "a/x", "a/restored")) {
		w.must(command...)
	}
	w.must("zfs", "rename", "a/restored", "a/x")
	w.fill("a/x", 7000)
	w.snapshot("s2")
	if kind, reason := w.planned("mirror", "a/x"); kind != "incremental" {
		t.Errorf("%s: %s", kind, reason)
	}
	w.done("local", "mirror")
	w.same("a/x", "b/mirror/x")
}

// A tree has one snapshot. What lacks it is named, and can be restored by itself.
func TestRestoreOlder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("local", "mirror")
	w.snapshot("s2")
	w.must("zfs", "create", "a/x/late")
	w.must("zfs", "create", "a/x/late/er")
	w.snapshot("s3")
	w.done("local", "mirror")
	w.must("zfs", "destroy", "b/mirror/x/y@s2")
	w.must("zfs", "set", "zreplctl:placeholder=on", "b/mirror/x/late")
	w.must("zfs", "release", "zreplctl_last_mirror", "b/mirror/x/late@s3")
	w.must("zfs", "destroy", "b/mirror/x/late@s3")
	w.must("zfs", "snapshot", "b/mirror/x/late/er@s2")
	said := w.restored(1, "-r", "mirror", "a/x@s2", "b/new")
	w.speaks(said, `cannot restore "b/mirror/x/y": the copy has no snapshot @s2`, "zreplctl activate b/new\n", "zreplctl activate b/new/late/er\n")
	w.shows("b/new/late", "canmount", "off local")
	w.speaks(w.restored(0, "mirror", "a/x/y@s1", "b/new/y"), "zreplctl activate b/new/y\n")
	w.restored(0, "-r", "mirror", "a/x@s2", "b/new")
	w.equal("holds", w.restoring())
	w.speaks(w.restored(1, "-r", "mirror", "a/x@s3", "b/new"), "has begun with @s2")
	w.restored(0, "mirror", "b/mirror/x", "b/two")
	if got := w.guids("b/two"); len(got) != 1 || !strings.HasPrefix(got[0], "@s3\t") {
		t.Errorf("%q", got)
	}
	w.must("zreplctl", "activate", "b/new")
	w.shows("b/new", "readonly", "off default")
	w.shows("b/new/late/er", "readonly", "on local")
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.extend(`
- {name: cleaner, type: prune, datasets: {"b/kept<": ok, "b/deep/er": ok}, snapshot_prefix: s, shared_prefix: true, prune: {keep: [{type: last_n, count: 1}]}}
`)
	w.tree()
	w.snapshot("s1")
	w.done("pull", "fetch")
	w.done("local", "mirror")
	w.must("zfs", "create", "b/mine")
	w.must("zfs", "create", "-o", "zreplctl:placeholder=on", "b/gone")
	before := w.everything()
	for _, c := range []struct {
		args   []string
		status int
		says   []string
	}{
		{[]string{"fetch", "a/x"}, 2, []string{"usage: "}},
		{[]string{"offer", "a/x", "b/new"}, 2, []string{"no copies on this host"}},
		{[]string{"pushit", "a/x", "b/new"}, 1, []string{"this sink does not give copies back", `its job needs "restore: allow"`}},
		{[]string{"nosuch", "a/x", "b/new"}, 2, []string{`no job "nosuch"`}},
		{[]string{"fetch", "a/x#mark", "b/new"}, 2, []string{"not a dataset or a snapshot"}},
		{[]string{"fetch", "a/x@", "b/new"}, 2, []string{"not a dataset or a snapshot"}},
		{[]string{"-abandon", "fetch", "a/x", "b/new"}, 2, []string{"usage: "}},
		{[]string{"fetch", "a/x@s9", "b/new"}, 1, []string{`"b/back/a/x" has no snapshot @s9`}},
		{[]string{"fetch", "a/none", "b/new"}, 1, []string{`the copy "b/back/a/none" does not exist`}},
		{[]string{"mirror", "a/z", "b/new"}, 1, []string{`no copy of "a/z"`}},
		{[]string{"fetch", "a/x", "b/new@s1"}, 1, []string{"bad target name"}},
		{[]string{"fetch", "a/x", "b/ne:w"}, 1, []string{"bad target name"}},
		{[]string{"fetch", "a/x", "b/" + strings.Repeat("n", 250)}, 1, []string{"too long"}},
		{[]string{"fetch", "a/x", "b/mine"}, 1, []string{`"b/mine" exists`}},
		{[]string{"fetch", "a/x", "b"}, 1, []string{"in one tree"}},
		{[]string{"fetch", "a/x", "c/new"}, 1, []string{`"c" above the target does not exist`}},
		{[]string{"fetch", "a/x", "b/none/new"}, 1, []string{`"b/none" above the target does not exist`}},
		{[]string{"fetch", "a/x", "b/back/a/x/new"}, 1, []string{"in one tree"}},
		{[]string{"fetch", "a/x", "b/back"}, 1, []string{"in one tree"}},
		{[]string{"fetch", "a/x", "b/back/a/new"}, 1, []string{`job "fetch" receives into`}},
		{[]string{"fetch", "a/x", "b/back4"}, 1, []string{`job "fetch4" receives into`}},
		{[]string{"fetch", "a/x", "b/sink"}, 1, []string{`job "sink" receives into`}},
		{[]string{"fetch", "a/x", "b/mirror/new"}, 1, []string{`"b/mirror", which carries`}},
		{[]string{"fetch", "a/x", "b/gone/new"}, 1, []string{`"b/gone", which carries`}},
		{[]string{"fetch", "a/x", "a/new"}, 1, []string{`job "offer" sends from`, `hint: name another target, which no job covers; a rule such as "a/restored<": "!" in job "offer" makes a place`}},
		{[]string{"mirror", "a/x", "a/x"}, 1, []string{`job "offer" sends from`}},
		{[]string{"fetch", "a/x", "b/kept"}, 1, []string{`job "cleaner" takes or prunes snapshots of`}},
		{[]string{"fetch", "a/x", "b/deep"}, 1, []string{`job "cleaner" takes or prunes snapshots of`}},
	} {
		w.speaks(w.restored(c.status, c.args...), c.says...)
	}
	if after := w.everything(); !slices.Equal(before, after) {
		t.Errorf("something was changed: %q, %q", before, after)
	}
}

// A restore that was cut is continued by the same command, also if a run of the
// job came between that prunes. It holds what it needs so long, and nothing
// afterwards, and touches no other restore's holds.
func TestRestoreResumes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replace(`{"a/x<": b/mirror/x}`, `{"a/x<": b/mirror/x}
  prune_lhs: {keep: [{type: last_n, count: 1}]}
  prune_rhs: {keep: [{type: last_n, count: 1}]}`)
	w.tree()
	w.fill("a/x", 4<<20)
	w.snapshot("s1")
	w.done("local", "mirror")
	cut := func(target string) {
		w.write("sim/faults", "on=send cut=2000000\n")
		w.speaks(w.restored(1, "-r", "mirror", "a/x", target), "hint: once that is repaired, the same command continues")
		w.write("sim/faults", "")
	}
	cut("b/new")
	cut("b/other")
	token := w.token("b/new")
	if len(token) < 20 {
		t.Fatalf("no token: %q", token)
	}
	mine := []string{"b/mirror/x/y@s1 zreplctl_restore_mirror:b:new", "b/mirror/x@s1 zreplctl_restore_mirror:b:new"}
	others := []string{"b/mirror/x/y@s1 zreplctl_restore_mirror:b:other", "b/mirror/x@s1 zreplctl_restore_mirror:b:other"}
	w.equal("holds", w.restoring(), append(slices.Clone(mine), others...)...)
	w.speaks(w.must("zreplctl", "-config", w.path("c.yml"), "holds", "mirror"), "zreplctl_restore_mirror:b:new\tmirror")
	w.must("zreplctl", "-config", w.path("c.yml"), "holds", "-release")
	w.fill("a/x", 100_000)
	for _, s := range []string{"s2", "s3"} {
		w.snapshot(s)
		if code, said := w.ctl("local", "-skip", "snapshot", "mirror"); code != 0 {
			t.Errorf("the job fails: %s", said)
		}
	}
	if strings.Contains(strings.Join(w.guids("b/mirror/x"), " "), "@s2") {
		t.Error("nothing was pruned")
	}
	w.equal("holds", w.restoring(), append(slices.Clone(mine), others...)...)
	w.speaks(w.restored(1, "-r", "mirror", "a/x@s3", "b/new"), "has begun with @s1, not @s3")
	w.speaks(w.restored(0, "-n", "-r", "mirror", "a/x", "b/new"), "resume\tb/mirror/x@s1\tb/new\t")
	w.write("sim/log", "")
	w.restored(0, "-r", "mirror", "a/x", "b/new")
	if log, _ := os.ReadFile(w.path("sim/log")); !strings.Contains(string(log), "-t "+token[:10]) {
		t.Error("it did not resume")
	}
	w.equal("holds", w.restoring(), others...)
	w.speaks(w.restored(0, "-abandon", "-n", "mirror", "b/other"), "b/mirror/x@s1\n")
	w.equal("holds", w.restoring(), others...)
	w.restored(0, "-abandon", "mirror", "b/other")
	w.equal("holds", w.restoring())
	if len(w.token("b/other")) < 20 {
		t.Error("the target was changed")
	}
}

// A partial receive that another has begun is not continued, nor touched.
func TestRestoreForeignPartial(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("zfs", "create", "a/x")
	w.fill("a/x", 4<<20)
	w.snapshot("s1")
	w.done("local", "mirror")
	w.done("local", "marks")
	send := w.must("zfs", "send", "-L", "b/mirror/x@s1")
	receive := w.command("zfs", "receive", "-s", "-u", "b/new")
	receive.Stdin = strings.NewReader(send[:2<<20])
	if receive.Run() == nil {
		t.Fatal("not cut")
	}
	before := w.everything()
	w.speaks(w.restored(1, "mirror", "a/x", "b/new"), `"b/new" is a partial receive: no hold on "b/mirror/x@s1"`)
	w.speaks(w.restored(1, "marks", "a/x", "b/new"), `"b/new" is a partial receive: it is of "b/mirror/x@s1"`)
	if after := w.everything(); !slices.Equal(before, after) {
		t.Errorf("something was changed: %q, %q", before, after)
	}
	w.must("zfs", "hold", "zreplctl_restore_mirror:b:other", "b/mirror/x@s1") // another target's
	w.speaks(w.restored(1, "mirror", "a/x", "b/new"), "no hold on")
}

// A copy that came as plain text and is encrypted here goes as plain text, if its
// key is loaded.
func TestRestorePlain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.extend(`
- {name: open, type: local, mapping: {"a/x<": b/enc/x}, snapshot_prefix: s, shared_prefix: true}
`)
	w.tree()
	w.encrypted("b/enc")
	w.snapshot("s1")
	w.done("local", "open")
	w.must("zfs", "unmount", "b/enc")
	w.must("zfs", "unload-key", "-r", "b/enc")
	w.speaks(w.restored(1, "-r", "open", "a/x", "b/new"), "its key is not loaded", "hint: zfs load-key b/enc\n")
	w.equal("holds", w.restoring())
	w.must("zfs", "load-key", "b/enc")
	said := w.restored(0, "-r", "open", "a/x", "b/new")
	if w.speaks(said, `to "b/new", as plain text`); strings.Contains(said, "load-key") {
		t.Error(said)
	}
	w.shows("b/new/y", "encryption", "off default")
	w.same("b/new", "b/enc/x")
}

// An empty copy that has got a snapshot since a restore began does not keep the
// rest from coming.
func TestRestoreFilledSince(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, ds := range []string{"a/x", "a/x/y", "a/x/y/z"} {
		w.must("zfs", "create", ds)
	}
	w.snapshot("s1")
	w.done("local", "mirror")
	w.must("zfs", "release", "zreplctl_last_mirror", "b/mirror/x/y@s1")
	w.must("zfs", "destroy", "b/mirror/x/y@s1")
	w.must("zfs", "set", "zreplctl:placeholder=on", "b/mirror/x/y")
	w.write("sim/faults", "on=receive match=b/new/y/z fail message=cannot receive: out of space\n")
	w.speaks(w.restored(1, "-r", "mirror", "a/x", "b/new"), "not finished")
	w.write("sim/faults", "")
	w.must("zfs", "snapshot", "b/mirror/x/y@s1")
	w.speaks(w.restored(1, "-r", "mirror", "a/x", "b/new"), `cannot restore "b/mirror/x/y": the copy was empty when`, "zreplctl activate b/new/y/z\n")
	w.equal("holds", w.restoring())
}

// The commands that restore prints change what it has made, and nothing that came
// there meanwhile. One that fails can be repeated.
func TestRestoreActivate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("local", "mirror")
	said := w.restored(0, "-r", "mirror", "a/x", "b/new")
	w.must("zfs", "create", "-u", "-o", "readonly=on", "-o", "canmount=noauto", "-o", "zreplctl:send=L", "b/new/other")
	w.write("sim/faults", "on=set match=canmount fail message=cannot set property: out of luck\n")
	if code, text := w.ctl("activate", "b/new"); code != 1 {
		t.Errorf("exit status %d: %s", code, text)
	}
	w.write("sim/faults", "")
	for _, command := range next(said) {
		w.must(command...)
	}
	if text := w.settings("b/new/y"); strings.Contains(text, "zreplctl:") || strings.Contains(text, "readonly") {
		t.Errorf("it is not normal:\n%s", text)
	}
	w.shows("b/new/other", "readonly", "on local")
	w.shows("b/new/other", "canmount", "noauto local")
	w.shows("b/new", "mounted", "yes -")
	w.shows("b/new", "zreplctl:restore", "- -")
	if code, text := w.ctl("activate", "b/new"); code != 1 || !strings.Contains(text, "no copy") {
		t.Errorf("a normal dataset: exit status %d: %s", code, text)
	}
	w.done("push", "pushit")
	w.speaks(w.restored(0, "-progress", "sink", "a/x/y", "b/pushed"), "moved ")
	w.same("b/pushed", "b/sink/pusher/a/x/y")
}
