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

// hanging is a command that starts another, tells so, and does not end.
const hanging = `sleep 1000 & echo $! >"$1/pid"; echo x >>"$1/told"; wait`

// TestLimit: a command that hangs is ended with all that it started.
func TestLimit(t *testing.T) {
	for limit := 2 * time.Second; limit < 2*time.Minute; limit *= 5 { // it must get as far as to tell
		n, dir := notifier(t, hanging, "failed")
		n.Limit = limit
		if err := tell(t, n, health.Failed); err == nil || !strings.Contains(err.Error(), "did not end within "+limit.String()) {
			t.Errorf("%v", err)
		}
		if lines(dir) == "" {
			continue
		}
		if ends(t, dir, "what it started still runs"); lines(dir) != "x\n" {
			t.Errorf("%q", lines(dir))
		}
		return
	}
	t.Error("it has not told")
}

// TestBusy: a call is refused while another one's command runs.
func TestBusy(t *testing.T) {
	n, dir := notifier(t, hanging, "failed")
	n.Limit = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	over := make(chan error, 1)
	go func() { over <- n.Tell(ctx, health.Report{Jobs: []health.Job{{Name: "j", State: health.Failed}}}) }()
	for lines(dir) == "" && t.Context().Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	if err := tell(t, n, health.Failed); !errors.Is(err, ErrBusy) {
		t.Errorf("a second call: %v", err)
	}
	if cancel(); <-over == nil {
		t.Error("the command that was ended has told")
	}
	ends(t, dir, "what it started still runs")
}

// ends waits for the end of the process whose number a command has written.
func ends(t *testing.T, dir, otherwise string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid := strings.TrimSpace(string(text))
	for end := time.Now().Add(time.Minute); exec.Command("sh", "-c", "kill -0 "+pid).Run() == nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			exec.Command("kill", pid).Run()
			t.Fatal(otherwise)
		}
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
