package notify

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
)

// TestUnwritten: nothing is told that could not be noted, since it would be
// told again by every call.
func TestUnwritten(t *testing.T) {
	n, dir := notifier(t, `echo x >>"$1/told"`, "failed")
	if err := os.MkdirAll(n.Dir.Path(toldName+"/in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	os.Chmod(filepath.Join(dir, "state"), 0o700)
	for range 2 {
		if err := tell(t, n, health.Failed); err == nil || !strings.Contains(err.Error(), "cannot note what notify tells") {
			t.Errorf("%v", err)
		}
	}
	if lines(dir) != "" {
		t.Errorf("%q", lines(dir))
	}
	os.RemoveAll(n.Dir.Path(toldName))
	for range 2 {
		if err := tell(t, n, health.Failed); err != nil {
			t.Error(err)
		}
	}
	if lines(dir) != "x\n" {
		t.Errorf("%q", lines(dir))
	}
}

// TestLeaves: a command that ends well has told, whatever it leaves; and what
// it leaves in its process group is ended.
func TestLeaves(t *testing.T) {
	for name, to := range map[string]string{"with its output": "", "without": ">/dev/null 2>&1 </dev/null"} {
		t.Run(name, func(t *testing.T) {
			n, dir := notifier(t, `sleep 1000 `+to+` & echo $! >"$1/pid"; echo x >>"$1/told"`, "failed")
			for range 2 {
				if err := tell(t, n, health.Failed); err != nil {
					t.Error(err)
				}
			}
			if lines(dir) != "x\n" {
				t.Errorf("%q", lines(dir))
			}
			ends(t, dir, "what it left still runs")
		})
	}
}

// TestTurns: a command that takes all the time does not keep another job's from
// being run for ever.
func TestTurns(t *testing.T) {
	n, dir := notifier(t, `echo x >>"$1/told"`, "failed")
	begun := filepath.Join(dir, "begun")
	hang := &config.Job{Name: "a", Notify: []config.Notify{{Command: []string{"sh", "-c", `: >"$1"; exec sleep 1000`, "sh", begun}, On: []string{"failed"}}}}
	n.Config.Jobs = append([]*config.Job{hang}, n.Config.Jobs...)
	r := health.Report{Jobs: []health.Job{{Name: "a", State: health.Failed, Level: 1}, {Name: "j", State: health.Failed, Level: 1}}}
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { // all the time that there is
			for os.Remove(begun) != nil && ctx.Err() == nil {
				time.Sleep(10 * time.Millisecond)
			}
			cancel()
		}()
		if err := n.Tell(ctx, r); err == nil {
			t.Error("the command that hangs has told")
		}
		cancel()
	}
	if lines(dir) != "x\n" {
		t.Errorf("%q", lines(dir))
	}
}

// TestSameCommand: a command that is named twice, for different states, hears
// of each.
func TestSameCommand(t *testing.T) {
	n, dir := notifier(t, `echo x >>"$1/told"`, "failed")
	all := &n.Config.Jobs[0].Notify
	*all = append(*all, config.Notify{Command: (*all)[0].Command, On: []string{"ok"}})
	for _, s := range []health.State{health.Failed, health.OK} {
		if err := tell(t, n, s); err != nil {
			t.Error(err)
		}
	}
	if lines(dir) != "x\nx\n" {
		t.Errorf("%q", lines(dir))
	}
}

// TestUnnamed: what the configuration no longer names is not kept for ever.
func TestUnnamed(t *testing.T) {
	n, _ := notifier(t, `:`, "failed")
	tell(t, n, health.Failed)
	n.Config.Jobs[0].Name = "other"
	if err := n.Tell(t.Context(), health.Report{Jobs: []health.Job{{Name: "other", State: health.Failed, Level: 1}}}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(n.Dir.Path(toldName))
	if err != nil || strings.Contains(string(text), `"j"`) || !strings.Contains(string(text), `"other"`) {
		t.Errorf("%v, %s", err, text)
	}
}
