package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

// A fleet is a daemon with very many pull jobs, whose runs are light.
const (
	fleetEnv  = "ZT_FLEET"
	fleetJobs = 300
	fleetRuns = 8
)

// fleetNames are the jobs: one hangs, one is refused at once, and the host of
// one is down, which takes a while to see.
func fleetNames() []string {
	names := []string{"hangs", "refused", "down"}
	for i := len(names); i < fleetJobs; i++ {
		names = append(names, fmt.Sprintf("host%03d", i))
	}
	return names
}

// asFleet runs such a daemon in a process of its own.
func asFleet(dir string) int {
	self, _ := os.Executable()
	c := timed(dir, daily(), fleetNames()...)
	c.Global.Runs = fleetRuns
	c.Global.StopTimeout = 10 * time.Second
	os.Setenv(fleetEnv, dir)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err == nil {
		err = Run(ctx, Options{Config: c, Program: self, PID: os.Getpid(), Log: slog.New(slog.NewTextHandler(log, nil)), Ready: func() { fmt.Println("ready") }})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// idle is for how long a fleet is watched that has nothing to do.
const idle = 10 * time.Second

// asGlances does meanwhile what the jobs of an idle fleet have to do at least: each
// looks once in a glance whether it was paused.
func asGlances(dir string) {
	for range fleetJobs * idle / glance {
		os.ReadFile(filepath.Join(dir, "state", "none"))
		time.Sleep(glance / fleetJobs)
	}
}

// fleetRun is one run, which writes its begin and its end into a file.
func fleetRun(dir, job string) int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	f, err := os.OpenFile(filepath.Join(dir, "runs"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return 1
	}
	f.WriteString("begin " + job + "\n")
	defer f.WriteString("end " + job + "\n")
	switch job {
	case "hangs":
		<-term
		return 143
	case "refused":
		return 75
	case "down":
		time.Sleep(2 * time.Second)
		return 75
	}
	time.Sleep(50 * time.Millisecond)
	return 0
}

// TestFleet: of very many jobs that are due at once, only so many run at once,
// and each is served in its turn, though one hangs, one is refused and one waits
// for a host that is down. Afterwards the daemon uses next to nothing.
func TestFleet(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip(err)
	}
	dir := shortDir(t)
	d := exec.Command(self, "as-fleet", dir)
	d.Stderr = os.Stderr
	out, err := d.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	defer d.Process.Kill()
	if n, err := out.Read(make([]byte, 10)); n == 0 {
		t.Fatal(err)
	}
	before := usageOf(t, d.Process.Pid)
	began := time.Now()
	c := timed(dir, daily())
	for time.Sleep(500 * time.Millisecond); ; time.Sleep(500 * time.Millisecond) {
		s, err := control.Get(t.Context(), c.Global.Control)
		if err != nil {
			t.Fatal(err)
		}
		ran, running := 0, 0
		for _, j := range s.Jobs {
			if j.Last != nil {
				ran++
			}
			if j.State == control.Running {
				running++
			}
		}
		if running > fleetRuns {
			t.Fatalf("%d run at once", running)
		}
		if ran == fleetJobs-1 {
			break
		}
		if time.Since(began) > 3*time.Minute {
			t.Fatalf("only %d of %d jobs have run", ran, fleetJobs)
		}
	}
	took := time.Since(began)
	checkFleetRuns(t, dir)
	after, share, most := usageOf(t, d.Process.Pid), 1.0, 0.0
	for tries := 0; tries < 3 && share > most; tries++ {
		busy := after.cpu
		look := exec.Command(self, "as-glances", dir)
		if err := look.Run(); err != nil {
			t.Fatal(err)
		}
		after = usageOf(t, d.Process.Pid)
		share = float64(after.cpu-busy) / float64(idle)
		// On a busy machine the same work takes more of the processor.
		most = max(0.005, 1.5*float64(look.ProcessState.UserTime()+look.ProcessState.SystemTime())/float64(idle))
	}
	t.Logf("%d runs in %s; RSS %d KiB at the start, %d KiB after; descriptors %d, %d; idle for %s: %.2f %% of a processor, at most %.2f %%",
		fleetJobs, took.Round(time.Second), before.rss, after.rss, before.files, after.files, idle, 100*share, 100*most)
	if share > most || after.rss > 4*before.rss+32<<10 || after.files > before.files+20 {
		t.Error("that is too much")
	}
	d.Process.Signal(syscall.SIGTERM)
	if err := d.Wait(); err != nil {
		t.Errorf("the daemon ended with %v", err)
	}
}

// checkFleetRuns reads what the runs wrote: each ran once, so many at once, and
// all but the one that hangs have ended.
func checkFleetRuns(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "runs"))
	if err != nil {
		t.Fatal(err)
	}
	begun, on, most := map[string]int{}, 0, 0
	for line := range strings.Lines(string(text)) {
		word, job, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "end" {
			on--
			continue
		}
		begun[job]++
		on++
		most = max(most, on)
	}
	if most > fleetRuns || most < fleetRuns/2 || on != 1 || len(begun) != fleetJobs {
		t.Errorf("%d jobs ran, at most %d at once, %d are on", len(begun), most, on)
	}
	for job, n := range begun {
		if n != 1 {
			t.Errorf("%s ran %d times", job, n)
		}
	}
}

// usage is what a process uses.
type usage struct {
	cpu   time.Duration
	rss   int // KiB
	files int
}

func usageOf(t *testing.T, pid int) (u usage) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	for _, at := range []int{11, 12} { // utime, stime, in hundredths of a second
		n, _ := strconv.Atoi(fields[at])
		u.cpu += time.Duration(n) * 10 * time.Millisecond
	}
	pages, _ := strconv.Atoi(fields[21])
	u.rss = pages * os.Getpagesize() / 1024
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	u.files = len(files)
	return u
}
