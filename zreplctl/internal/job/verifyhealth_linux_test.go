package job_test

import (
	"strings"
	"testing"
)

// A copy that differs is a failure wherever the health is shown, until it was
// found to be the same, or is gone.
func TestVerifyHealth(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.fill("a/x", 3000)
	w.fill("a/m", 3000)
	w.taken(0, "s1")
	w.copied()
	shows := func(job string, code int, words ...string) {
		t.Helper()
		if got, said := w.ctl("monitor", job); got != code {
			t.Errorf("monitor %s: exit status %d: %s", job, got, said)
		}
		_, status := w.ctl("status", "-v", job)
		_, metrics := w.ctl("metrics")
		for _, word := range words {
			if !strings.Contains(status+metrics, word) {
				t.Errorf("%s: no %q in\n%s%s", job, word, status, metrics)
			}
		}
	}
	for job, copy := range map[string]string{"fetch": "b/back/x", "mirror": "b/mirror/m"} {
		label := `{backup_job="` + job + `",type="` + map[string]string{"fetch": "pull", "mirror": "local"}[job] + `"} `
		shows(job, 0, "zreplctl_job_verified_copies"+label+"0\n")
		if code, _, said := w.verified(job); code != 0 {
			t.Fatalf("exit status %d: %s", code, said)
		}
		shows(job, 0, "verified ", " ago\n", "zreplctl_job_differing_copies"+label+"0\n", "zreplctl_job_verified_timestamp_seconds"+label)
		w.damage(copy + "@s1")
		if code, _, said := w.verified(job); code != 1 {
			t.Fatalf("exit status %d: %s", code, said)
		}
		shows(job, 2, "it differs from its source", "\tfailed\t", "zreplctl_job_differing_copies"+label+"1\n")
		w.copiedBeside(job)
		shows(job, 2, "it differs from its source") // a run does not repair it
		w.damage(copy + "@s1")                      // back
		if code, _, said := w.verified(job); code != 0 {
			t.Fatalf("exit status %d: %s", code, said)
		}
		shows(job, 0, "zreplctl_job_differing_copies"+label+"0\n")
		w.damage(copy + "@s1")
		w.verified(job)
		w.release(copy)
		w.release(copy + "/y")
		w.must("zfs", "destroy", "-r", copy)
		w.copiedBeside(job)
		shows(job, 0, "zreplctl_job_differing_copies"+label+"0\n")
	}
}

func (w *world) copiedBeside(job string) {
	w.t.Helper()
	w.done(commandOf[job], job)
}

// A copy that cannot be read is a warning until it was compared, or is gone.
func TestVerifyHealthUnread(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.fill("a/m", 3000)
	w.taken(0, "s1")
	w.copied()
	const why = "the last comparison with its source failed "
	if code, _, said := w.verified("mirror"); code != 0 {
		t.Fatalf("exit status %d: %s", code, said)
	}
	w.write("sim/faults", "on=send match=b/mirror/m@s1 from=1 fail=1 message=cannot send: Input/output error\n")
	if code, _, said := w.verified("mirror"); code != 1 {
		t.Fatalf("exit status %d: %s", code, said)
	}
	w.says("unreadable", "mirror", "failed", 1, why)
	w.copiedBeside("mirror")
	w.says("unreadable, after a run", "mirror", "failed", 1, "Input/output error")
	w.write("sim/faults", "")
	if code, _, said := w.verified("mirror"); code != 0 {
		t.Fatalf("exit status %d: %s", code, said)
	}
	w.says("read again", "mirror", "ok", 0, "")
}
