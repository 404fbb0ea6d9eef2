package daemon

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

// TestSeveralClients: a job with two clients has a socket for each, and tells
// whose each connection is. Where one cannot be listened for, the other is
// served.
func TestSeveralClients(t *testing.T) {
	t.Parallel()
	c := conf(shortDir(t), "source")
	c.Jobs[0].Serve.Clients = []string{"client", "other", "taken"}
	if err := os.MkdirAll(filepath.Join(c.Global.SockDir, "taken", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.Global.SockDir, 0o700); err != nil {
		t.Fatal(err)
	}
	startConfig(t, c)
	for _, id := range c.Jobs[0].Serve.Clients[:2] {
		if s := connectAs(t, c, id); s.ask("hello") != "hello" {
			t.Errorf("%s is not served", id)
		}
	}
	var job control.Job
	until(t, "both connections are seen", func() bool {
		s, err := control.Get(t.Context(), c.Global.Control)
		if err != nil {
			t.Fatal(err)
		}
		job = s.Jobs[0]
		return len(job.Connections) == 2
	})
	if d := cmp.Diff(c.Jobs[0].Serve.Clients, job.Clients); d != "" || job.State != control.Broken || job.Problem == "" {
		t.Errorf("%s%+v", d, job)
	}
	if got := []string{job.Connections[0].Client, job.Connections[1].Client}; !cmp.Equal(got, []string{"client", "other"}) {
		t.Errorf("connections of %q", got)
	}
}
