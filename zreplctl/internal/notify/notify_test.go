package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// TestMain is, if asked, a command that posts what it reads, as curl does.
func TestMain(m *testing.M) {
	if os.Getenv("NOTIFY_TEST_POST") == "" {
		os.Exit(m.Run())
	}
	reply, err := http.Post(os.Args[1], "application/json", os.Stdin)
	if err != nil || reply.StatusCode != http.StatusOK {
		os.Exit(1)
	}
}

// notifier has one job j with one shell command on these states.
func notifier(t *testing.T, script string, on ...string) (*Notifier, string) {
	t.Helper()
	dir := t.TempDir()
	c := &config.Config{Jobs: []*config.Job{{Name: "j", Notify: []config.Notify{{Command: []string{"sh", "-c", script, "sh", dir}, On: on}}}}}
	return &Notifier{Config: c, Dir: state.In(filepath.Join(dir, "state"))}, dir
}

func tell(t *testing.T, n *Notifier, s health.State) error {
	t.Helper()
	return n.Tell(context.Background(), health.Report{Jobs: []health.Job{{Name: "j", State: s, Why: "because", Datasets: []health.Dataset{
		{Source: "a", Level: health.Critical}, {Source: "b"}}}}})
}

func lines(dir string) string {
	text, _ := os.ReadFile(filepath.Join(dir, "told"))
	return string(text)
}

// TestChanges: a command hears of each change once, and of no state that it
// does not want.
func TestChanges(t *testing.T) {
	n, dir := notifier(t, `sed 's/.*"was":"\([a-z-]*\)".*"state":"\([a-z-]*\)".*"why":"because".*"source":"a".*/\1 \2/' >>"$1/told"`, "failed", "ok")
	for _, s := range []health.State{health.OK, health.OK, health.Failed, health.Running, health.Failed, health.Late, health.Failed, health.OK, health.OK} {
		if err := tell(t, n, s); err != nil {
			t.Fatal(err)
		}
	}
	if got := lines(dir); got != "" && strings.Contains(got, `"source":"b"`) {
		t.Errorf("a dataset that is well is told of: %s", got)
	}
	if got, want := strings.Count(lines(dir), "\n"), 3; got != want {
		t.Errorf("told %d times, want %d: %s", got, want, lines(dir))
	}
}

// TestFails: what could not be told is told later.
func TestFails(t *testing.T) {
	n, dir := notifier(t, `echo x >>"$1/told"; test -e "$1/up" || { echo no line >&2; exit 7; }`, "failed")
	for range 2 {
		if err := tell(t, n, health.Failed); err == nil || !strings.Contains(err.Error(), "exit status 7: no line") {
			t.Errorf("%v", err)
		}
	}
	os.WriteFile(filepath.Join(dir, "up"), nil, 0o600)
	for range 2 {
		if err := tell(t, n, health.Failed); err != nil {
			t.Error(err)
		}
	}
	if lines(dir) != "x\nx\nx\n" {
		t.Errorf("%q", lines(dir))
	}
}

// TestLimit: a command that hangs is ended with all that it started, and the
// next call is refused while it runs.
func TestLimit(t *testing.T) {
	n, dir := notifier(t, `sleep 1000 & echo $! >"$1/pid"; echo x >>"$1/told"; wait`, "failed")
	n.Limit = 2 * time.Second
	over := make(chan error)
	go func() { over <- tell(t, n, health.Failed) }()
	for lines(dir) == "" {
		time.Sleep(10 * time.Millisecond)
	}
	if err := tell(t, n, health.Failed); !errors.Is(err, ErrBusy) {
		t.Errorf("a second call: %v", err)
	}
	if err := <-over; err == nil || !strings.Contains(err.Error(), "did not end within 2s") {
		t.Errorf("%v", err)
	}
	text, _ := os.ReadFile(filepath.Join(dir, "pid"))
	check := exec.Command("sh", "-c", "kill -0 "+strings.TrimSpace(string(text)))
	for end := time.Now().Add(5 * time.Second); check.Run() == nil; check = exec.Command("sh", "-c", "kill -0 "+strings.TrimSpace(string(text))) {
		if time.Now().After(end) {
			t.Fatal("what it started still runs")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if lines(dir) != "x\n" {
		t.Errorf("%q", lines(dir))
	}
}

// TestServer: a message arrives whole at a server.
func TestServer(t *testing.T) {
	t.Setenv("NOTIFY_TEST_POST", "1")
	var got Message
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(text, &got); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	n, _ := notifier(t, os.Args[0]+" "+server.URL, "failed")
	if err := tell(t, n, health.Failed); err != nil || got.Job.Name != "j" || got.Was != health.OK || len(got.Job.Datasets) != 1 {
		t.Errorf("%v, %+v", err, got)
	}
}
