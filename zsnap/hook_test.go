package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// hook writes a program that takes down how it is called, and then does body.
func (h *host) hook(name, body string) string {
	path := filepath.Join(h.Root, name)
	text := "#!/bin/sh\necho \"$ZSNAP_HOOK $ZSNAP_DATASET ${ZSNAP_SNAPSHOT#*@} ${ZSNAP_RESULT-}\" >>" + h.Root + "/calls\n" + body + "\n"
	if err := simhost.WriteProgram(path, text); err != nil {
		h.T.Fatal(err)
	}
	return path
}

func (h *host) calls() string {
	text, err := os.ReadFile(h.Root + "/calls")
	if err != nil && !os.IsNotExist(err) {
		h.T.Fatal(err)
	}
	os.Remove(h.Root + "/calls")
	return strings.ReplaceAll(strings.ReplaceAll(string(text), " \n", "\n"), "\n", "; ")
}

func TestHooks(t *testing.T) {
	for name, c := range map[string]struct {
		before, after string
		args          []string
		env           string
		calls         string
		errs          string
		snapshots     int
	}{
		"both": {"", "", nil, "",
			"before p x; before p/a x; before p/b x; after p x taken; after p/a x taken; after p/b x taken; ", "", 3},
		"skip": {`[ $ZSNAP_DATASET != p/a ]`, "", nil, "",
			"before p x; before p/a x; before p/b x; after p x taken; after p/a x skipped; after p/b x taken; ",
			`cannot snapshot "p/a": hook "BEFORE" failed before the snapshot: exit status 1`, 2},
		"abort": {`[ $ZSNAP_DATASET != p/a ]`, "", []string{"-hook-fail", "abort"}, "",
			"before p x; before p/a x; after p x skipped; after p/a x skipped; ",
			`a hook before the snapshots failed: nothing more is taken`, 0},
		"too slow": {`[ $ZSNAP_DATASET != p/a ] || sleep 60`, "", []string{"-hook-timeout", "LIMIT"}, "",
			"before p x; before p/a x; before p/b x; after p x taken; after p/a x skipped; after p/b x taken; ",
			`cannot snapshot "p/a": hook "BEFORE" failed before the snapshot: it ran longer than LIMIT`, 2},
		"no snapshot": {"", "", nil, "ZFS_SIM_FAULTS=on=snapshot fail=1 message=cannot create snapshots : out of space",
			"before p x; before p/a x; before p/b x; after p x failed; after p/a x failed; after p/b x failed; ",
			`0 of 3 snapshots are taken: zfs snapshot: cannot create snapshots : out of space`, 0},
		"after fails": {"", "exit 3", nil, "",
			"before p x; before p/a x; before p/b x; after p x taken; after p/a x taken; after p/b x taken; ",
			`cannot snapshot "p": hook "AFTER" failed after the snapshot: exit status 3`, 3},
	} {
		t.Run(name, func(t *testing.T) {
			limit := "300ms"
		again:
			h := newHost(t, "p", "p/a", "p/b")
			before, after := h.hook("b", c.before), h.hook("a", c.after)
			h.Env = []string{c.env}
			begin := time.Now()
			args := []string{"zsnap", "-r", "-prefix", "", "-format", "x", "-before", before, "-after", after, "p"}
			for _, a := range c.args {
				args = append(args, strings.Replace(a, "LIMIT", limit, 1))
			}
			_, errs, status := h.Run("", args...)
			h.Env = nil
			want := strings.NewReplacer("BEFORE", before, "AFTER", after, "LIMIT", limit).Replace(c.errs)
			if calls := h.calls(); calls != c.calls && name == "too slow" && limit != "10s" {
				limit = "10s" // a busy machine was too slow for the other hooks, too
				goto again
			} else if calls != c.calls {
				t.Errorf("calls: %s\nwant   %s", calls, c.calls)
			}
			if (status == 0) != (c.errs == "") || !strings.Contains(errs, want) {
				t.Errorf("status %d, %s\nwant %s", status, errs, want)
			}
			if n := len(h.Snapshots()); n != c.snapshots {
				t.Errorf("%d snapshots, want %d", n, c.snapshots)
			}
			if time.Since(begin) > 30*time.Second {
				t.Error("a hook that hangs holds it up")
			}
		})
	}
}

func TestNoSuchHook(t *testing.T) {
	h := newHost(t, "p")
	_, errs, status := h.Run("", "zsnap", "-before", "/no/such/hook", "-after", h.hook("a", ""), "p")
	if status != 1 || !strings.Contains(errs, "no such file or directory") || len(h.Snapshots()) != 0 {
		t.Errorf("status %d, %s", status, errs)
	}
	if calls := h.calls(); calls != "" {
		t.Errorf("calls behind a program that did not run: %s", calls)
	}
}

// Told to end while a hook runs, zsnap takes no snapshot, but calls the hook
// after for all whose hook before ran.
func TestInterruptedHook(t *testing.T) {
	h := newHost(t, "p", "p/a", "p/b")
	before, after := h.hook("b", `[ $ZSNAP_DATASET != p/a ] || { kill -TERM $PPID; sleep 60; }`), h.hook("a", "")
	begin := time.Now()
	_, errs, status := h.Run("", "zsnap", "-r", "-prefix", "", "-format", "x", "-before", before, "-after", after, "p")
	if status != 143 || time.Since(begin) > 30*time.Second {
		t.Errorf("status %d after %v, %s", status, time.Since(begin), errs)
	}
	if calls, want := h.calls(), "before p x; before p/a x; after p x skipped; after p/a x skipped; "; calls != want {
		t.Errorf("calls: %s\nwant   %s", calls, want)
	}
	if n := len(h.Snapshots()); n != 0 {
		t.Errorf("%d snapshots", n)
	}
}

// Told to end while zfs takes the snapshots, zsnap tells of those that there
// are all the same, whatever zfs says.
func TestInterruptedSnapshot(t *testing.T) {
	for _, status := range []string{"0", "1"} {
		h := newHost(t, "p", "p/a")
		slow := h.hook("zfs-slow", `[ $1 = snapshot ] || exec `+bin+`/zfs "$@"
trap '' TERM; `+bin+`/zfs "$@"; kill -TERM $PPID; sleep 0.5; exit `+status)
		h.Env = []string{"ZREPL_ZFS=" + slow}
		out, errs, code := h.Run("", "zsnap", "-r", "-prefix", "", "-format", "x", "-after", h.hook("a", ""), "p")
		h.Env = nil
		if code != 143 || out != "p@x\np/a@x\n" {
			t.Errorf("zfs ends with %s: status %d, told %q, %s", status, code, out, errs)
		}
		if calls, want := h.calls(), "after p x taken; after p/a x taken; "; !strings.HasSuffix(calls, want) {
			t.Errorf("calls: %s\nwant   %s", calls, want)
		}
	}
}
