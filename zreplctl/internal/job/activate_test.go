package job_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// devices are the simulator's volumes that have a device.
func (w *world) devices() (all []string) {
	filepath.Walk(w.path("sim/dev/zvol"), func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			all = append(all, strings.TrimPrefix(path, w.path("sim/dev/zvol")+"/"))
		}
		return nil
	})
	return all
}

func (w *world) settings(root string) string {
	w.t.Helper()
	return w.must("zfs", "get", "-H", "-r", "-t", "filesystem,volume", "-s", "local,received", "-o", "name,property,value", "all", root)
}

// TestInert looks at new copies, however they came: after a reboot none is
// mounted, and no volume of a copy has a device.
func TestInert(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.encrypted("a/sealed")
	w.must("zfs", "create", "a/sealed/below")
	w.must("zfs", "snapshot", "a/x/y@s0")
	w.done("local", "mirror") // b/mirror/x is a placeholder
	w.snapshot("s1")
	w.done("local", "mirror")
	w.done("pull", "fetch")
	w.done("push", "pushit")
	w.snapshot("s2")
	w.done("local", "mirror")
	w.done("pull", "fetch")
	for _, ds := range []string{"b/mirror/x", "b/mirror/x/y", "b/back/a", "b/back/a/z", "b/back/a/sealed", "b/back/a/sealed/below", "b/sink/pusher/a/x"} {
		for p, want := range map[string]string{"readonly": "on", "canmount": "noauto", "setuid": "off", "devices": "off", "exec": "off"} {
			w.shows(ds, p, want+" local")
		}
	}
	for p, want := range map[string]string{"readonly": "on", "volmode": "none", "snapdev": "hidden"} {
		w.shows("b/back/a/v", p, want+" local")
	}
	w.shows("b/mirror/x", "zreplctl:placeholder", "on inherited from b/mirror")
	w.must("zpool", "export", "b")
	w.must("zpool", "import", "-R", w.path("mnt"), "b")
	w.must("zfs", "mount", "-a")
	for _, line := range w.lines("zfs", "get", "-H", "-r", "-t", "filesystem", "-o", "name,value", "mounted", "b") {
		if name, mounted, _ := strings.Cut(line, "\t"); mounted == "yes" && name != "b" {
			t.Errorf("%s is mounted", name)
		}
	}
	w.equal("devices", w.devices(), "a/v")
}

// TestInertOverride: each of what makes a copy inert can be overridden.
func TestInertOverride(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.extend(`
- {name: loose, type: local, snapshot_prefix: s, mapping: {"a<": b/loose}, recv: {override: {canmount: "on", exec: "on", volmode: full, readonly: "off", mountpoint: none, "site:x": "1"}}}
`)
	w.tree()
	w.snapshot("s1")
	w.done("local", "loose")
	for p, want := range map[string]string{"readonly": "off", "canmount": "on", "setuid": "off", "devices": "off", "exec": "on", "mountpoint": "none", "site:x": "1"} {
		w.shows("b/loose/x", p, want+" local")
	}
	for p, want := range map[string]string{"readonly": "off", "volmode": "full", "snapdev": "hidden", "site:x": "1"} {
		w.shows("b/loose/v", p, want+" local")
	}
	w.snapshot("s2")
	w.done("local", "loose")
}

// TestActivate brings copies to life, with all below them, and back.
func TestActivate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.fill("a/x/y", 1000)
	w.snapshot("s1")
	w.done("pull", "fetch")
	w.must("zfs", "create", "b/back/a/mine")
	before := w.settings("b")
	activate := func(status int, args ...string) string {
		t.Helper()
		code, said := w.ctl(append([]string{"activate"}, args...)...)
		if code != status {
			t.Errorf("activate %q: exit status %d: %s", args, code, said)
		}
		return said
	}
	has := func(said string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(said, want) {
				t.Errorf("%q is not in\n%s", want, said)
			}
		}
	}
	has(activate(1, "b/back/a", "b/back/a/mine"), `cannot activate "b/back/a/mine": dataset "b/back/a/mine" is no copy`, "hint: nothing was changed; -any")
	has(activate(1, "b/back"), "only carries others", "hint: add -r")
	has(activate(1, "b/none"), "does not exist")
	activate(2)
	activate(2, "-x/y")
	activate(1, "b/back/a@s1")
	dry := activate(0, "-n", "-r", "b/back")
	has(dry, "b/back/a\treadonly\ton\toff\n", "b/back/a/x/y\tcanmount\tnoauto\ton\n", "b/back/a/v\tvolmode\tnone\tdefault\n",
		`dataset "b/back/a/mine" is no copy`, `mountpoint=none of "b/back" keeps`)
	if strings.Contains(dry, "\tmounted\t") || strings.Count(dry, "mountpoint=none") != 1 {
		t.Errorf("it would mount below a placeholder:\n%s", dry)
	}
	if after := w.settings("b"); after != before {
		t.Errorf("-n changed something:\n%s\n%s", before, after)
	}

	w.must("zfs", "inherit", "mountpoint", "b/back")
	did := activate(0, "b/back/a/x/y") // what stands above stays inert
	has(did, "b/back/a/x/y\treadonly\ton\toff\n", "b/back/a/x/y\texec\toff\ton\n", "b/back/a/x/y\tmounted\tno\tyes\n")
	w.shows("b/back/a/x/y", "readonly", "off local")
	w.shows("b/back/a/x/y", "mounted", "yes -")
	w.shows("b/back/a/x", "readonly", "on local")
	w.fill("b/back/a/x/y", 10)
	activate(0, "-inert", "b/back/a/x/y")
	w.shows("b/back/a/x/y", "mounted", "no -")

	activate(0, "-r", "b/back")
	for _, p := range []string{"readonly", "setuid", "devices", "exec"} {
		for _, line := range w.lines("zfs", "get", "-H", "-r", "-t", "filesystem", "-o", "name,value,source", p, "b/back/a") {
			if strings.Contains(line, "local") || strings.HasSuffix(line, "\toff\tdefault") != (p == "readonly") {
				t.Errorf("%s: %s", p, line)
			}
		}
	}
	w.equal("devices", w.devices(), "a/v", "b/back/a/v")
	has(activate(0, "-inert", "-r", "b/back/a"), "b/back/a/x\treadonly\toff\ton\n", "b/back/a/x/y\tmounted\tyes\tno\n")
	w.equal("devices", w.devices(), "a/v")
	if said := activate(0, "-inert", "-r", "b/back/a"); strings.Contains(said, "\t") {
		t.Errorf("a second time it changes %s", said)
	}
	has(activate(0, "-inert", "-any", "b/back/a/mine"), "b/back/a/mine\tcanmount\ton\tnoauto\n")

	w.write("sim/faults", "on=inherit match=setuid fail message=cannot inherit setuid: permission denied\n")
	has(activate(1, "b/back/a"), `cannot change setuid of "b/back/a": `, "b/back/a\tcanmount\tnoauto\ton\n")
}

// TestActivateLink: a copy that holds a symbolic link in the place of the
// dataset below it does not decide where that is mounted, now or at a boot.
func TestActivateLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.must("zfs", "set", "mountpoint="+w.path("mnt/elsewhere"), "a/x/y")
	elsewhere := w.path("precious")
	if err := os.Mkdir(elsewhere, 0o755); err != nil {
		t.Fatal(err)
	}
	link := strings.TrimSpace(w.must("zfs", "get", "-H", "-o", "value", "mountpoint", "a/x")) + "/y"
	os.Remove(link)
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	w.fill("a/x/y", 100)
	w.snapshot("s1")
	w.done("pull", "fetch")
	w.must("zfs", "inherit", "mountpoint", "b/back")
	code, said := w.ctl("activate", "-r", "b/back/a/x")
	if code != 1 || !strings.Contains(said, `of "b/back/a/x/y"`) || !strings.Contains(said, "is a symbolic link") {
		t.Errorf("%d: %s", code, said)
	}
	w.shows("b/back/a/x", "mounted", "yes -")
	w.shows("b/back/a/x/y", "mounted", "no -")
	w.shows("b/back/a/x/y", "canmount", "noauto local")
	if found, err := os.ReadDir(elsewhere); err != nil || len(found) > 0 {
		t.Errorf("%v, %v in the link's place", found, err)
	}
}
