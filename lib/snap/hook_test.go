package snap

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// hook writes a program that notes how it was called, and then runs text.
func (k *taking) hook(text string) string {
	path := filepath.Join(k.t.TempDir(), "hook")
	text = "#!/bin/sh\necho $ZSNAP_HOOK $ZSNAP_SNAPSHOT $ZSNAP_RESULT >>'" + k.Root + "/calls'\n" + text + "\n"
	if err := simhost.WriteProgram(path, text); err != nil {
		k.t.Fatal(err)
	}
	return path
}

// calls are those since the last look.
func (k *taking) calls() string {
	text, _ := os.ReadFile(k.Root + "/calls")
	os.Remove(k.Root + "/calls")
	return strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(string(text)), "@s_20231114_221320_005", ""), "\n", ", ")
}

func TestHooks(t *testing.T) {
	k := newTaking(t, "p/a", "p/b")
	unruly := k.hook("[ $ZSNAP_DATASET != p/a ]")
	quiet := k.hook("")
	slow := k.hook("sleep 60")
	for _, c := range []struct {
		name      string
		hooks     Hooks
		fault     string
		calls     string
		taken     int
		failed    string // a dataset, and a word of why
		why       string
		ends      bool
		leftovers int
	}{
		{name: "both", hooks: Hooks{Before: quiet, After: quiet}, calls: "before p/a, before p/b, after p/a taken, after p/b taken", taken: 2},
		{name: "one refuses", hooks: Hooks{Before: unruly, After: quiet}, calls: "before p/a, before p/b, after p/a skipped, after p/b taken", taken: 1, failed: "p/a", why: "exit status 1"},
		{name: "one refuses all", hooks: Hooks{Before: unruly, After: quiet, Abort: true}, calls: "before p/a, after p/a skipped", failed: "p/a", why: "exit status 1", ends: true},
		{name: "no program", hooks: Hooks{Before: "/nonexistent", After: quiet}, calls: "", failed: "p/b", why: "/nonexistent"},
		{name: "too slow", hooks: Hooks{Before: slow, After: quiet, Timeout: 300 * time.Millisecond, Abort: true}, calls: "before p/a, after p/a skipped", failed: "p/a", why: "it ran longer than 300ms", ends: true},
		{name: "the later one fails", hooks: Hooks{After: unruly}, calls: "after p/a taken, after p/b taken", taken: 2, failed: "p/a", why: "failed after the snapshot: exit status 1"},
		{name: "no snapshot", hooks: Hooks{Before: quiet, After: quiet}, fault: "on=snapshot from=1 fail message=no", calls: "before p/a, before p/b, after p/a failed, after p/b failed", failed: "p", why: "0 of 2"},
	} {
		k.Faults(c.fault)
		k.o.Hooks = c.hooks
		k.take("p/a", "p/b")
		got := k.calls()
		if got != c.calls && c.hooks.Timeout != 0 { // a busy machine may need longer for a hook's first line
			k.o.Hooks.Timeout, c.why = 10*time.Second, "it ran longer than 10s"
			k.take("p/a", "p/b")
			got = k.calls()
		}
		if got != c.calls {
			t.Errorf("%s: called %q, not %q", c.name, got, c.calls)
		}
		err := k.failed[c.failed]
		if k.result.Taken != c.taken || (k.err != nil) != c.ends || (c.failed != "") != (err != nil) || err != nil && !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %+v %v, %v", c.name, k.result, k.failed, k.err)
		}
		for _, s := range k.Snapshots() {
			k.Must("zfs", "destroy", s)
		}
	}
}

// What the first hook stopped, the second starts again, also for a run that was
// cancelled in between.
func TestHooksCancelled(t *testing.T) {
	k := newTaking(t, "p/a", "p/b")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	k.ctx, k.o.Hooks = ctx, Hooks{Before: k.hook("[ $ZSNAP_DATASET = p/a ] || { : >'" + k.Root + "/there'; exec sleep 60; }"), After: k.hook("")}
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(k.Root + "/there"); err == nil {
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	k.take("p/a", "p/b")
	if got := k.calls(); got != "before p/a, before p/b, after p/a skipped, after p/b skipped" || len(k.created) != 0 || k.err == nil {
		t.Errorf("called %q, %v, %v", got, k.created, k.err)
	}
}
