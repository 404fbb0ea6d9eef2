package job_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestHealthUnread: what the runs have left and nobody can read is never taken
// for a job that never ran, by any face, and log fails.
func TestHealthUnread(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.taken(time.Hour, "s1")
	w.copied()
	w.verified("fetch")
	const cannot = "cannot read what the runs have left"
	for file, job := range map[string]string{"fetch.json": "fetch", "fetch.bases": "fetch", "fetch.verified": "fetch", "mirror.json": "mirror",
		"mirror.bases": "mirror", "me.sessions": "offer", "zreplctl_source_me.common": "offer"} {
		good, err := os.ReadFile(w.path("state/" + file))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"", string(good[:len(good)/2])} {
			w.write("state/"+file, text)
			w.says("damaged: "+file, job, "failed", 3, cannot)
		}
		for _, err := range []error{os.Remove(w.path("state/" + file)), os.Mkdir(w.path("state/"+file), 0o700)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		w.says("a directory: "+file, job, "failed", 3, cannot)
		if err := os.Remove(w.path("state/" + file)); err != nil {
			t.Fatal(err)
		}
		w.write("state/"+file, string(good))
		w.says("mended: "+file, job, "ok", 0, "")
	}
	if err := errors.Join(os.Rename(w.path("state"), w.path("kept")), os.WriteFile(w.path("state"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"offer", "fetch", "mirror"} {
		w.says("statedir cannot be read", name, "failed", 3, cannot)
	}
	if code, said := w.ctl("log"); code != 2 || strings.Count(said, "cannot ") != 2 || !strings.Contains(said, "cannot read the history of job") {
		t.Errorf("log: %d, %s", code, said)
	}
}

// TestHealthOtherUser: who may not read the state directory is told so.
func TestHealthOtherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		return // only root can be somebody else
	}
	w := ends(t)
	w.taken(time.Hour, "s1")
	w.copied()
	for dir := w.dir; dir != "/"; dir = dir[:max(1, strings.LastIndex(dir, "/"))] {
		if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o5 != 0o5 {
			os.Chmod(dir, info.Mode().Perm()|0o5)
		}
	}
	os.Chmod(w.path("c.yml"), 0o644)
	for command, says := range map[string]string{"monitor": "cannot read what the runs have left: ", "status": "cannot read what the runs have left: ",
		"log": "cannot read the history of job"} {
		c := w.command("zreplctl", "-config", w.path("c.yml"), command)
		c.Env = append(c.Env, "ZREPL_ZFS=/bin/true")
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := c.CombinedOutput()
		if !strings.Contains(string(out), says) || !strings.Contains(string(out), "permission denied") || (err == nil) != (command == "status") {
			t.Errorf("%s: %v, %s", command, err, out)
		}
	}
}
