package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
)

// TestPrintStatus: problems come first, foreign text breaks no line, and what is
// well is shown with -v alone.
func TestPrintStatus(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	at := func(ago time.Duration) *progress.Time { p := progress.At(now.Add(-ago)); return &p }
	age := func(n int64) *int64 { return &n }
	r := health.Report{Made: progress.At(now), Notes: []string{"no daemon"}, Jobs: []health.Job{
		{Name: "good", Type: "local", State: health.OK, Age: age(3 * 3600), Attempt: at(time.Minute), Success: at(time.Minute)},
		{Name: "pull1", Type: "pull", State: health.Failed, Level: health.Critical, Why: "it\nbroke\x1b[2J", Age: age(150 * 86400), Behind: new(3),
			Attempt: at(time.Minute), Success: at(150 * 24 * time.Hour), Next: at(-90 * time.Second), Datasets: []health.Dataset{
				{Source: "tank/a", Target: "pool/a", State: health.Failed, Level: health.Critical, Why: "modified\tthere", Snapshot: "s1", Age: age(150 * 86400), Behind: new(2)},
				{Source: "tank/b", Target: "pool/b", State: health.OK, Snapshot: "s2", Age: age(5), Behind: new(0)}},
			Clients: []health.Client{{Name: "backup", State: health.OK, Last: at(time.Hour), Streams: 1}}}}}
	s := control.Status{PID: 1, Jobs: []control.Job{{Name: "pull1", Connections: []control.Connection{{Client: "backup", PID: 7, Since: progress.At(time.Now()), Call: "send"}}}}}
	bad := "-\tnote\tno daemon\n" +
		"pull1\tjob\tpull\tfailed\t5 months old\t3 behind\tlast 1m ago, with success 5 months ago\tnext in 1m\tit; broke[2J\n" +
		"pull1\tdataset\ttank/a > pool/a\tfailed\t5 months old\t2 behind\ts1\tmodified there\n"
	well := "pull1\tdataset\ttank/b > pool/b\tok\t5s old\t0 behind\ts2\t-\n"
	rest := "pull1\tclient\tbackup\tok\tno age\tcame 1h ago\t1 stream\t-\n" +
		"pull1\tconnection\tbackup\tpid 7\tsince 0s ago\tsend\n" +
		"good\tjob\tlocal\tok\t3h old\tbehind unknown\tlast 1m ago\tno schedule\t-\n"
	for all, want := range map[bool]string{false: bad + rest, true: bad + well + rest} {
		var b strings.Builder
		p := statusPrinter{c: &config.Config{Jobs: []*config.Job{{Name: "pull1"}, {Name: "good"}}}, out: cli.NewOut(&b), report: r, all: all}
		if err := p.show(s); err != nil || b.String() != want {
			t.Errorf("%v, got\n%swant\n%s", err, b.String(), want)
		}
	}
}

// TestFrameTrouble: what is wrong with a job as a whole comes before what is
// wrong with a dataset, and does not take its place.
func TestFrameTrouble(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	bad := []health.Dataset{{Source: "tank/a", Target: "pool/a", State: health.Failed, Level: health.Warning, Why: "seen 2h ago: modified"}}
	for _, c := range []struct {
		trouble, why string
		datasets     []health.Dataset
		want         string
	}{
		{"cannot connect", "cannot connect; tank/a: seen 2h ago: modified", bad, "  cannot connect|  tank/a > pool/a: seen 2h ago: modified"},
		{"", "tank/a: seen 2h ago: modified", bad, "  tank/a > pool/a: seen 2h ago: modified"},
		{"cannot connect", "cannot connect; a person paused it", nil, "  cannot connect"},
		{"", "the daemon was killed", nil, "  the daemon was killed"},
	} {
		r := health.Report{Made: progress.At(now), Jobs: []health.Job{{Name: "j", Type: "pull", State: health.Failed, Level: health.Warning, Trouble: c.trouble, Why: c.why, Datasets: c.datasets}}}
		p := statusPrinter{c: &config.Config{}, report: r}
		var got []string
		for _, l := range p.frame(control.Status{}, now, 120, 20)[2:] { // the head, and the job
			got = append(got, l.Text)
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%q: %q, want %q", c.why, got, c.want)
		}
	}
}

// daemonConfig is a configuration with a source job in a directory of its own.
func daemonConfig(t *testing.T) (dir, path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "d") // short: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "c.yml")
	text := "global: {rundir: " + dir + "/run}\njobs:\n- name: offer\n  type: source\n" +
		"  serve: {type: stdinserver, client_identity: backup}\n  datasets: {\"tank<\": ok}\n  snapshot_prefix: zrepl_\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, path
}

// TestDaemon runs the real one: it says when it is ready, answers, keeps a
// second one away, and ends on SIGTERM with 0, taking its sockets with it.
func TestDaemon(t *testing.T) {
	dir, path := daemonConfig(t)
	bin := filepath.Join(dir, "zreplctl")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if stdout, _, status := zreplctl(t, "", "status", "-config", path); status != 0 || !strings.HasPrefix(stdout, "offer\tjob\tsource\tfailed\tno age\tbehind unknown\tlast never\tno daemon runs\t") {
		t.Errorf("status without a daemon: %d, %s", status, stdout)
	}
	watch := exec.Command(bin, "status", "-watch", "-config", path) // it waits for a daemon, or for a run
	first, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(first).ReadString('\n'); !strings.HasPrefix(line, "offer\tjob\tsource\tfailed\t") {
		t.Errorf("watch without a daemon: %q, %v", line, err)
	}
	watch.Process.Signal(syscall.SIGTERM)
	watch.Wait()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(bin, "daemon", "-config", path, "-ready-fd", "3")
	cmd.ExtraFiles = []*os.File{w}
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	defer cmd.Process.Kill()
	ready := make([]byte, 16)
	if n, _ := r.Read(ready); string(ready[:n]) != "ready\n" {
		cmd.Wait()
		t.Fatalf("the daemon says %q: %s", ready[:n], log.String())
	}
	if _, stderr, status := zreplctl(t, "", "daemon", "-config", path); status != 75 || !strings.Contains(stderr, "a daemon is running already") {
		t.Errorf("a second daemon: %d, %s", status, stderr)
	}
	stdout, stderr, status := zreplctl(t, "", "status", "-json", "-config", path)
	var s control.Status
	if err := json.Unmarshal([]byte(stdout), &s); err != nil || status != 0 || s.PID != cmd.Process.Pid || len(s.Jobs) != 1 || !slices.Equal(s.Jobs[0].Clients, []string{"backup"}) {
		t.Errorf("status: %d, %s%s, %v", status, stdout, stderr, err)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the daemon ended with %v: %s", err, log.String())
	}
	for _, socket := range []string{"control", "stdinserver/backup"} {
		if _, err := os.Stat(filepath.Join(dir, "run", socket)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", socket, err)
		}
	}
}

func TestDaemonRefuses(t *testing.T) {
	_, path := daemonConfig(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := zreplctl(t, string(text), "daemon", "-config", "-"); status != 2 || !strings.Contains(stderr, "requires a file") {
		t.Errorf("configuration on stdin: %d, %s", status, stderr)
	}
	if _, stderr, status := zreplctl(t, "", "daemon", "extra", "-config", path); status != 2 || !strings.Contains(stderr, "unexpected argument") {
		t.Errorf("an argument: %d, %s", status, stderr)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if status := run(ctx, []string{"daemon", "-config", path}, os.Stdin, os.Stdout, os.Stderr); status != 0 {
		t.Errorf("a daemon that is told to end at once: %d", status)
	}
}
